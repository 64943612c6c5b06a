"""Judge a report: all findings of all checks."""

from itertools import chain

from pgpool_recovery.check.access import files
from pgpool_recovery.check.archive import archives
from pgpool_recovery.check.connectivity import ways
from pgpool_recovery.check.failover_slots import failover_slots
from pgpool_recovery.check.finding import Finding, in_order
from pgpool_recovery.check.forecast import forecast
from pgpool_recovery.check.host import hosts
from pgpool_recovery.check.leftovers import leftovers
from pgpool_recovery.check.mixture import mixtures
from pgpool_recovery.check.own_method import own_methods
from pgpool_recovery.check.pool import pool
from pgpool_recovery.check.release import releases
from pgpool_recovery.check.report import Report
from pgpool_recovery.check.server import servers
from pgpool_recovery.check.slots import slots
from pgpool_recovery.check.source import source

LOOKS = (
    ways,
    hosts,
    mixtures,
    servers,
    releases,
    leftovers,
    files,
    slots,
    failover_slots,
    archives,
    source,
    own_methods,
    pool,
    forecast,
)


def judge(report: Report) -> tuple[Finding, ...]:
    """Return all findings, the worst first."""
    return in_order(chain.from_iterable(look(report) for look in LOOKS))
