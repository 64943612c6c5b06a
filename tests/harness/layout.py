"""Where a server's files lie and how it is started: as on EL, or as on Debian."""

from dataclasses import dataclass
from pathlib import Path, PurePath
from typing import Protocol

from .installation import Installation
from .machine import Machine

_CLUSTER = "main"  # Debian's name of the only cluster on a host


class Layout(Protocol):
    """The files of one server and the commands that start and stop it, as user postgres."""

    @property
    def data_directory(self) -> Path: ...

    @property
    def configuration_directory(self) -> Path: ...

    @property
    def log_file(self) -> Path: ...

    def adopt(self, machine: Machine) -> None:
        """Add the configuration that a data directory lacks after it was put in place."""
        ...

    def start_argv(self) -> list[str | PurePath]: ...

    def stop_argv(self, mode: str) -> list[str | PurePath]: ...


@dataclass(frozen=True)
class PlainLayout:
    """Configuration inside the data directory, pg_ctl: as on EL and in a user's own build."""

    installation: Installation
    data_directory: Path
    log_file: Path

    @property
    def configuration_directory(self) -> Path:
        return self.data_directory

    def adopt(self, machine: Machine) -> None:
        machine.make_directory(self.data_directory / "conf.d", mode=0o700)
        configuration = machine.path(self.data_directory / "postgresql.conf")
        include = "include_dir 'conf.d'\n"
        if include not in configuration.read_text():
            with configuration.open("a") as file:
                file.write(include)

    def start_argv(self) -> list[str | PurePath]:
        return [*self._pg_ctl(), "-l", self.log_file, "-w", "-t", "60", "start"]

    def stop_argv(self, mode: str) -> list[str | PurePath]:
        return [*self._pg_ctl(), "-m", mode, "-w", "-t", "60", "stop"]

    def _pg_ctl(self) -> list[str | PurePath]:
        return [self.installation.program("pg_ctl"), "-D", self.data_directory]


@dataclass(frozen=True)
class DebianLayout:
    """Configuration below /etc/postgresql, pg_createcluster and pg_ctlcluster. Hosts only."""

    major: int

    @property
    def data_directory(self) -> Path:
        return Path(f"/var/lib/postgresql/{self.major}/{_CLUSTER}")

    @property
    def configuration_directory(self) -> Path:
        return Path(f"/etc/postgresql/{self.major}/{_CLUSTER}")

    @property
    def log_file(self) -> Path:
        return Path(f"/var/log/postgresql/postgresql-{self.major}-{_CLUSTER}.log")

    def adopt(self, machine: Machine) -> None:
        # pg_createcluster adopts an existing data directory once.
        if not machine.path(self.configuration_directory).exists():
            machine.run(["pg_createcluster", str(self.major), _CLUSTER], user="root")

    def start_argv(self) -> list[str | PurePath]:
        return [*self._pg_ctlcluster(), "start"]

    def stop_argv(self, mode: str) -> list[str | PurePath]:
        return [*self._pg_ctlcluster(), "stop", "-m", mode]

    def _pg_ctlcluster(self) -> list[str | PurePath]:
        return ["pg_ctlcluster", str(self.major), _CLUSTER]
