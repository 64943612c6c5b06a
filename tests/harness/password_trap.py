"""A foreign server on a machine that asks every client for its password."""

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePath

from .machine import Machine
from .until import until

_PROGRAM = Path(__file__).with_name("password_trap_program.py")
_BOOK = PurePath("/tmp/password_trap")  # In memory, and gone with the machine.
_SYSTEM_PYTHON = "/usr/bin/python3"


@dataclass(frozen=True)
class PasswordTrap:
    """What clients sent to a server that asks for passwords in clear text."""

    machine: Machine
    port: int

    @property
    def lines(self) -> list[str]:
        """Everything that it has recorded."""
        book = self.machine.path(_BOOK)
        return book.read_text().splitlines() if book.exists() else []

    @property
    def passwords(self) -> list[str]:
        """The users that sent their passwords, each with its password."""
        return [line.replace(" PASSWORD ", ":") for line in self.lines if " PASSWORD " in line]

    @property
    def visitors(self) -> list[str]:
        """The users that connected, whether or not they sent a password."""
        return [line.removesuffix(" came") for line in self.lines if line.endswith(" came")]

    def empty(self) -> None:
        """Forget everything recorded so far."""
        self.machine.path(_BOOK).write_text("")


@contextlib.contextmanager
def password_trap(machine: Machine, port: int = 5432) -> Iterator[PasswordTrap]:
    """Run one for as long as the context lasts."""
    program = PurePath("/tmp/password_trap.py")
    machine.write_file(program, _PROGRAM.read_text(), owner="root", mode=0o644)
    argv = [_SYSTEM_PYTHON, str(program), "--port", str(port), "--book", str(_BOOK)]
    trap = PasswordTrap(machine, port)
    trap.empty()
    child = machine.spawn(argv, log="/tmp/password_trap.log", user="root")
    try:
        until(lambda: "ready" in trap.lines, within_s=20, what="the trap to listen")
        yield trap
    finally:
        child.kill()
        child.wait(timeout_s=10)
