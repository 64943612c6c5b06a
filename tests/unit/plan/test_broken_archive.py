"""A restore_command that would end its server is not in force in any step of any method."""

from dataclasses import replace
from typing import Any

import pytest

from pgpool_recovery.domain.wal import History, Lsn, Point, TimelineId
from pgpool_recovery.facts.archived_history import Archive
from pgpool_recovery.facts.facts import Facts
from pgpool_recovery.facts.policy import Method, Policy
from pgpool_recovery.facts.running import RELOADED, RunningServer
from pgpool_recovery.facts.step.standby import ConfigureStandby, Repoint, RepointRunning
from pgpool_recovery.facts.step.transfer import Rewind
from pgpool_recovery.plan.ladder import make_plan
from pgpool_recovery.plan.plan import Plan
from tests.unit.plan.situation import SEGMENT, TARGET, facts, login, primary, target, wal

COMMAND = "scp 10.0.0.1:/archive/%f %p"
WORKS = Archive((), 0.1)
BROKEN = {
    "fatal": Archive((), 1.0, fatal="exit status 255"),
    "silent": Archive((), 10.0, is_silent=True),
}
FORK = Lsn(48 * SEGMENT)
PROMOTED = History(TimelineId(2), (Point(TimelineId(1), FORK),))
WILL_BE = History(TimelineId(2), (Point(TimelineId(1), Lsn(64 * SEGMENT)),))
SITUATIONS: dict[Method, Facts] = {
    Method.CATCH_UP: facts(),
    Method.REPOINT: facts(
        target=target(server_pid=4711),
        primary=primary(wal=wal(history=WILL_BE)),
        running=RunningServer(
            login={"host": "/run/postgresql", "port": "5432"},
            is_in_recovery=True,
            is_paused=False,
            timeline=TimelineId(1),
            histories=(),
            receiving=None,
            received=Lsn(51 * SEGMENT),
            replayed=Lsn(51 * SEGMENT),
            is_torn=False,
            recovery_target_timeline="latest",
            sources=dict.fromkeys(RELOADED, "configuration file"),
        ),
    ),
    Method.REWIND: facts(primary=primary(wal=wal(history=PROMOTED)), rewind_logins=(login(),)),
    Method.DELTA: facts(primary=primary(wal=wal(oldest_segment=60))),
    Method.BASEBACKUP: facts(
        primary=primary(wal=wal(oldest_segment=60), can_back_up=False),
    ),
}


def steps_of(method: Method, archive: Archive, *kinds: type) -> list[Any]:
    """Return the steps of the plan in which the command matters."""
    situation = SITUATIONS[method]
    own = situation.target.configuration
    assert own is not None
    own = replace(own, values=own.values | {"restore_command": COMMAND})
    node = replace(situation.target, configuration=own)
    made = make_plan(TARGET, replace(situation, target=node, archive=archive), Policy())
    assert isinstance(made, Plan), made
    assert made.method is method
    return [step for step in made.steps if isinstance(step, kinds)]


@pytest.mark.parametrize("method", SITUATIONS)
@pytest.mark.parametrize("archive", BROKEN.values(), ids=BROKEN)
def test_standby_is_made_without_it(method: Method, archive: Archive) -> None:
    kinds = (ConfigureStandby, Repoint, RepointRunning)
    [step] = steps_of(method, archive, *kinds)
    assert step.drops_restore_command
    [step] = steps_of(method, WORKS, *kinds)
    assert not step.drops_restore_command


@pytest.mark.parametrize("archive", BROKEN.values(), ids=BROKEN)
def test_pg_rewind_does_not_call_it(archive: Archive) -> None:
    [step] = steps_of(Method.REWIND, archive, Rewind)
    assert step.restore_command == ""
    [step] = steps_of(Method.REWIND, WORKS, Rewind)
    assert step.restore_command == COMMAND
