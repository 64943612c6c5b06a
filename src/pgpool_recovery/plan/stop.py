"""Whether a server that is still running may be stopped, and the facts as if it were stopped."""

from pgpool_recovery.domain.control_data import SHUT_DOWN_IN_RECOVERY
from pgpool_recovery.domain.record import replace
from pgpool_recovery.domain.target_state import TargetState
from pgpool_recovery.domain.wal import Point
from pgpool_recovery.facts.access import NO_ACCESS
from pgpool_recovery.facts.facts import Facts, PlaceFacts, TargetFacts, Wal
from pgpool_recovery.facts.own_wal import NO_WAL
from pgpool_recovery.facts.policy import Policy, StopRunning
from pgpool_recovery.plan.attach import streams


def may_stop(facts: Facts, policy: Policy) -> bool:
    """Return whether the policy allows the server to be stopped.

    One that streams is never stopped, unless its WAL is another server's.
    """
    target, compared = facts.target, facts.compared
    is_foreign = compared is not None and compared.is_same is False
    if target.server_pid is None or (streams(facts) and not is_foreign):
        return False
    is_allowed = policy.stop_running is StopRunning.ALWAYS
    return is_allowed or (policy.stop_running is StopRunning.STANDBY and target.is_standby)


def once_lost(facts: Facts) -> Facts:
    """Return the facts as if the server had just been lost.

    Its slot and its WAL sender are then free, and it has replayed everything: the control file of a
    running standby only says how far it had got a while ago.
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
    replayed = target if primary.wal is None else _replayed(target, primary.wal)
    return once_stopped(replace(facts, primary=without, target=replayed))


def _replayed(target: TargetFacts, wal: Wal) -> TargetFacts:
    """Return the target as if it had replayed all that the primary has written and was stopped."""
    end, control, local = Point(wal.history.current, wal.written), target.control, target.local_wal
    if control is None or target.backup_start is not None:
        return target
    if local is not None:
        missing = max(local.missing, wal.written // wal.segment_bytes + 1)
        local = replace(local, base=replace(local.base, end=end), missing=missing)
    control = replace(control, state=SHUT_DOWN_IN_RECOVERY, minimum_end=end)
    return replace(target, control=control, local_wal=local)


def once_stopped(facts: Facts) -> Facts:
    """Return the facts as if the server were stopped, to see what else stands in the way."""
    return replace(facts, target=replace(facts.target, server_pid=None))


def once_emptied(facts: Facts) -> Facts:
    """Return the facts as if the data were gone too, with everything in it."""
    target = facts.target
    own = target.configuration
    return replace(
        once_lost(facts),
        summaries=None,
        changed_bytes=None,
        compared=None,
        target=replace(
            target,
            data=_emptied(target.data),
            wal=None if target.wal is None or target.wal.is_own else _emptied(target.wal),
            tablespaces={oid: _emptied(place) for oid, place in target.tablespaces.items()},
            gone_tablespaces=(),
            linked_tablespaces=(),
            moved_tablespaces=(),
            is_empty=True,
            is_data_directory=False,
            foreign_entries=(),
            major=None,
            control=None,
            has_backup_label=False,
            backup_start=None,
            history=None,
            local_wal=None,
            is_away=False,
            changing=None,
            state=TargetState.UNTOUCHED,
            resumable=None,
            can_clone=False,
            server_pid=None,
            is_standby=False,
            failed_starts=0,
            configuration=None if own is None or own.is_inside else own,
            configuration_problem=None,
            own_wal=NO_WAL,
            access=NO_ACCESS,
        ),
    )


def _emptied(place: PlaceFacts) -> PlaceFacts:
    """Return the directory as if it were empty, with the space of its contents free."""
    held = place.size_bytes + (place.waiting_bytes or 0)
    filesystem = replace(place.filesystem, free_bytes=place.filesystem.free_bytes + held)
    return replace(
        place, size_bytes=0, waiting_bytes=None, is_empty=True, is_own=True, filesystem=filesystem
    )
