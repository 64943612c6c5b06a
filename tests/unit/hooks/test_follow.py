"""An old primary that the failover has stopped comes back by WAL alone, or is left alone."""

from typing import Any

import pytest

from pgpool_recovery.config.settings import Settings
from pgpool_recovery.control.extension import Primary
from pgpool_recovery.control.job import Job
from pgpool_recovery.domain.error import Refused, Unreachable
from pgpool_recovery.domain.wal import Lsn, TimelineId
from pgpool_recovery.hooks import follow
from pgpool_recovery.hooks.follow import Following
from pgpool_recovery.hooks.observe import Known
from pgpool_recovery.hooks.scene import Standing
from pgpool_recovery.plan.harm import Harm, Loss, Old, Reach
from tests.unit.cli import facts

PRIMARY, NODE = facts.NODES[0], facts.NODES[2]
STANDING = Standing(is_primary=True, timeline=TimelineId(2), position=Lsn(9), system_identifier="7")
WAL_ONLY = Harm(Reach.WAL, Old.KEPT, frozenset({Loss.LEFT}))
BY_WAL = {"harm": WAL_ONLY.words(), "old_data_is": "kept", "point_of_no_return": None}
BY_BLOCKS = {"harm": "blocks changed", "old_data_is": "changed", "point_of_no_return": 2}


def ready(monkeypatch: pytest.MonkeyPatch, **plan: Any) -> Job | None:
    """Return the recovery of a silent old primary with the given plan."""
    cluster = facts.cluster()
    primary = Primary(PRIMARY, cluster.login, ())
    monkeypatch.setattr(follow, "standing_of", lambda *_: Unreachable("could not connect"))
    monkeypatch.setattr(follow, "is_wal_held_for", lambda *_: True)
    monkeypatch.setattr(follow, "look_at", lambda *_: primary)
    monkeypatch.setattr(follow, "read_plan", lambda *_, **__: facts.plan(**plan))
    told = list[str]()
    known = Known(cluster)
    one = Following(NODE, PRIMARY, True, known, Settings(), told.append)  # noqa: FBT003
    return follow._ready(one, STANDING)


def test_recovery_is_held_to_the_wal_that_was_planned(monkeypatch: pytest.MonkeyPatch) -> None:
    """No consent is asked for, and after a method that fails, the next one would do more."""
    job = ready(monkeypatch, **BY_WAL)
    assert job is not None
    assert job.limit == WAL_ONLY


def test_one_that_needs_more_than_wal_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(Refused, match="is left alone: it needs more than WAL"):
        ready(monkeypatch, **BY_BLOCKS)
