"""What a command has made is used only if all of it is in the primary's past."""

from dataclasses import replace
from typing import Any

import pytest

from pgpool_recovery.domain.wal import History, Lsn, Point, TimelineId
from pgpool_recovery.facts.own_method import OwnMethod
from pgpool_recovery.facts.own_wal import Compared, OwnWal
from pgpool_recovery.facts.policy import Policy
from pgpool_recovery.facts.step.place import Place, Places
from pgpool_recovery.facts.step.transfer import CheckMade
from pgpool_recovery.plan.made import Accepted, judge
from pgpool_recovery.plan.situation import Situation
from tests.unit.plan.situation import (
    CONNINFO,
    SEGMENT,
    SYSTEM,
    TARGET,
    control,
    facts,
    place,
    primary,
    target,
    wal,
)

NEW = "/var/lib/pgsql/15/data.pgpool_recovery/new"
STEP = CheckMade(
    Places(Place("/var/lib/pgsql/15/data", NEW[:-4], is_inside=False, new=NEW), None, ()),
    OwnMethod("own", ("/program",)),
    CONNINFO,
)
START = Point(TimelineId(1), Lsn(50 * SEGMENT + 0x28))
FORK = Lsn(60 * SEGMENT)
PROMOTED = History(TimelineId(2), (Point(TimelineId(1), FORK),))
OF_THE_PRIMARY = {"state": "in production", "minimum_end": None, "is_consistent": True}


def judged(
    *,
    end: Point | None = None,
    of_control: dict[str, Any] | None = None,
    of_primary: dict[str, Any] | None = None,
    compared: Compared | None = None,
    **of_target: Any,
) -> Accepted | tuple[str, str | None]:
    """Judge a base backup of the primary, except for the changes."""
    words = {
        "data": place(NEW),
        "control": control(**OF_THE_PRIMARY | (of_control or {})),
        "has_backup_label": True,
        "backup_start": START,
        "local_wal": None,
    }
    made = target(**words | of_target)
    found = replace(facts(primary=primary(**of_primary or {}), target=made), compared=compared)
    result = judge(Situation(TARGET, found, Policy()), STEP, end)
    return result if isinstance(result, Accepted) else (result[0].message, result[0].detail)


def test_base_backup_of_the_present_timeline() -> None:
    assert judged() == Accepted((), Point(TimelineId(1), Lsn(50 * SEGMENT)))


def test_no_control_file() -> None:
    assert judged(control=None) == ("what method own has made has no control file", None)


def test_another_cluster() -> None:
    assert judged(of_control={"system_identifier": "1"}) == (
        "what method own has made is of another cluster",
        f"Its system identifier is 1, the primary's is {SYSTEM}.",
    )


def test_unreadable_label() -> None:
    message, _ = judged(backup_start=None)  # type: ignore[misc]
    assert message == "the backup_label of what method own has made cannot be read"


@pytest.mark.parametrize("state", ["in production", "in archive recovery", "in crash recovery"])
def test_snapshot_without_a_label(state: str) -> None:
    message, detail = judged(  # type: ignore[misc]
        has_backup_label=False, backup_start=None, of_control={"state": state}
    )
    assert message.startswith("what method own has made is neither a base backup nor of a server")
    assert f'its control file says "{state}"' in str(detail)


def test_standby_that_was_shut_down() -> None:
    assert isinstance(
        judged(has_backup_label=False, backup_start=None, control=control()), Accepted
    )


def test_primary_that_was_shut_down_may_have_been_another_one() -> None:
    stopped = {"state": "shut down", "minimum_end": None}
    message, _ = judged(  # type: ignore[misc]
        has_backup_label=False, backup_start=None, of_control=stopped
    )
    assert message == "what method own has made is not of the primary's past"


def test_copy_that_is_older_than_its_label() -> None:
    message, detail = judged(of_control={"redo": Lsn(START.lsn - 1)})  # type: ignore[misc]
    assert message == "what method own has made is older than its backup_label"
    assert detail is not None


def test_timeline_that_the_primary_was_never_on() -> None:
    dead = Point(TimelineId(3), START.lsn)
    message, detail = judged(  # type: ignore[misc]
        backup_start=dead, of_control={"timeline": TimelineId(3)}
    )
    assert message == "what method own has made is not of the primary's past"
    assert detail == "It was on timeline 3, which the primary was never on."


PROMOTED_SINCE = {"wal": wal(history=PROMOTED)}


def test_backup_from_before_a_promotion_whose_end_is_not_known() -> None:
    message, detail = judged(of_primary=PROMOTED_SINCE)  # type: ignore[misc]
    assert message == "what method own has made is not of the primary's past"
    assert "which the primary left at 0/3C000000" in str(detail)


def test_backup_that_ended_before_the_promotion() -> None:
    result = judged(of_primary=PROMOTED_SINCE, end=Point(TimelineId(1), Lsn(FORK - 1)))
    assert isinstance(result, Accepted)
    (step,) = result.steps
    assert step.directory == NEW
    assert step.places == STEP.places
    assert step.fetched == ("00000002000000000000003C",)


def test_backup_that_ended_after_the_promotion() -> None:
    message, _ = judged(  # type: ignore[misc]
        of_primary=PROMOTED_SINCE, end=Point(TimelineId(1), Lsn(FORK + 1))
    )
    assert message == "what method own has made is not of the primary's past"


ON_TWO = {"timeline": TimelineId(2), "redo": Lsn(70 * SEGMENT)}
SINCE = Point(TimelineId(2), Lsn(70 * SEGMENT))


@pytest.mark.parametrize("is_same", [True, None, False])
def test_later_timeline_must_be_proven_to_be_the_primarys(is_same: bool | None) -> None:  # noqa: FBT001
    result = judged(
        of_primary=PROMOTED_SINCE,
        of_control=ON_TWO,
        backup_start=SINCE,
        compared=Compared(SINCE, is_same),
    )
    assert isinstance(result, Accepted) == (is_same is True)


def test_wal_that_is_gone() -> None:
    message, _ = judged(of_primary={"wal": wal(oldest_segment=51)})  # type: ignore[misc]
    assert "cannot be used: the primary no longer has the WAL" in message


def test_wal_that_came_with_it_and_is_not_the_primarys_is_moved() -> None:
    dead = "000000030000000000000033"
    result = judged(own_wal=OwnWal(files=(dead,)))
    assert isinstance(result, Accepted)
    (step,) = result.steps
    assert step.moved == (dead,)
