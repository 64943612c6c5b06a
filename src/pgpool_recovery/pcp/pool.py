"""Query and change Pgpool-II over PCP, with PCP failures translated into recovery errors."""

import time
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager

from pgpool_recovery.domain.error import (
    Busy,
    Incomplete,
    RecoveryError,
    Refused,
    Unreachable,
    Unverified,
    UsageError,
)
from pgpool_recovery.domain.node import NodeId
from pgpool_recovery.domain.record import record
from pgpool_recovery.domain.target_state import TargetState
from pgpool_recovery.log.note import span
from pgpool_recovery.pcp.client import commands
from pgpool_recovery.pcp.client.commands import PcpServer
from pgpool_recovery.pcp.client.link import no_notice
from pgpool_recovery.pcp.client.node_info import NodeInfo
from pgpool_recovery.pcp.client.pcp_error import WRONG_PARAMETER, Notice, PcpError
from pgpool_recovery.pcp.client.pool_process import PoolParameter
from pgpool_recovery.pcp.client.request import attach_node, detach_node
from pgpool_recovery.pcp.client.watchdog import WatchdogInfo

ATTACHED = frozenset({"up", "waiting"})
DETACHED = frozenset({"down", "quarantine"})
CHANGED_WITHIN_S = 60.0
"""A failover and its commands come first; search_primary_node_timeout defaults to 300 s."""
ASK_EVERY_S = 0.2

OTHER_RECOVERY = "pgpool-II is already processing another recovery request."
AT_THE_MOMENT = "failed to process PCP request at the moment"
AFTER_THE_START = (
    "executing recovery, execution of command failed",
    "executing remote start failed",
    "recovery is checking if postmaster is started",
    "node recovery failed, waiting connection closed",
)
"""How those refusals begin after which the target may have been changed (recovery.c)."""


@record
class Pool:
    """A Pgpool-II whose nodes are queried and changed.

    Every method raises Unreachable, Busy, Refused or UsageError, in Pgpool-II's own words when it
    has answered.
    """

    server: PcpServer
    clock: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep

    def nodes(self) -> list[NodeInfo]:
        """Return all nodes, in the order of their ids."""
        with asking("nodes"):
            return commands.node_infos(self.server)

    def node(self, node_id: NodeId) -> NodeInfo:
        """Return one node."""
        with asking("node"):
            return commands.node_info(self.server, node_id)

    def parameters(self) -> list[PoolParameter]:
        """Return the configuration with which Pgpool-II runs (pcp_pool_status)."""
        with asking("parameters"):
            return commands.pool_status(self.server)

    def watchdog(self) -> WatchdogInfo:
        """Return the watchdog cluster; Refused where there is none."""
        with asking("watchdog"):
            return commands.watchdog_info(self.server)

    def attach(self, node_id: NodeId, *, within_s: float = CHANGED_WITHIN_S) -> NodeInfo:
        """Attach a node and wait until it is up, or waiting for a first client.

        Pgpool-II also accepts the command for a node without a server, and detaches it again.
        """
        with asking("attach"):
            commands.order(self.server, attach_node(node_id))
        return self.wait_for(node_id, ATTACHED, within_s=within_s)

    def detach(
        self, node_id: NodeId, *, gracefully: bool = False, within_s: float = CHANGED_WITHIN_S
    ) -> NodeInfo:
        """Detach a node and wait until it is down; `gracefully` waits for all clients to leave."""
        with asking("detach"):
            commands.order(self.server, detach_node(node_id, gracefully=gracefully))
        return self.wait_for(node_id, DETACHED, within_s=within_s)

    def promote(self, node_id: NodeId, *, gracefully: bool = False, switchover: bool) -> None:
        """Request a promotion: with a switchover, or only in Pgpool-II's own records.

        It happens after this has returned.
        """
        with asking("promote"):
            commands.promote(self.server, node_id, gracefully=gracefully, switchover=switchover)

    def recover(
        self,
        node_id: NodeId,
        on_notice: Callable[[Notice], None] = no_notice,
        *,
        within_s: float | None = None,
    ) -> None:
        """Recover a node through Pgpool-II and wait for the end; see `commands.recover`.

        The failure does not contain the reason: Pgpool-II discards PostgreSQL's error
        (exec_recovery, recovery.c). It is on record where the recovery ran.
        """
        with asking("recover"):
            commands.recover(self.server, node_id, on_notice, within_s)

    def wait_for(self, node_id: NodeId, statuses: Collection[str], *, within_s: float) -> NodeInfo:
        """Wait until a node has one of the statuses; raises Unverified with its last one if not."""
        deadline = self.clock() + within_s
        with span("waits for node {} to be {}", node_id, sorted(statuses)):
            while True:
                found = self.node(node_id)
                if found.status in statuses:
                    return found
                if self.clock() >= deadline:
                    raise _did_not_change(found, statuses, within_s)
                self.sleep(ASK_EVERY_S)


def as_recovery_error(error: PcpError) -> RecoveryError:
    """Return a PCP failure as a recovery error with the same text."""
    return _kind(error)(
        error.message, detail=error.detail, hint=_hint(error), target=_target(error)
    )


@contextmanager
def asking(what: str) -> Iterator[None]:
    """Translate the PCP failures of the block, which sends a request to Pgpool-II."""
    with span("asks Pgpool-II: {}", what):
        try:
            yield
        except PcpError as error:
            raise as_recovery_error(error) from error


def _kind(error: PcpError) -> type[RecoveryError]:
    if error.answer is None:
        return UsageError if error.sqlstate == WRONG_PARAMETER else Unreachable
    if error.sqlstate.startswith("28"):
        return Unreachable
    if _is_for_later(error):
        return Busy
    return Incomplete if _is_after_the_start(error) else Refused


def _target(error: PcpError) -> TargetState:
    return TargetState.UNKNOWN if _is_after_the_start(error) else TargetState.UNTOUCHED


def _hint(error: PcpError) -> str | None:
    if error.hint is None and _is_for_later(error):
        return "Try again when that has finished."
    return error.hint


def _is_for_later(error: PcpError) -> bool:
    return error.detail == OTHER_RECOVERY or error.message.startswith(AT_THE_MOMENT)


def _is_after_the_start(error: PcpError) -> bool:
    return error.answer is not None and error.message.startswith(AFTER_THE_START)


def _did_not_change(found: NodeInfo, statuses: Collection[str], within_s: float) -> Unverified:
    return Unverified(
        f"node {found.node_id} is {found.status}, not {' or '.join(sorted(statuses))}",
        detail=f"Pgpool-II accepted the command {within_s:g} seconds ago.",
        hint="Check the log of Pgpool-II.",
    )
