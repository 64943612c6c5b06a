"""The users of a machine: two systems give the same name another number."""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Account:
    """A line of passwd(5)."""

    name: str
    uid: int
    gid: int
    home: str


def read_accounts(passwd: Path) -> list[Account]:
    """Return the users that a passwd file names."""
    lines = (line.split(":") for line in passwd.read_text().splitlines())
    return [Account(name, int(uid), int(gid), home) for name, _, uid, gid, _, home, _ in lines]
