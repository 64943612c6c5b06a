"""How a backup logs in to its server: settings of the two connections that it needs."""

from pgpool_recovery.facts.facts import Conninfo

KEEPALIVES = {"keepalives_idle": "30", "keepalives_interval": "10", "keepalives_count": "6"}
SERVER_OPTIONS = (
    "-c wal_sender_timeout=10min "
    "-c tcp_keepalives_idle=30 -c tcp_keepalives_interval=10 -c tcp_keepalives_count=6"
)
"""A target that is busy writing must not be taken for dead; a dead one must not keep the slot."""


def of_backup(conninfo: Conninfo, name: str) -> Conninfo:
    """Return the connection; the runner finds its WAL sender by its application name."""
    own = {"application_name": name, "options": SERVER_OPTIONS}
    return {**conninfo, **KEEPALIVES, **own, "dbname": "replication"}
