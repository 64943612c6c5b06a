"""A plan says what the node has and the primary will never have."""

from dataclasses import replace
from typing import TYPE_CHECKING

from pgpool_recovery.domain.wal import History, Lsn, Point, TimelineId
from pgpool_recovery.facts.facts import Facts
from pgpool_recovery.facts.policy import Policy
from pgpool_recovery.plan.harm import Loss, harm_of
from pgpool_recovery.plan.ladder import make_plan
from pgpool_recovery.plan.plan import Plan
from tests.unit.plan.situation import SEGMENT, TARGET, control, facts, primary, target, wal

if TYPE_CHECKING:
    from pgpool_recovery.domain.control_data import ControlData

FORK = Lsn(48 * SEGMENT)
PROMOTED = History(TimelineId(2), (Point(TimelineId(1), FORK),))


def former_primary(**changes: object) -> Facts:
    """Return a node that kept writing, and a primary that left its timeline at segment 48."""
    words = {"state": "shut down", "minimum_end": None, "checkpoint": FORK + 14 * 1024, **changes}
    return facts(
        primary=primary(wal=wal(history=PROMOTED)),
        target=target(control=control(**words), is_standby=False),
    )


def plan_of(situation: Facts) -> Plan:
    made = make_plan(TARGET, situation, Policy())
    assert isinstance(made, Plan)
    return made


def test_how_much_when_its_end_is_known() -> None:
    made = plan_of(former_primary())
    assert made.gives_up == "node 1 gives up what it has after 0/30000000, about 14 kB of WAL"
    assert made.gives_up in made.sentences()
    assert Loss.WAL in harm_of(made).losses


def test_at_least_when_it_crashed() -> None:
    made = plan_of(former_primary(state="in production"))
    assert made.gives_up == (
        "node 1 gives up what it has after 0/30000000: at least 14 kB of WAL; it is not known "
        "where its WAL ends"
    )


def test_crash_before_the_fork() -> None:
    made = plan_of(former_primary(state="in production", checkpoint=FORK - 4096))
    assert made.gives_up is not None
    assert made.gives_up.endswith("0/30000000: it is not known where its WAL ends")


def test_standby_that_replayed_too_far() -> None:
    end = Point(TimelineId(1), Lsn(FORK + 2 * SEGMENT))
    made = plan_of(former_primary(state="shut down in recovery", minimum_end=end))
    assert made.gives_up is not None
    assert made.gives_up.endswith("after 0/30000000, about 32 MB of WAL")


def test_nothing_where_the_primary_has_all() -> None:
    assert plan_of(facts()).gives_up is None
    gone = plan_of(facts(primary=primary(wal=wal(oldest_segment=60))))
    assert gone.gives_up is None
    assert Loss.WAL not in harm_of(gone).losses


def test_nobody_can_tell_where_they_parted() -> None:
    own: ControlData = control(state="shut down", timeline=TimelineId(3), minimum_end=None)
    stranger = facts(
        primary=primary(wal=wal(history=PROMOTED)), target=target(control=own, is_standby=False)
    )
    assert (plan_of(stranger).gives_up or "").endswith(
        "it cannot be determined where they diverged"
    )


def test_nothing_of_a_base_backup_that_no_server_has_brought_to_its_end() -> None:
    """Its WAL is another server's; no client has seen a commit of it here."""
    start = Point(TimelineId(1), Lsn(FORK + SEGMENT))
    backup = former_primary(state="in production", checkpoint=start.lsn + 0x60, redo=start.lsn)
    made = plan_of(backup)
    assert made.gives_up is not None
    labelled = replace(backup.target, backup_start=start, has_backup_label=True)
    made = plan_of(replace(backup, target=labelled))
    assert made.gives_up is None
    assert Loss.WAL not in harm_of(made).losses
