"""Write the lines by which Pgpool-II calls us to pgpool.conf, and keep the old ones as comments."""

import os
import re
import shlex
import stat
from collections.abc import Sequence
from pathlib import Path

from pgpool_recovery.config.load import VARIABLE
from pgpool_recovery.domain.error import Refused, reason_of
from pgpool_recovery.domain.record import record
from pgpool_recovery.files.text import lines_of, read_text
from pgpool_recovery.files.trust import ROOT, Untrusted, real_path
from pgpool_recovery.files.write import Owner, root_refusal, write_file

BEGIN = "# pgpool-recovery: begin. The last line for a parameter counts; those before are comments."
END = "# pgpool-recovery: end"
KEPT = "#before-pgpool-recovery# "
EMPTIED = (
    " # pgpool-recovery: up to Pgpool-II 4.6 a line that is removed stays in force; reload first."
)
STREAMING, TWO_STAGES = "streaming_replication", ("native_replication", "snapshot_isolation")
FOLLOW, OLD_FOLLOW = "follow_primary_command", "follow_master_command"
"""The second is the name of the parameter up to 4.1."""
COMMAND_WORD = re.compile(r"[\w@+=:,./-]+")
"""A word without special characters of pgpool.conf, of Pgpool-II's placeholders, or of sh."""
BLOCK = re.compile(rf"^{re.escape(BEGIN)}\n.*?^{re.escape(END)}\n", re.MULTILINE | re.DOTALL)


@record
class Change:
    """The text of a pgpool.conf before and after install.

    `lines` are our new lines, `replaced` the user's lines for the same parameters.
    """

    path: Path
    before: str
    after: str
    lines: tuple[str, ...]
    replaced: tuple[str, ...]


def change_of(
    path: Path,
    command: Sequence[str],
    settings_file: Path | None,
    words: str,
    *,
    with_hooks: bool = True,
) -> Change:
    """Return what install changes in a pgpool.conf; raise Refused when that is not possible.

    `words` are the placeholders with which Pgpool-II calls the hooks.
    """
    path = _real(path)
    before = _read(path)
    base = without_ours(before)
    lines = our_lines(base, command, settings_file, words) if with_hooks else recovery_lines(base)
    names = [line.partition(" = ")[0] for line in lines]
    replaced = tuple(line for line in lines_of(base) if _sets(line) in names)
    return Change(path, before, with_ours(base, lines), lines, replaced)


def our_lines(
    text: str, command: Sequence[str], settings_file: Path | None, words: str
) -> tuple[str, ...]:
    """Return the lines that a pgpool.conf needs in its clustering mode.

    `words` are the placeholders with which Pgpool-II calls the hooks. Raises Refused in a mode
    without online recovery, or when the path of the command has special characters.
    """
    stages = recovery_lines(text)
    if mode_of(text) in TWO_STAGES:
        return stages
    setting = [] if settings_file is None else [f"{VARIABLE}={_plain(str(settings_file))}"]
    call = " ".join([*setting, *map(_plain, command)])
    is_old = OLD_FOLLOW in text and FOLLOW not in text
    hooks = {
        "failover_command": f"{call} failover {words}",
        OLD_FOLLOW if is_old else FOLLOW: f"{call} follow_primary {words}",
    }
    return (*stages, *_as_lines(hooks))


def recovery_lines(text: str) -> tuple[str, ...]:
    """Return the lines by which a pgpool.conf calls our stage commands, in its clustering mode.

    Raises Refused in a mode without online recovery.
    """
    mode = mode_of(text)
    has_stages = mode in TWO_STAGES
    if mode != STREAMING and not has_stages:
        raise Refused(
            f'there is no online recovery in the mode "{mode}"',
            detail=f"The modes with online recovery are {STREAMING}, {' and '.join(TWO_STAGES)}.",
            hint="Check backend_clustering_mode in pgpool.conf.",
        )
    return _as_lines(
        {
            "recovery_1st_stage_command": "recovery_1st_stage",
            "recovery_2nd_stage_command": "recovery_2nd_stage" if has_stages else "",
        }
    )


def mode_of(text: str) -> str:
    """Return the clustering mode that a pgpool.conf sets, up to 4.1 with other parameters.

    >>> mode_of("backend_clustering_mode = 'raw' # none")
    'raw'
    >>> mode_of("replication_mode = on")
    'native_replication'
    """
    values = values_of(text)
    if values.get("replication_mode") in ("on", "true", "yes", "1"):
        return TWO_STAGES[0]
    return values.get("backend_clustering_mode", STREAMING)


def values_of(text: str) -> dict[str, str]:
    """Return the parameters that a pgpool.conf sets; the last of several lines for one counts.

    >>> values_of("port = 9999\\nport = '9998' # new\\n#port = 1")
    {'port': '9998'}
    """
    named = ((_sets(line), line) for line in lines_of(text))
    return {name: _value(line) for name, line in named if name}


def with_ours(text: str, lines: Sequence[str]) -> str:
    """Return a pgpool.conf with our lines at its end, and other lines for them as comments.

    >>> print(with_ours("a = 1\\nb = 2\\n", ["b = 3"]))
    a = 1
    #before-pgpool-recovery# b = 2
    # pgpool-recovery: begin. The last line for a parameter counts; those before are comments.
    b = 3
    # pgpool-recovery: end
    <BLANKLINE>
    """
    names = [line.partition(" = ")[0] for line in lines]
    kept = [KEPT + line if _sets(line) in names else line for line in lines_of(text)]
    return "".join(f"{line}\n" for line in [*kept, BEGIN, *lines, END])


def without_ours(text: str) -> str:
    """Return a pgpool.conf as it was before install, with later changes to other lines."""
    rest = BLOCK.sub("", text)
    rest = re.sub(rf"^.*{re.escape(EMPTIED)}\n", "", rest, flags=re.MULTILINE)
    return re.sub(rf"^{re.escape(KEPT)}", "", rest, flags=re.MULTILINE)


def emptied(text: str) -> tuple[str, ...]:
    """Return lines that set to empty every parameter that only our lines set.

    A reload does not reset a parameter that is no longer in the file (seen with 4.3.5 and 4.6.1),
    so Pgpool-II would go on calling a command that is about to be removed.

    >>> emptied(with_ours("a = 1\\n", ["a = 2", "b = 'x'"]))[0].partition(" #")[0]
    "b = ''"
    """
    stays = {_sets(line) for line in lines_of(without_ours(text))}
    ours = (line for block in BLOCK.findall(text) for line in lines_of(block))
    names = (_sets(line) for line in ours if not line.endswith(" = ''"))
    return tuple(f"{name} = ''{EMPTIED}" for name in names if name and name not in stays)


def write(path: Path, text: str) -> None:
    """Replace a pgpool.conf; its mode and group are kept, and its owner if we are root.

    The directory's owner may thus replace root's file there, and then owns the new one. Raises
    Refused when the write fails, as for a user who is not in the file's group, which would
    otherwise lose its access.
    """
    path = _real(path)
    try:
        old = path.lstat()
        owner = Owner(old.st_uid if os.geteuid() == ROOT else os.geteuid(), old.st_gid)
        write_file(path, text, mode=stat.S_IMODE(old.st_mode), owner=owner)
    except OSError as error:
        raise Refused(
            f"could not write {path}: {reason_of(error)}", hint="Run it as root, or as its owner."
        ) from error


def restore(path: Path, *, dry_run: bool) -> str | None:
    """Remove our lines from a pgpool.conf; return what was, or would be, done.

    None when there are none.
    """
    text = _read(_real(path))
    if BLOCK.search(text) is None and KEPT not in text:
        return None
    if dry_run:
        return f"would do: {path} restored to its previous contents"
    empty = emptied(text)
    write(path, "".join([without_ours(text), *(f"{line}\n" for line in empty)]))
    said = f"{path} restored to its previous contents; reload Pgpool-II"
    if empty:
        names = " and ".join(line.partition(" = ")[0] for line in empty)
        said += f" before the command is removed, since it sets {names}, not set before, to ''"
    return said


def _real(path: Path) -> Path:
    """Return the real path of the file; root follows no link that another user can have made."""
    try:
        return real_path(path, {ROOT}) if os.geteuid() == ROOT else path.resolve()
    except Untrusted as untrusted:
        raise root_refusal(path, untrusted) from untrusted
    except OSError as error:
        raise Refused(f"could not read {path}: {reason_of(error)}") from error


def _read(path: Path) -> str:
    try:
        return read_text(path)
    except OSError as error:
        raise Refused(f"could not read {path}: {reason_of(error)}") from error


def _sets(line: str) -> str | None:
    """Return the parameter that a line sets; None for a comment or anything else."""
    found = re.match(r"\s*([A-Za-z]\w*)\s*(?:=|\s)", line)
    return found[1] if found else None


def _value(line: str) -> str:
    value = re.sub(r"^\s*\w+\s*=?\s*", "", line)
    quoted = re.match(r"'(.*?)'", value)
    return quoted[1] if quoted else value.partition("#")[0].strip()


def _as_lines(values: dict[str, str]) -> tuple[str, ...]:
    return tuple(f"{name} = '{value}'" for name, value in values.items())


def _plain(word: str) -> str:
    if COMMAND_WORD.fullmatch(word) is None:
        raise Refused(
            f"{shlex.quote(word)} cannot be used in pgpool.conf",
            detail="It has characters that are special to Pgpool-II or to the shell that it runs.",
            hint="Use a path with letters, digits and ./_- only.",
        )
    return word
