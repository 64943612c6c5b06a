"""What a standby that was led here has to say before it is believed."""

from dataclasses import replace

import pytest

from pgpool_recovery.domain.wal import History, Lsn, Point, TimelineId
from pgpool_recovery.plan.running import RunningServer, Silent
from pgpool_recovery.verify.following import follows
from tests.unit.plan.situation import wal

OLD, NEW = TimelineId(1), TimelineId(2)
FORK, BEFORE, AFTER = Lsn(0x40000000), Lsn(0x3F000000), Lsn(0x41000000)
PROMOTED = wal(history=History(NEW, (Point(OLD, FORK),)))
STANDBY = RunningServer(
    login={},
    is_in_recovery=True,
    is_paused=False,
    timeline=NEW,
    histories=(),
    receiving=NEW,
    received=AFTER,
    replayed=AFTER,
    is_torn=False,
    recovery_target_timeline="latest",
    sources={},
)


@pytest.mark.parametrize(
    ("receiving", "replayed", "has_caught_up", "expected"),
    [
        (NEW, AFTER, True, True),
        (OLD, AFTER, True, False),  # A rival's position is as high as the primary's.
        (OLD, BEFORE, False, True),  # On its way to the fork.
        (OLD, AFTER, False, False),  # It has gone on where the primary has not.
        (NEW, AFTER, False, True),
        (None, AFTER, True, False),
    ],
)
def test_it_streams_on_the_primarys_timeline_or_on_the_way_there(
    receiving: TimelineId | None, replayed: Lsn, *, has_caught_up: bool, expected: bool
) -> None:
    said = replace(STANDBY, receiving=receiving, replayed=replayed)
    assert follows(said, PROMOTED, has_caught_up=has_caught_up) is expected


def test_a_server_that_does_not_answer_is_not_believed() -> None:
    assert not follows(Silent("It does not run any more."), PROMOTED, has_caught_up=True)
