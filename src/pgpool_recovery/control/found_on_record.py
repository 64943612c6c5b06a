"""What `check` finds on record: recoveries that were interrupted, and nodes that have moved."""

from pgpool_recovery.check.finding import Severity
from pgpool_recovery.control.check import Reported
from pgpool_recovery.control.cluster import Cluster
from pgpool_recovery.control.extension import Primary
from pgpool_recovery.control.interrupted import find_interrupted
from pgpool_recovery.control.whereabouts import find_moved
from pgpool_recovery.domain.error import RecoveryError


def find_on_record(primary: Primary, cluster: Cluster) -> list[Reported]:
    """Return what the record says of the nodes; one finding where it cannot be read.

    Whoever may call the check may not be one who may read the record.
    """
    found: list[Reported] = []
    try:
        found += find_interrupted(primary, cluster)
        found += find_moved(primary, cluster)
    except RecoveryError as error:  # The other findings are worth having without these.
        why = f"the record was not read: {error.message}"
        found.append(Reported(Severity.WARNING, None, why, error.hint))
    return found
