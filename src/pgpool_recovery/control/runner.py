"""Choose who runs a recovery: Pgpool-II, or the primary, which is asked by SQL."""

from pgpool_recovery.control.cluster import Cluster
from pgpool_recovery.control.extension import Feature, Primary
from pgpool_recovery.control.release import holds_failovers_up
from pgpool_recovery.domain.error import RecoveryError
from pgpool_recovery.domain.record import record

BY_SQL = (
    "the primary is asked by SQL, and Pgpool-II attaches the node at the end: up to 4.4, Pgpool-II "
    "does not handle the failure of another node while it runs a recovery itself"
)
HELD_UP = (
    "Pgpool-II runs this recovery, and up to 4.4 it does not handle the failure of another node "
    "until the recovery has ended: "
)


@record
class Runner:
    """Whether the primary is asked by SQL, and a remark about that for the person."""

    by_sql: bool
    remark: str | None = None


def choose_runner(cluster: Cluster, primary: Primary) -> Runner:
    """Return who runs a recovery in a cluster that has a Pgpool-II.

    The primary is asked by SQL only if Pgpool-II would hold up failovers.
    """
    if not holds_failovers_up(cluster.parameters):
        return Runner(by_sql=False)
    if not cluster.has_standbys:
        why_not: str | None = "it has to hold back the clients during the second stage"
    else:
        why_not = why_not_by_sql(primary)
    by_sql = why_not is None
    return Runner(by_sql=by_sql, remark=BY_SQL if why_not is None else HELD_UP + why_not)


def why_not_by_sql(primary: Primary) -> str | None:
    """Return why the primary cannot be asked by SQL; None if it can."""
    if not primary.has(Feature.RECOVERY):
        return primary.lacks(Feature.RECOVERY).message
    try:
        with primary.connect(Feature.RECOVERY) as connection:
            found = connection.row("may_recover")
    except RecoveryError as error:
        return error.message
    if found["may_recover"]:
        return None
    return f"{found['role']} may not call the functions on the primary ({primary.node.name})"
