"""Promote a standby, or the next one if that fails, but never two."""

import math
import time

from pgpool_recovery.config.settings import Settings
from pgpool_recovery.control.cluster import Node, connect_to
from pgpool_recovery.control.leftover_slots import drop_leftover_slots
from pgpool_recovery.domain.error import RecoveryError, Unreachable, Unverified
from pgpool_recovery.domain.event import Say
from pgpool_recovery.domain.quantity import pretty_duration
from pgpool_recovery.domain.wal import Lsn, lsn_text
from pgpool_recovery.hooks.choice import PromoteNode
from pgpool_recovery.hooks.observe import View, standing_of
from pgpool_recovery.hooks.scene import Standing
from pgpool_recovery.hooks.stop import listens, order_stop, wait_until_stopped
from pgpool_recovery.log.note import waits

ASK_EVERY_S = 0.1
GONE_FOR_S = 1.0
"""A server on whose port nothing listens for this long has ended: a restart listens at once."""
ARCHIVE_S = 3600.0
"""How long after it was told to promote itself a standby may go on replaying WAL from an archive,
whose end is not known."""


class _Failed(Exception):
    """A promotion that failed. `is_over`: the server has ended, so it is not a primary."""

    def __init__(self, cause: RecoveryError, *, is_over: bool) -> None:
        super().__init__(cause.message)
        self.cause = cause
        self.is_over = is_over


def promote_best(choice: PromoteNode, view: View, settings: Settings, say: Say) -> Node:
    """Promote the first node of a choice that can be promoted, and return it.

    The next node is tried only when it is certain that the previous one is not a primary and will
    not become one: its server has ended, by itself or stopped by us. Raises Unverified where that
    is not certain.
    """
    failed: list[Node] = []
    for place, node_id in enumerate(choice.all):
        node = view.cluster.node(node_id)
        is_last = place == len(choice.others)
        try:
            _promote(node, view, settings, say)
        except _Failed as failure:
            if is_last:
                raise failure.cause from failure
            _make_certain(node, failure, view, settings, say)
            failed.append(node)
        else:
            _warn_of_second(failed, view, say)
            return node
    raise AssertionError  # The last one was promoted, or its failure was raised.


def _make_certain(node: Node, failure: _Failed, view: View, settings: Settings, say: Say) -> None:
    """Report why a node was not promoted, and stop its server if it still might be; or raise."""
    cause = failure.cause
    say(f"WARNING: {cause.in_a_line}")
    if failure.is_over:
        return
    say(f"{node.name} is stopped so that it does not become a second primary later")
    try:
        order_stop(node, view.cluster.login)
        wait_until_stopped(node, within_s=settings.timeout.stop_s)
    except RecoveryError as error:
        raise cause.with_more(
            f"It could not be stopped, so no other node is promoted: {error.message}."
        ) from error


def _warn_of_second(failed: list[Node], view: View, say: Say) -> None:
    """Report a server that had ended but is back as a primary: someone else has started it."""
    for node in failed:
        answer = standing_of(node, view.cluster.login)
        if not isinstance(answer, Unreachable) and answer[0].is_primary:
            say(f"WARNING: {node.name} is back and accepts writes as well; stop it")


def _promote(node: Node, view: View, settings: Settings, say: Say) -> None:
    """Promote a server, and wait until it accepts writes; raises _Failed."""
    drop_leftover_slots(node, view.login(node), say)
    before = view.scene.standings[node.node_id]
    say(f"promoting {node.name} ({node.address})")
    began = time.monotonic()
    within_s = settings.timeout.promote_s
    try:
        with connect_to(
            node, view.login(node), answer_s=within_s + settings.pgpool.answer_s
        ) as connection:
            connection.row("promote", timeout_s=math.ceil(within_s))
    except Unreachable as error:  # The server may have become primary nevertheless.
        say(error.in_a_line)
    after = _wait_for_writes(node, view, before, began, within_s)
    say(
        f"{node.name} accepts writes after {pretty_duration(time.monotonic() - began)}, "
        f"on timeline {after.timeline} since {lsn_text(before.position)}"
    )


@waits("a primary that accepts writes")
def _wait_for_writes(
    node: Node, view: View, before: Standing, began: float, within_s: float
) -> Standing:
    """Wait until the server is a primary, for at most `within_s` without progress.

    `before` is what it reported about itself before it was told to promote itself, at `began`.
    """
    moved, gone_since = began, None
    replayed = before.replayed or Lsn(0)
    while True:
        answer = standing_of(node, view.login(node))
        if not isinstance(answer, Unreachable) and answer[0].is_primary:
            return answer[0]
        now = time.monotonic()
        if not isinstance(answer, Unreachable):
            if _gets_on(answer[0], replayed, before.position, now - began):
                moved = now
            replayed = answer[0].replayed or replayed
        gone_since = None if _is_there(answer, node) else gone_since or now
        if gone_since is not None and now - gone_since >= GONE_FOR_S:
            raise _Failed(_ended(node), is_over=True)
        if now - moved > within_s:
            raise _Failed(_not_in_time(node, answer, now - began), is_over=False)
        time.sleep(ASK_EVERY_S)


def _gets_on(standing: Standing, replayed: Lsn, received: Lsn, for_s: float) -> bool:
    """Return whether a standby is closer to its promotion than when it had replayed `replayed`.

    It first replays what it had received when it was told to promote itself, however long that
    takes. More may come from an archive, for a while. What arrives by streaming does not count,
    because a promotion ends the streaming.
    """
    if (standing.replayed or replayed) <= replayed:
        return False
    return replayed < received or (not standing.is_streaming and for_s < ARCHIVE_S)


def _is_there(answer: object, node: Node) -> bool:
    return not isinstance(answer, Unreachable) or listens(node)


def _ended(node: Node) -> RecoveryError:
    return Unverified(
        f"{node.name} was told to promote itself, but its server has ended",
        detail="Nothing listens on its port.",
        hint="Check its log.",
    )


def _not_in_time(
    node: Node, answer: tuple[Standing, str] | Unreachable, after_s: float
) -> RecoveryError:
    if isinstance(answer, Unreachable):
        said = answer.in_a_line
    else:
        said = f"It is still a standby{' and streams' if answer[0].is_streaming else ''}."
    return Unverified(
        f"{node.name} was told to promote itself, but does not accept writes "
        f"after {after_s:.0f} seconds",
        detail=said,
        hint="Check its log. The setting timeout.promote_s limits the wait while it replays "
        "nothing of what it had received.",
    )
