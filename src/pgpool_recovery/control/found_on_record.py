"""The findings of `check` from the record: interrupted recoveries, and nodes that have moved."""

from pgpool_recovery.check.finding import Severity
from pgpool_recovery.control.check import Reported
from pgpool_recovery.control.cluster import Cluster
from pgpool_recovery.control.extension import Primary
from pgpool_recovery.control.interrupted import find_interrupted
from pgpool_recovery.control.whereabouts import find_moved
from pgpool_recovery.domain.error import RecoveryError


def find_on_record(primary: Primary, cluster: Cluster) -> list[Reported]:
    """Return the findings from the record, or a single one if the record cannot be read.

    A role that may call the check is not necessarily allowed to read the record.
    """
    found: list[Reported] = []
    try:
        found += find_interrupted(primary, cluster)
        found += find_moved(primary, cluster)
    except RecoveryError as error:  # The other findings of `check` are useful without these.
        why = f"could not read the record of recoveries: {error.message}"
        found.append(Reported(Severity.WARNING, None, why, error.hint))
    return found
