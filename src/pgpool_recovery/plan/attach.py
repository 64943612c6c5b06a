"""The method attach: the node already streams from this primary, so there is nothing to do."""

from pgpool_recovery.facts.facts import Facts
from pgpool_recovery.facts.policy import Method
from pgpool_recovery.facts.rejection import Rejection
from pgpool_recovery.facts.running import RunningServer
from pgpool_recovery.plan.plan import OldData, Plan
from pgpool_recovery.plan.situation import Situation
from pgpool_recovery.plan.taken_out import notes_at_restart, reject_running


def propose(situation: Situation) -> Plan | tuple[Rejection, ...]:
    """Return a plan without steps, or why the node cannot be attached as it is."""
    if situation.facts.target.server_pid is None:
        return (not_running(situation.name),)
    if not streams(situation.facts):
        return (not_streaming(situation.name),)
    if situation.is_of_another_past:
        return (Rejection(f"the WAL of {situation.name} is not the primary's"),)
    left = tuple(reject_running(situation.name, situation.facts.running))
    return left or Plan(
        target_name=situation.name,
        method=Method.ATTACH,
        summary="it already streams from this primary; there is nothing to do",
        slot_name=situation.target.slot_name,
        moved_bytes=None,
        old_data=OldData.KEPT,
        steps=(),
        notes=tuple(notes_at_restart(situation.name, situation.facts.target.configuration)),
    )


def not_running(name: str) -> Rejection:
    """Return the reason why a server that is not running cannot be kept as it is."""
    return Rejection(f"the server of {name} is not running")


def not_streaming(name: str) -> Rejection:
    """Return the reason why a running server cannot be attached as it is."""
    return Rejection(f"{name} is not known to stream from this primary")


def streams(facts: Facts) -> bool:
    """Return whether the target's running server streams from this primary.

    It must use its own slot, or be the only one that streams from its host's addresses: two
    standbys without slots on one host cannot be told apart. A former primary may still have a slot
    name in its settings, and a standby of another cluster may run next to one of this cluster:
    neither of them streams. Nor does a standby without a WAL receiver: the stream is that of a
    clone, which has the same slot name and was faster.
    """
    running = facts.running
    has_none = isinstance(running, RunningServer) and not running.has_receiver
    return not has_none and _may_stream(facts) and _has_stream(facts)


def _may_stream(facts: Facts) -> bool:
    control = facts.target.control
    is_of_cluster = control is None or control.system_identifier == facts.primary.system_identifier
    return facts.target.is_standby and is_of_cluster and not facts.primary.is_in_recovery


def _has_stream(facts: Facts) -> bool:
    own = facts.target.configuration
    slot_name = None if own is None else own.values.get("primary_slot_name")
    if slot_name:
        return any(stream.slot_name == slot_name for stream in facts.primary.streams)
    addresses = facts.target.addresses
    from_host = [s for s in facts.primary.streams if s.client_address in addresses]
    return len(from_host) == 1 and from_host[0].slot_name is None
