"""The servers that the policy allows us to stop."""

import pytest

from pgpool_recovery.facts.access import NO_ACCESS, Access, Lacks, Obstacle
from pgpool_recovery.facts.facts import Stream
from pgpool_recovery.facts.policy import Policy, StopRunning
from pgpool_recovery.plan.ladder import make_plan
from pgpool_recovery.plan.plan import Plan
from pgpool_recovery.plan.stop import may_stop, once_emptied, once_stopped
from tests.unit.plan.situation import TARGET, facts, primary, target


@pytest.mark.parametrize(
    ("policy", "is_standby", "expected"),
    [
        (StopRunning.NEVER, True, False),
        (StopRunning.STANDBY, True, True),
        (StopRunning.STANDBY, False, False),
        (StopRunning.ALWAYS, False, True),
    ],
)
def test_policy_decides(policy: StopRunning, *, is_standby: bool, expected: bool) -> None:
    running = facts(target=target(server_pid=4711, is_standby=is_standby))
    assert may_stop(running, Policy(stop_running=policy)) is expected


def test_what_does_not_run_or_streams_is_not_stopped() -> None:
    always = Policy(stop_running=StopRunning.ALWAYS)
    assert not may_stop(facts(), always)
    stream = Stream(None, "192.0.2.2", application_name="walreceiver")
    assert not may_stop(
        facts(target=target(server_pid=4711), primary=primary(streams=(stream,))), always
    )


def test_once_stopped_it_does_not_run() -> None:
    assert once_stopped(facts(target=target(server_pid=4711))) == facts()


def test_what_was_in_the_way_is_gone_with_the_data() -> None:
    of_root = Obstacle("/data/log/a", Lacks.READING, "root", "0600", is_ours=False)
    access = Access(obstacles=(of_root,), kept_bytes=1, copied_bytes=1, spare_wal_bytes=1)
    emptied = once_emptied(facts(target=target(access=access)))
    assert emptied.target.access == NO_ACCESS
    assert isinstance(make_plan(TARGET, emptied, Policy()), Plan)
