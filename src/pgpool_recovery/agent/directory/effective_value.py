"""The values that a server would have for its settings: its own program says them.

`postgres -C` tells one value for each call, which reads all of the configuration anew. So all are
asked at the same time, but none that stands nowhere and is the same in every release.
"""

from collections.abc import Iterable, Mapping, Sequence
from types import MappingProxyType

from pgpool_recovery.domain.error import Refused
from pgpool_recovery.host.program import Completed, run_together
from pgpool_recovery.host.stop import Stop

DEFAULTS: Mapping[str, str] = MappingProxyType(
    {
        "hot_standby": "on",
        "log_directory": "log",
        "max_connections": "100",
        "max_locks_per_transaction": "64",
        "max_prepared_transactions": "0",
        "max_wal_senders": "10",
        "max_worker_processes": "8",
        "primary_conninfo": "",
        "primary_slot_name": "",
        "restore_command": "",
    }
)
"""Built into the server (guc_tables.c), and compared in tests with what the programs of 14 to 19
have said. Not port, which whoever builds PostgreSQL may choose."""
DEFAULTS_OF = range(14, 19)
"""From PostgreSQL 19 on max_locks_per_transaction is another one by default."""


def defaults(names: Iterable[str], standing: Iterable[str], major: int | None) -> dict[str, str]:
    """Return the values of settings that stand in no file and on no command line.

    `standing` are the names that do. Nothing where the defaults of a release are not known here.
    """
    unset = set(names) - set(standing) if major in DEFAULTS_OF else set()
    return {name: value for name, value in DEFAULTS.items() if name in unset}


def effective_values(argv: Sequence[str], names: Iterable[str], stop: Stop) -> dict[str, str]:
    """Return the values that a server which is started with these words would have.

    Raises Refused with the server's own words when it cannot read its configuration.
    """
    asked = tuple(names)
    said = run_together([[*argv, "-C", name] for name in asked], stop)
    return {name: _value(completed) for name, completed in zip(asked, said, strict=True)}


def _value(completed: Completed) -> str:
    if completed.status != 0:
        from pgpool_recovery.host.server_log import without_contents  # Of a failure only.

        raise Refused(
            "the server cannot read its configuration",
            detail=without_contents(completed.last_lines),
        )
    return completed.output.split("\n")[-1]  # The server may have said something before.
