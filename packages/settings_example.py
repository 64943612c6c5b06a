"""The settings file as an example in which everything is a comment, and nothing is set.

A line that begins with "# " is text; one that begins with "#" and a name is a setting with its
default, to be used by removing the "#". The sentences come from docs/reference/settings.md, whose
defaults and names are compared with `config/settings.py` by tests/unit/test_documentation.py.
"""

import re
from collections.abc import Iterator
from enum import StrEnum
from textwrap import wrap
from types import NoneType
from typing import Any, get_args, get_type_hints

from packages.manual import markdown
from pgpool_recovery.config.settings import MethodSettings, NodeSettings, Settings
from pgpool_recovery.domain.record import names_of

WIDTH = 98
NODE = "node.N"
NAMED = {NODE: ("node.1", NodeSettings), "method.NAME": ("method.own", MethodSettings)}
"""Tables of which there can be several: the name of one, and its type."""
HEAD = """\
Settings of pgpool-recovery: a copy of this file is /etc/pgpool-recovery.toml, the same on every
host. Each setting is shown with its default. To change one, remove the "#" before it. Without that
file, or with this one as it is, all defaults apply.

It must belong to root, and only root may write to it. If it has secrets: chown root:postgres, chmod
0640. Every setting is described in pgpool-recovery.toml(5)."""
EXAMPLES = {
    "max_rate": '"100M"',
    "workers": "2",
    "stanza": '"main"',
    "restore_command": '"barman-wal-restore -U barman backup main %f %p"',
    "textfile": '"/var/lib/prometheus/node-exporter/pgpool_recovery.prom"',
    "drop_slot_above_mb": "10240",
    "rewind_user": '"rewind"',
    "sslmode": '"verify-full"',
    "sslrootcert": '"/etc/pgpool-recovery/root.crt"',
    "sslcert": '"/etc/pgpool-recovery/client.crt"',
    "sslkey": '"/etc/pgpool-recovery/client.key"',
    "channel_binding": '"require"',
    "require_auth": '"scram-sha-256"',
    "replication.user": '"repl"',
    "ssh.user": '"postgres"',
    "primary.user": '"postgres"',
    "pgpool.user": '"postgres"',
    "pgpool.host": '"pgpool1"',
    "pgpool.dbname": '"postgres"',
    "pcp_user": '"pgpool"',
    "pcp_pass_file": '"/var/lib/postgresql/.pcppass"',
    "node.N.host": '"server2"',
    "node.N.port": "5432",
    "data_directory": '"/var/lib/postgresql/15/main"',
    "bin_directory": '"/usr/lib/postgresql/15/bin"',
    "wal_directory": '"/wal/15/main"',
    "tablespace_mapping": '{ "/ts/fast" = "/mnt/nvme/fast" }',
    "method.NAME.command": '["/usr/local/bin/node-by-rsync"]',
    "keep_data": "true",
    "in_backup": "true",
    "nodes": "[1, 2]",
    "timeout_s": "14400",
    "method.NAME.stall_s": "600",
    "start_command": '["sudo", "-n", "systemctl", "start", "postgresql@15-main"]',
}
"""Values to show where there is no default, by the name of the setting, or with its table."""
LINK = re.compile(r"\[((?:`[^`]*`|[^\]`])*)\]\([^)]*\)")
MARKS = re.compile(r"`|\*\*")
ELSEWHERE = re.compile(r"; see [^;]*$")
SENTENCE = re.compile(r"(?<=[^.])\. (?=[A-Z`])")


def settings_example(page: str) -> str:
    """Return the file for a page of settings in Markdown; raises KeyError if one has no value."""
    lines = [*_comment(HEAD)]
    for title, text in markdown.sections(page).items():
        name = title.partition(".")[0]
        if name in names_of(Settings):
            lines += ["", *_table(title, text)]
    return "\n".join([*lines, ""])


def _table(title: str, text: str) -> Iterator[str]:
    example, kind = NAMED.get(title) or (title, type(getattr(Settings(), title)))
    hints = get_type_hints(kind)
    before = text.partition("|")[0].strip()
    yield ""
    if before:
        yield from _comment(_plain(before).replace("node N", "node 1"))
    # A table without settings says nothing, but a node that is named is one that exists.
    yield f"#[{example}]" if title in NAMED else f"[{title}]"
    described = {row[0].strip("`"): row for row in markdown.rows(text) if len(row) > 2}
    for name in names_of(kind):
        _, unit, told_default, *_, meaning = described[name]
        default = getattr(kind(), name)
        has_default = default is not None and title not in NAMED
        value = toml(default) if has_default else _example(title, name)
        sentence = _first_sentence(meaning)
        beside = [
            "seconds" if "seconds" in unit else "",
            _others(hints[name], value, sentence),
            "" if has_default else f"an example; default: {_plain(told_default)}",
        ]
        yield ""
        yield from _comment(sentence)
        yield from _line(f"#{name} = {value}", "; ".join(filter(None, beside)))


def _example(title: str, name: str) -> str:
    return EXAMPLES.get(f"{title}.{name}") or EXAMPLES[name]


def _line(line: str, beside: str) -> Iterator[str]:
    """Yield a setting, with what belongs beside it, or before it if the line would be long."""
    whole = f"{line}  # {beside}" if beside else line
    if beside and len(whole) > WIDTH:
        yield from _comment(f"{beside[0].upper()}{beside[1:]}.")
    yield line if len(whole) > WIDTH else whole


def toml(value: object) -> str:
    """Return a value of a setting as it is written in the file.

    >>> toml(True), toml(60.0), toml(("a", "b")), toml({})
    ('true', '60', '["a", "b"]', '{}')
    """
    match value:
        case bool():
            return str(value).lower()
        case float():
            return f"{value:g}"
        case str():
            return f'"{value}"'
        case tuple():
            return f"[{', '.join(map(toml, value))}]"
        case _:
            return str(value)


def _others(hint: Any, value: str, sentence: str) -> str:
    """Return the other values that a setting can have, unless the sentence has them."""
    kinds = (
        [one for one in get_args(hint) if one is not NoneType]
        if NoneType in get_args(hint)
        else [hint]
    )
    if not (isinstance(kinds[0], type) and issubclass(kinds[0], StrEnum)):
        return ""
    others = [f'"{one}"' for one in kinds[0] if f'"{one}"' != value]
    return "" if all(one in sentence for one in others) else f"or {', '.join(others)}"


def _first_sentence(cell: str) -> str:
    """Return what a setting means, without the places where more is said.

    >>> _first_sentence("`a` of it; see [below](#x). Then"), _first_sentence("the limit")
    ('a of it.', 'The limit.')
    """
    sentence = _plain(ELSEWHERE.sub("", SENTENCE.split(cell, maxsplit=1)[0].rstrip(".")))
    first = sentence[0] if cell.startswith("`") else sentence[0].upper()
    return f"{first}{sentence[1:]}."


def _plain(text: str) -> str:
    return MARKS.sub("", LINK.sub(r"\1", text))


def _comment(text: str) -> Iterator[str]:
    for number, paragraph in enumerate(text.split("\n\n")):
        if number:
            yield "#"
        lines = wrap(" ".join(paragraph.split()), WIDTH, break_long_words=False)
        yield from (f"# {line}" for line in lines)
