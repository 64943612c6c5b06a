"""A recovery to be done: of which node, by whom it is run, and who is told."""

from functools import partial
from typing import Protocol

from pgpool_recovery.config.settings import Settings
from pgpool_recovery.control.attachment import attach_recovered
from pgpool_recovery.control.cluster import Cluster, Node
from pgpool_recovery.control.consent import AskPerson
from pgpool_recovery.control.event import Tell
from pgpool_recovery.control.extension import Primary
from pgpool_recovery.control.pcp_recovery import PcpRecovery
from pgpool_recovery.control.preflight import FIRST_STAGE
from pgpool_recovery.control.sql_recovery import FIRST_STAGE_SCRIPT, SqlRecovery
from pgpool_recovery.domain.record import record
from pgpool_recovery.pcp.pool import Pool
from pgpool_recovery.plan.harm import Harm


class RunningRecovery(Protocol):
    """A recovery that runs elsewhere."""

    def start(self) -> None:
        """Request it."""

    def has_ended(self, *, within_s: float) -> bool:
        """Return whether it has ended; wait at most `within_s` for that."""

    def lines(self) -> list[str]:
        """Return what was reported since the last call."""

    def result(self) -> None:
        """Raise why it failed, if it did."""


@record
class Desk:
    """The person at the terminal, who is told everything and is asked.

    `at_most` is the limit that was given with the command. `is_there`: the person can be asked
    again. `waits`: wait for a recovery of the node that is already running.
    """

    tell: Tell
    ask: AskPerson
    at_most: Harm | None = None
    is_there: bool = False
    waits: bool = False


@record
class Job:
    """One node to be recovered, and how; `pool` None means without Pgpool-II.

    `by_sql`: the primary is asked although there is a Pgpool-II, which then attaches the node.
    `limit`: what the recovery is limited to if no person is asked.
    """

    node: Node
    cluster: Cluster
    primary: Primary
    pool: Pool | None
    settings: Settings
    by_sql: bool = False
    limit: Harm | None = None

    @property
    def is_run_by_pool(self) -> bool:
        """Whether Pgpool-II runs the recovery."""
        return self.pool is not None and not self.by_sql

    @property
    def is_own_stage(self) -> bool:
        """Whether pgpool.conf names another first stage than the script that plans are made for."""
        return self.cluster.parameters.get(FIRST_STAGE, FIRST_STAGE_SCRIPT) != FIRST_STAGE_SCRIPT

    def running(self, agreed: Harm | None = None) -> RunningRecovery:
        """Return the recovery, not yet started; `agreed` is passed on if we call it ourselves."""
        node = self.node
        if self.pool is not None and not self.by_sql:
            return PcpRecovery(self.pool, node.node_id)
        script = self.cluster.parameters.get(FIRST_STAGE) or FIRST_STAGE_SCRIPT
        finish = None
        if self.pool is not None:
            whom = (self.pool, self.cluster, self.primary.node, node, self.settings)
            finish = partial(attach_recovered, *whom)
        return SqlRecovery(self.primary, node, script, finish, agreed or self.limit)
