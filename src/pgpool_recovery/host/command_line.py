"""Find the settings that a server gets from the command that starts it, which override any file."""

import re
import shlex
import shutil
from collections.abc import Iterator, Sequence
from itertools import pairwise
from pathlib import Path
from string import Template

from pgpool_recovery.domain.data_directory import LAST_START
from pgpool_recovery.domain.record import record
from pgpool_recovery.files.text import read_text
from pgpool_recovery.host.debian import CONFIGURATION, DebianCluster, find_cluster
from pgpool_recovery.host.program import run
from pgpool_recovery.host.start_method import find_unit, may_start
from pgpool_recovery.host.stop import Stop

SETTING = re.compile(r"([A-Za-z_][\w.-]*)\s*=(.*)", re.DOTALL)
SERVERS = ("postgres", "postmaster")
OPENERS = ("pg_ctl", "pg_ctlcluster", *SERVERS)
SHORT = {"-p": "port", "-N": "max_connections", "-h": "listen_addresses"}
MAX_DEPTH = 3


@record
class Given:
    """A setting on a command line; `source` is where that command line comes from."""

    name: str
    value: str
    source: str


def find_given(data: Path, start_command: tuple[str, ...], stop: Stop) -> tuple[Given, ...]:
    """Return the settings on the command line that will start a server, in their order.

    If the start command contains no program of PostgreSQL, they cannot be known beforehand; then
    those of the server's last start are returned.
    """
    return tuple(_find(data, start_command, stop))


def _find(data: Path, start_command: tuple[str, ...], stop: Stop) -> Iterator[Given]:
    cluster = find_cluster(data, stop)
    if start_command:
        yield from _of_command(data, start_command, cluster, stop)
        return
    unit = find_unit(data, cluster, stop)
    if unit is not None and may_start(unit, stop):
        yield from _of_unit(unit, cluster, stop)
    elif cluster is not None:
        yield from _of_cluster(cluster)


def _of_command(
    data: Path, command: tuple[str, ...], cluster: DebianCluster | None, stop: Stop
) -> Iterator[Given]:
    names = [Path(word).name for word in command]
    if "systemctl" in names:
        units = [w for w in command[names.index("systemctl") + 1 :] if not w.startswith("-")]
        for unit in units[1:]:  # The first word is the action.
            yield from _of_unit(unit, cluster, stop)
        return
    if not _opens(command):
        yield from settings_of(_words_of_last_start(data), str(data / LAST_START))
        return
    if "pg_ctlcluster" in names and cluster is not None:
        yield from _of_cluster(cluster)
    yield from settings_of(command, "start_command in the settings")


def _opens(words: Sequence[str]) -> bool:
    """Return whether a command, or a shell command within it, contains a PostgreSQL program."""
    inner = [part for word in words for part in (split(word) if " " in word else [word])]
    return any(Path(word).name in OPENERS for word in inner)


def given_at_last_start(data: Path) -> tuple[Given, ...]:
    """Return the settings that the server had on its command line when it was last started."""
    file = data / LAST_START
    return tuple(settings_of(_words_of_last_start(data), str(file)))


def directory_of_last_start(data: Path) -> Path | None:
    """Return the directory that the last start named, which in a copy is that of the original.

    None if it named none, or only relative to where it was started.
    """
    words = _words_of_last_start(data)
    for word, following in pairwise([*words, ""]):
        if word.startswith("-D"):
            named = word.removeprefix("-D") or following
            return Path(named) if named.startswith("/") and "\0" not in named else None
    return None


def _words_of_last_start(data: Path) -> list[str]:
    try:
        return split(read_text(data / LAST_START))
    except OSError:
        return []


def _of_cluster(cluster: DebianCluster) -> Iterator[Given]:
    """Yield the settings that pg_ctlcluster passes on (read_cluster_conf_file in PgCommon.pm)."""
    file = CONFIGURATION / cluster.version / cluster.name / "pg_ctl.conf"
    try:
        text = read_text(file)
    except OSError:
        return
    for match in re.finditer(r"^\s*pg_ctl_options\s*=\s*'(.*)'", text, re.MULTILINE):
        yield from settings_of(split(match[1].replace("''", "'")), str(file))


def _of_unit(unit: str, cluster: DebianCluster | None, stop: Stop) -> Iterator[Given]:
    """Yield the settings that a systemd unit gives the server; Debian's units run pg_ctlcluster."""
    if shutil.which("systemctl") is None:
        return  # The start will report it.
    argv = ["systemctl", "show", unit, "--property=ExecStart,Environment"]
    for words in commands_of_unit(run(argv, stop).output):
        if any(Path(word).name == "pg_ctlcluster" for word in words) and cluster is not None:
            yield from _of_cluster(cluster)
        yield from settings_of(words, f"ExecStart of {unit}")


def commands_of_unit(text: str) -> list[list[str]]:
    """Return the words of each ExecStart that systemctl show prints, with variables expanded.

    >>> show = "Environment=O=-cx=1\\nExecStart={ path=/p ; argv[]=/bin/postgres $O ; pid=0 }"
    >>> commands_of_unit(show)
    [['/bin/postgres', '-cx=1']]
    """
    environment = {
        name: value
        for line in re.findall(r"^Environment=(.*)$", text, re.MULTILINE)
        for name, _, value in (word.partition("=") for word in split(line))
    }
    found = re.findall(r"argv\[\]=(.*?) ; (?:ignore_errors|pid|start_time|flags)", text, re.DOTALL)
    return [split(Template(words).safe_substitute(environment)) for words in found]


def settings_of(words: Sequence[str], source: str, depth: int = 0) -> Iterator[Given]:
    """Yield the settings in the words of a command (app-postgres.html, pg_ctl's -o).

    >>> [(one.name, one.value) for one in settings_of(["pg_ctl", "-o", "-c a=b --c-d='e f'"], "")]
    [('a', 'b'), ('c_d', 'e f')]
    """
    is_server = depth > 0 or any(Path(word).name in SERVERS for word in words)
    for word, following in zip(words, [*words, ""][1:], strict=True):
        inner = _inner(word, following)
        if inner is not None and depth < MAX_DEPTH:
            yield from settings_of(split(inner), source, depth + 1)
            continue
        text = _setting(word, following, is_server=is_server)
        if match := SETTING.fullmatch(text):
            name = match[1].replace("-", "_").lower()
            yield Given(name, match[2].strip(), source)


def _setting(word: str, following: str, *, is_server: bool) -> str:
    """Return the text name=value that a word stands for, if need be with the following word."""
    if word == "-c":
        return following
    if is_server and word in SHORT:
        return f"{SHORT[word]}={following}"
    is_long = is_server and word.startswith("--")
    return word[2:] if is_long or word.startswith("-c") else ""


def _inner(word: str, next_word: str) -> str | None:
    """Return the text of further words in a word: options for pg_ctl, or a shell command."""
    if word in ("-o", "--options"):
        return next_word
    for option in ("--options=", "-o"):
        if word.startswith(option):
            return word.removeprefix(option)
    is_command = " " in word and any(Path(part).name in OPENERS for part in split(word))
    return word if is_command else None


def split(text: str) -> list[str]:
    """Split a text into words as a shell would, or at blanks if its quotes do not match.

    >>> split("a 'b c'"), split("it's")
    (['a', 'b c'], ["it's"])
    """
    try:
        return shlex.split(text)
    except ValueError:
        return text.split()
