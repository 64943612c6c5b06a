"""Which servers the policy lets us stop."""

import pytest

from pgpool_recovery.plan.facts import Stream
from pgpool_recovery.plan.policy import Policy, StopRunning
from pgpool_recovery.plan.stop import may_stop, once_stopped
from tests.unit.plan.situation import facts, primary, target


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
