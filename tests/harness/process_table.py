"""Read the processes of a machine from its /proc."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from .account import read_accounts


@dataclass(frozen=True)
class ProcessInfo:
    """One process, as it was a moment ago.

    `environ` is its initial environment, or what is left of it: PostgreSQL and sshd overwrite the
    beginning with their title. It is empty where we may not read it.
    """

    pid: int
    parent_pid: int
    user: str
    argv: tuple[str, ...]
    environ: dict[str, str]


def read_processes(proc: Path, passwd: Path = Path("/etc/passwd")) -> list[ProcessInfo]:
    """Return the processes that the mounted proc filesystem `proc` shows; `passwd` names users.

    Processes that end meanwhile are left out, and so are zombies.
    """
    pids = (int(entry.name) for entry in proc.iterdir() if entry.name.isdigit())
    users = {account.uid: account.name for account in read_accounts(passwd)}
    found = (_read_process(proc / str(pid), pid, users) for pid in sorted(pids))
    return [process for process in found if process is not None]


def descendants(processes: list[ProcessInfo], ancestor_pid: int) -> list[ProcessInfo]:
    """Return the processes that the ancestor started, directly or not, without itself."""
    found = [process for process in processes if process.parent_pid == ancestor_pid]
    for process in found:  # the list grows while we walk it
        found.extend(child for child in processes if child.parent_pid == process.pid)
    return found


def _read_process(directory: Path, pid: int, users: Mapping[int, str]) -> ProcessInfo | None:
    try:
        # proc(5): the fields after the command, which may hold blanks and brackets itself.
        fields = (directory / "stat").read_text().rpartition(")")[2].split()
        if fields[0] == "Z":
            return None
        uid = directory.stat().st_uid
        return ProcessInfo(
            pid=pid,
            parent_pid=int(fields[1]),
            user=users.get(uid, str(uid)),
            argv=tuple(_words(directory / "cmdline")),
            environ=_environ(directory / "environ"),
        )
    except (FileNotFoundError, ProcessLookupError):
        return None


def _environ(file: Path) -> dict[str, str]:
    try:
        pairs = (word.partition("=") for word in _words(file))
        return {name: value for name, equals, value in pairs if equals}
    except PermissionError:
        return {}


def _words(file: Path) -> list[str]:
    text = file.read_bytes().decode(errors="replace")
    return [word for word in text.split("\0") if word]
