"""Client load while something happens to the cluster, and an exact account of it afterwards."""

import itertools
import json
import sys
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Self

from .machine import Machine
from .postgresql import Server
from .until import until

if TYPE_CHECKING:
    from .keeper import Child

_PROGRAM = Path(__file__).with_name("load_program.py")
_RECORD_BYTES = 31  # a number of 12 digits, a blank, a time of 17 digits, the line's end


@dataclass(frozen=True)
class Failure:
    """One transaction that was not acknowledged.

    After a failure in the phase "commit", the row may or may not be there; after "connect" and
    "execute", it is not.
    """

    time: float
    number: int
    phase: str
    sqlstate: str | None
    message: str


@dataclass(frozen=True)
class LoadSummary:
    """What the clients saw: acknowledged transactions, failures, the longest time without one."""

    committed: int
    failures: tuple[Failure, ...]
    longest_pause_s: float


class ClientLoad:
    """A client, in a process of its own on a machine, that writes through a connection string.

    The interpreter must be able to import psycopg; the user postgres may lack access to root's.
    """

    def __init__(
        self,
        machine: Machine,
        conninfo: str,
        *,
        name: str = "load",
        pause_s: float = 0.005,
        python: str = sys.executable,
    ) -> None:
        self.machine = machine
        self.table = name
        self._conninfo = conninfo
        self._pause_s = pause_s
        self._python = python
        self._directory = machine.home / name
        self._child: Child | None = None

    def create_table(self, server: Server) -> None:
        """Create the tables that the load writes to, on this server."""
        server.execute(
            f"CREATE TABLE {self.table} (number bigint PRIMARY KEY, at timestamptz DEFAULT now());"
            f"CREATE TABLE {self.table}_counter (value bigint NOT NULL);"
            f"INSERT INTO {self.table}_counter VALUES (0);"
        )

    def start(self) -> None:
        """Start writing, and wait for the first acknowledged transaction."""
        self.machine.make_directory(self._directory)
        options = ["--conninfo", self._conninfo, "--table", self.table]
        output = ["--directory", str(self._directory), "--pause-s", str(self._pause_s)]
        self._child = self.machine.spawn(
            [self._python, str(_PROGRAM), *options, *output],
            user="root",
            log=self._directory / "log",
            env={"PGPASSFILE": str(self.machine.home / ".pgpass")},
        )
        until(lambda: self.committed > 0, within_s=30, what=f"the first commit of {self.table}")

    def stop(self) -> LoadSummary:
        """End the client after its current transaction, and return what it saw."""
        if self._child is not None:
            self._child.terminate()
            if self._child.wait(timeout_s=15) is None:
                self._child.kill()
                self._child.wait(timeout_s=5)
        return LoadSummary(
            committed=self.committed,
            failures=tuple(self.failures),
            longest_pause_s=self._longest_pause_s(),
        )

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.stop()

    @property
    def committed(self) -> int:
        """The number of acknowledged transactions so far."""
        file = self._file("committed")
        return file.stat().st_size // _RECORD_BYTES if file.exists() else 0

    @property
    def failures(self) -> list[Failure]:
        """The failures so far, oldest first."""
        file = self._file("failures")
        lines = file.read_text().splitlines() if file.exists() else []
        return [Failure(**json.loads(line)) for line in lines]

    def wait_for_commits(self, more: int, *, within_s: float = 30) -> None:
        """Wait until that many more transactions were acknowledged."""
        goal = self.committed + more
        until(lambda: self.committed >= goal, within_s=within_s, what=f"{goal} commits")

    def lost_numbers(self, server: Server) -> list[int]:
        """Return the numbers whose commit was acknowledged but which the server lacks."""
        there = {int(number) for (number,) in server.sql(f"SELECT number FROM {self.table}")}
        return sorted({number for number, _ in self._records()} - there)

    def _longest_pause_s(self) -> float:
        times = [time for _, time in self._records()]
        return max((later - time for time, later in itertools.pairwise(times)), default=0.0)

    def _records(self) -> list[tuple[int, float]]:
        """Return number and time of each acknowledged transaction."""
        pairs = (line.split() for line in self._file("committed").read_text().splitlines())
        return [(int(number), float(time)) for number, time in pairs]

    def _file(self, name: str) -> Path:
        return self.machine.path(self._directory / name)
