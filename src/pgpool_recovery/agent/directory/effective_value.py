"""The values that a server would have for its settings, according to its own program.

`postgres -C` prints one value per call and reads the whole configuration each time. So all calls
run at the same time, and none is made for a setting that is in no file and that has the same
default in every release.
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
"""Built into the server (guc_tables.c). Tests compare them with what the programs of 14 to 19
print. The default of port is missing here, because it can be chosen when PostgreSQL is built."""
DEFAULTS_OF = range(14, 19)
"""The default of max_locks_per_transaction is different from PostgreSQL 19 on."""


def defaults(names: Iterable[str], standing: Iterable[str], major: int | None) -> dict[str, str]:
    """Return the values of settings that are in no file and on no command line.

    `standing` are the names that are. Returns nothing for a release whose defaults are not listed.
    """
    unset = set(names) - set(standing) if major in DEFAULTS_OF else set()
    return {name: value for name, value in DEFAULTS.items() if name in unset}


def effective_values(argv: Sequence[str], names: Iterable[str], stop: Stop) -> dict[str, str]:
    """Return the values that a server started with this command line would have.

    Raises Refused with the server's own message when it cannot read its configuration.
    """
    asked = tuple(names)
    said = run_together([[*argv, "-C", name] for name in asked], stop)
    return {name: _value(completed) for name, completed in zip(asked, said, strict=True)}


def _value(completed: Completed) -> str:
    if completed.status != 0:
        from pgpool_recovery.host.server_log import without_contents  # Used for a failure only.

        raise Refused(
            "the server cannot read its configuration",
            detail=without_contents(completed.last_lines),
        )
    return completed.output.split("\n")[-1]  # The server may have printed messages before it.
