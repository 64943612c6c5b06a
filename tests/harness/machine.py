"""What a machine is to the rest of the harness, be it a host of namespaces or this machine."""

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path, PurePath
from types import TracebackType
from typing import Protocol, Self

from .account import Account, read_accounts
from .command import Completed, run_under
from .keeper import Child, Command, Keeper
from .process_table import ProcessInfo
from .system import System

SEARCH_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


class Machine(Protocol):
    """A place where processes run and files lie.

    Methods take paths as that machine sees them. A command is run as another user only when the
    tests run as root; otherwise everything runs as the user who runs the tests.
    """

    name: str
    system: System
    address: str  # at which the other machines reach it
    network: str  # CIDR of all machines that may reach it
    keeper: Keeper
    home: Path  # of the user postgres
    log_directory: Path
    socket_directory: Path  # of PostgreSQL

    def path(self, inside: str | PurePath) -> Path:
        """Return the path by which this process sees the machine's file `inside`.

        An absolute symbolic link on the way leads to a file of the test's own machine instead.
        """
        ...

    def free_port(self, usual: int) -> int:
        """Return an unused TCP port; `usual` where the machine is all ours."""
        ...

    def processes(self) -> list[ProcessInfo]:
        """Return everything that was started on the machine and still runs."""
        ...

    def close(self) -> None:
        """End all processes of the machine."""
        ...

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def run(
        self,
        argv: Sequence[str | PurePath],
        *,
        user: str = "postgres",
        stdin: str = "",
        env: Mapping[str, str] | None = None,
        cwd: str | PurePath = "/",
        timeout_s: float = 60,
        check: bool = True,
    ) -> Completed:
        """Run a command to its end; see `run_under`."""
        command = self._command(argv, user, env, cwd)
        return run_under(self.keeper, command, stdin=stdin, timeout_s=timeout_s, check=check)

    def spawn(
        self,
        argv: Sequence[str | PurePath],
        *,
        log: str | PurePath,
        user: str = "postgres",
        env: Mapping[str, str] | None = None,
        cwd: str | PurePath = "/",
    ) -> Child:
        """Start a command that goes on running; what it writes is appended to the file `log`."""
        command = self._command(argv, user, env, cwd)
        with self._appending(log, user) as output, _nothing() as stdin:
            return self.keeper.start_child(command, descriptors=(stdin, output, output))

    def write_file(
        self, path: str | PurePath, text: str, *, owner: str = "postgres", mode: int = 0o600
    ) -> None:
        """Write a file atomically: it is never seen with other permissions or half its text."""
        target = self.path(path)
        self.make_directory(PurePath(path).parent, owner=owner)
        new = target.with_name(target.name + ".new")
        new.touch(mode=0o600)
        new.write_bytes(text.encode(errors="surrogateescape"))
        new.chmod(mode)
        self._give_to(owner, new)
        new.rename(target)

    def make_directory(
        self, path: str | PurePath, *, owner: str = "postgres", mode: int = 0o755
    ) -> None:
        """Make a directory and its missing parents, owned by `owner`."""
        target = self.path(path)
        missing = [one for one in (*reversed(target.parents), target) if not one.exists()]
        for one in missing:
            one.mkdir()
            one.chmod(mode)
            self._give_to(owner, one)

    def home_of(self, user: str) -> str:
        return str(self.home) if user == "postgres" else self.account(user).home

    def account(self, user: str) -> Account:
        """Return the user of that name; the name may have another number on another machine."""
        for account in read_accounts(self.path("/etc/passwd")):
            if account.name == user:
                return account
        raise LookupError(f"{self.name} has no user {user}")

    def _command(
        self,
        argv: Sequence[str | PurePath],
        user: str,
        env: Mapping[str, str] | None,
        cwd: str | PurePath,
    ) -> Command:
        environment = {
            "PATH": SEARCH_PATH,
            "HOME": self.home_of(user),
            "USER": user,
            "LOGNAME": user,
            "SHELL": "/bin/bash",
            "LANG": "C.UTF-8",
        }
        words = [str(word) for word in argv]
        return Command(words, user, environment | dict(env or {}), str(cwd))

    def _give_to(self, owner: str, file: Path) -> None:
        if os.geteuid() == 0:
            account = self.account(owner)
            os.chown(file, account.uid, account.gid)

    @contextmanager
    def _appending(self, log: str | PurePath, user: str) -> Iterator[int]:
        file = self.path(log)
        descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
        try:
            self._give_to(user, file)
            yield descriptor
        finally:
            os.close(descriptor)


@contextmanager
def _nothing() -> Iterator[int]:
    descriptor = os.open("/dev/null", os.O_RDONLY)
    try:
        yield descriptor
    finally:
        os.close(descriptor)
