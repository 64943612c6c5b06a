"""May a server that still runs on the target be stopped, so that its node can be recovered?"""

from dataclasses import replace

from pgpool_recovery.plan.attach import streams
from pgpool_recovery.plan.facts import Facts
from pgpool_recovery.plan.policy import Policy, StopRunning


def may_stop(facts: Facts, policy: Policy) -> bool:
    """Say whether the policy lets the server be stopped; one that streams never is."""
    target = facts.target
    if target.server_pid is None or streams(facts):
        return False
    is_allowed = policy.stop_running is StopRunning.ALWAYS
    return is_allowed or (policy.stop_running is StopRunning.STANDBY and target.is_standby)


def once_stopped(facts: Facts) -> Facts:
    """Return the facts as they would be but for the server: what speaks against a recovery then."""
    return replace(facts, target=replace(facts.target, server_pid=None))
