"""Whether another tool looks after a data directory: then it is theirs, and we stand aside."""

import os
import re
from collections.abc import Iterator
from pathlib import Path

PROCESSES = Path("/proc")
MARKS = {
    "patroni.dynamic.json": "Patroni",
    "postgresql-auto-failover.conf": "pg_auto_failover",
}
"""Files that a manager keeps in the data directory."""
REPMGRD = "repmgrd"
REPMGR_CONFIGURATIONS = ("/etc/repmgr.conf", "/etc/repmgr/{major}/repmgr.conf")


def find_manager(data_directory: Path, major: int | None) -> str | None:
    """Return the name of the tool that manages a data directory, or None.

    repmgr leaves nothing in the directory; its daemon runs with a configuration file that names it.
    """
    for mark, name in MARKS.items():
        if (data_directory / mark).exists():
            return name
    for file in _repmgr_configurations(major):
        if data_directory in _data_directories(file):
            return "repmgr"
    return None


def _repmgr_configurations(major: int | None) -> Iterator[Path]:
    """Return the configuration file of each repmgrd that runs on this host."""
    for directory in PROCESSES.iterdir():
        words = _words(directory)
        if REPMGRD not in map(os.path.basename, words[:2]):  # A script has its interpreter first.
            continue
        named = [
            word.removeprefix("--config-file=").removeprefix("-f") or following
            for word, following in zip(words, [*words[1:], ""], strict=True)
            if word.startswith(("--config-file=", "-f"))
        ]
        usual = [pattern.format(major=major) for pattern in REPMGR_CONFIGURATIONS]
        yield from map(Path, named or usual)


def _words(directory: Path) -> list[str]:
    try:
        return (directory / "cmdline").read_bytes().decode(errors="replace").split("\0")
    except OSError:
        return []  # No process, or one that has ended.


def _data_directories(file: Path) -> list[Path]:
    try:
        text = file.read_text()
    except OSError:
        return []
    found = re.findall(r"^\s*data_directory\s*=\s*'?([^'\n]+?)'?\s*$", text, re.MULTILINE)
    return [Path(path).resolve() for path in found]
