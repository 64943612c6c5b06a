"""What a node may be instead of a standby of the primary, and how each case is recognized."""

from dataclasses import replace

import pytest

from pgpool_recovery.domain.standby import (
    Fault,
    StandbyFacts,
    StreamFacts,
    UpstreamFacts,
    judge,
)
from pgpool_recovery.domain.wal import History, Lsn, Point, TimelineId

OLD, NEW = TimelineId(1), TimelineId(2)
FORK, BEFORE, POSITION, NOW = Lsn(0x4000), Lsn(0x3000), Lsn(0x5000), Lsn(0x6000)
AFTER = Lsn(0x4800)
HISTORY = History(NEW, (Point(OLD, FORK),))
SLOT = "pgpool_node_1"

STREAM = StreamFacts("streaming", SLOT, "node1", flushed=POSITION, replayed=POSITION)
PRIMARY = UpstreamFacts("node 0", HISTORY, NOW, STREAM, system_identifier="7")
NODE = StandbyFacts(
    is_in_recovery=True,
    system_identifier="7",
    receiver="streaming",
    slot_name=SLOT,
    receiving=NEW,
    received=POSITION,
    replayed=POSITION,
    been_at=(Point(OLD, BEFORE), Point(OLD, FORK), Point(NEW, POSITION)),
    histories=(HISTORY,),
)
BLIND = replace(NODE, sees_receiver=False, receiver=None, slot_name=None, received=None)


def fault(
    node: StandbyFacts, primary: UpstreamFacts = PRIMARY, position: Lsn | None = POSITION
) -> Fault | None:
    trouble = judge(node, primary, position)
    return None if trouble is None else trouble.fault


def test_node_that_replayed_what_the_primary_has_written_is_sound() -> None:
    assert fault(NODE) is None
    assert fault(NODE, position=None) is None


@pytest.mark.parametrize(
    ("node", "expected"),
    [
        (replace(NODE, system_identifier="8"), Fault.FOREIGN),
        (replace(NODE, is_in_recovery=False), Fault.PRIMARY),
        # Its own position is higher than all that the primary has written.
        (replace(NODE, replayed=Lsn(NOW + 1)), Fault.AHEAD),
        # It has received what it will replay, but the primary never sent that.
        (replace(NODE, received=Lsn(NOW + 1)), Fault.AHEAD),
        # It went past the fork on the old timeline, wherever the primary is by now.
        (replace(NODE, been_at=(Point(OLD, AFTER),)), Fault.AHEAD),
        (replace(NODE, been_at=(Point(TimelineId(3), BEFORE),)), Fault.HISTORY),
        # The number is the same, the history is not.
        (replace(NODE, histories=(History(NEW, (Point(OLD, AFTER),)),)), Fault.HISTORY),
        # A stray file in pg_wal: it will be followed when the stream breaks.
        (replace(NODE, histories=(History(TimelineId(3), HISTORY.ends),)), Fault.HISTORY),
        (replace(NODE, receiving=TimelineId(3)), Fault.HISTORY),
        (replace(NODE, targets=("recovery_target_time",)), Fault.TARGET),
        (replace(NODE, pause_state="paused"), Fault.PAUSED),
        (replace(NODE, pause_state="pause requested"), Fault.PAUSED),
        # The slot is in use, but the node itself does not stream, or uses another slot.
        (replace(NODE, receiver=None, slot_name=None), Fault.SLOT_TAKEN),
        (replace(NODE, receiver="waiting"), Fault.SLOT_TAKEN),
        (replace(NODE, slot_name="another"), Fault.SLOT_TAKEN),
        (replace(NODE, replayed=BEFORE), Fault.BEHIND),
        (replace(NODE, replayed=None), None),  # The primary reports it.
        (replace(NODE, receiving=OLD), Fault.BEHIND),
        # The beginning of a record that the former primary was sending when it died.
        (replace(NODE, receiving=OLD, received=Lsn(NOW + 1), replayed=FORK), Fault.BEHIND),
    ],
)
def test_reports_of_the_node(node: StandbyFacts, expected: Fault | None) -> None:
    assert fault(node) is expected


@pytest.mark.parametrize(
    ("stream", "expected"),
    [
        (None, Fault.NOT_STREAMING),
        (replace(STREAM, state="catchup"), Fault.BEHIND),
        (replace(STREAM, replayed=Lsn(NOW + 1)), Fault.AHEAD),
    ],
)
def test_reports_of_the_primary(stream: StreamFacts | None, expected: Fault) -> None:
    assert fault(NODE, replace(PRIMARY, stream=stream)) is expected


def test_twin_that_is_ahead_is_not_mistaken_for_the_node() -> None:
    stream = replace(STREAM, replayed=Lsn(NOW + 1))
    node = replace(NODE, receiver=None, slot_name=None, received=None)
    assert fault(node, replace(PRIMARY, stream=stream)) is Fault.SLOT_TAKEN


def test_without_the_primarys_history_the_rest_is_judged() -> None:
    primary = replace(PRIMARY, history=None)
    assert fault(replace(NODE, been_at=(Point(OLD, AFTER),)), primary) is None
    assert fault(replace(NODE, replayed=Lsn(NOW + 1)), primary) is Fault.AHEAD


def test_delayed_standby_must_only_receive() -> None:
    late = replace(NODE, delay_ms=3_600_000, replayed=BEFORE)
    assert fault(late) is None
    assert fault(replace(late, received=BEFORE)) is Fault.BEHIND
    assert fault(replace(late, been_at=(Point(OLD, AFTER),))) is Fault.AHEAD


def test_role_that_may_not_see_the_receiver_trusts_the_primary() -> None:
    assert fault(BLIND) is None
    assert fault(BLIND, replace(PRIMARY, stream=None)) is Fault.NOT_STREAMING


def test_nothing_seen_is_nothing_proven() -> None:
    """Without a session, a slot that is in use proves nothing about the node."""
    unseen = StandbyFacts(None, sees_receiver=False, problem="no pg_hba.conf entry")
    assert fault(unseen) is Fault.UNSEEN
    assert fault(replace(unseen, is_in_recovery=True)) is Fault.UNSEEN
    assert fault(replace(unseen, is_in_recovery=False)) is Fault.PRIMARY


def test_process_titles_stand_in_for_the_server() -> None:
    seen = StandbyFacts(
        is_in_recovery=True,
        receiver="streaming",
        slot_name=SLOT,
        received=POSITION,
        problem="no entry",
    )
    assert fault(seen) is None
    assert fault(replace(seen, received=BEFORE)) is Fault.BEHIND
    behind = replace(PRIMARY, stream=replace(STREAM, replayed=BEFORE))
    assert fault(seen, behind) is Fault.BEHIND


def test_delayed_standby_waits_at_the_fork() -> None:
    """It has received all WAL up to there, and requests the next timeline after replaying it."""
    late = replace(
        NODE, delay_ms=3_600_000, replayed=BEFORE, been_at=(Point(OLD, BEFORE),), receiving=OLD
    )
    waiting = replace(late, receiver="waiting", received=FORK, slot_name=None)
    none = replace(PRIMARY, stream=None)
    assert fault(waiting, none) is None
    assert fault(replace(waiting, delay_ms=0), none) is Fault.NOT_STREAMING
    assert fault(replace(waiting, received=BEFORE), none) is Fault.NOT_STREAMING
    assert fault(replace(waiting, received=AFTER), none) is Fault.NOT_STREAMING
    assert fault(replace(waiting, pause_state="paused"), none) is Fault.PAUSED
    assert fault(replace(waiting, receiver=None), none) is Fault.NOT_STREAMING


def test_timeline_number_that_the_primary_skipped() -> None:
    """A recovery fills the gap, so the server finds the history file of the primary's timeline."""
    gap = History(NEW)
    primary = History(TimelineId(3), (Point(OLD, FORK),))
    upstream = replace(PRIMARY, history=primary)
    node = replace(NODE, receiving=TimelineId(3), been_at=(Point(OLD, FORK),))
    assert fault(replace(node, histories=(gap, primary)), upstream) is None
    assert fault(replace(node, histories=(gap,)), upstream) is Fault.HISTORY


@pytest.mark.parametrize("wrong", [Fault.PRIMARY, Fault.AHEAD, Fault.HISTORY, Fault.FOREIGN])
def test_wrong_data_is_final(wrong: Fault) -> None:
    assert wrong.is_final
    assert wrong.is_wrong_data
