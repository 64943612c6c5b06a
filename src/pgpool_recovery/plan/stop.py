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


def once_lost(facts: Facts) -> Facts:
    """Return the facts as they would be if the server had just been lost; unchanged without one.

    What it streams by is free then: its slot, and its WAL sender.
    """
    if not streams(facts):
        return once_stopped(facts)
    primary, target = facts.primary, facts.target
    own = None if target.configuration is None else target.configuration.values
    slot_name = None if own is None else own.get("primary_slot_name")
    slots = tuple(
        replace(slot, is_active=False) if slot.name == slot_name else slot for slot in primary.slots
    )
    without = replace(primary, slots=slots, wal_senders=primary.wal_senders - 1)
    return once_stopped(replace(facts, primary=without))


def once_stopped(facts: Facts) -> Facts:
    """Return the facts as they would be but for the server: what speaks against a recovery then."""
    return replace(facts, target=replace(facts.target, server_pid=None))
