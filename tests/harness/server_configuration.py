"""The files with which the harness configures a PostgreSQL server, as text."""

from collections.abc import Mapping, Sequence

from .machine import Machine
from .psql import quoted
from .template import PASSWORDS, REPLICATION_USER


def settings_text(machine: Machine, port: int, settings: Mapping[str, str]) -> str:
    """Return a part of postgresql.conf: the harness's settings, overridden by `settings`."""
    parameters = _small_and_quick(machine, port) | dict(settings)
    return "".join(f"{name} = {quoted(value)}\n" for name, value in parameters.items())


def hba_text(machine: Machine, authentication: str, first_lines: Sequence[str]) -> str:
    """Return pg_hba.conf: all users in the network, by one method, after the lines of `first`."""
    over_tcp = f"{machine.network} {authentication}"
    lines = [
        "local all all trust",
        "local replication all trust",
        f"host all all 127.0.0.1/32 {authentication}",
        f"host all all {over_tcp}",
        f"host replication all {over_tcp}",
    ]
    return "".join(f"{line}\n" for line in [*first_lines, *lines])


def write_password_file(machine: Machine) -> None:
    """Let user postgres on this machine log in to every server with a password."""
    databases = {REPLICATION_USER: "replication"}  # As in the manuals.
    lines = (
        f"*:*:{databases.get(user, '*')}:{user}:{password}\n"
        for user, password in PASSWORDS.items()
    )
    machine.write_file(machine.home / ".pgpass", "".join(lines))


def _small_and_quick(machine: Machine, port: int) -> dict[str, str]:
    """Settings that would not survive a real power failure; tests override what they need."""
    only_here = machine.address == "127.0.0.1"
    return {
        "port": str(port),
        # Not its own address, because the file travels to other nodes with a base backup.
        "listen_addresses": "127.0.0.1" if only_here else "*",
        "unix_socket_directories": str(machine.socket_directory),
        "shared_buffers": "32MB",
        "max_connections": "60",
        "max_wal_senders": "10",
        "max_replication_slots": "10",
        "max_wal_size": "256MB",
        "fsync": "off",
        # Files in the data directory, not in /dev/shm, where a killed server would leave them.
        "dynamic_shared_memory_type": "mmap",
        "log_line_prefix": "%m [%p] %q%u@%d/%a ",
    }
