"""Drop the slots that a node has from its time as primary: they hold back WAL and VACUUM."""

from collections.abc import Iterable, Iterator

from pgpool_recovery.config.settings import Settings
from pgpool_recovery.domain.error import Cancelled, RecoveryError
from pgpool_recovery.domain.event import Emit, Said
from pgpool_recovery.domain.node import Target
from pgpool_recovery.domain.quantity import pretty_size
from pgpool_recovery.domain.slot import FormerSlot
from pgpool_recovery.facts.facts import PrimaryFacts
from pgpool_recovery.talk.conversation import Conversation
from pgpool_recovery.talk.request.server import DropFormerSlots


def drop_former_slots(
    agent: Conversation, target: Target, primary: PrimaryFacts, settings: Settings, emit: Emit
) -> None:
    """Have the standby drop them, and report those dropped and those that a user may have to drop.

    A failure is reported, and does not end the recovery, since the node streams.
    """
    own = settings.primary
    failover_slots = tuple(slot.name for slot in primary.slots if slot.is_failover)
    request = DropFormerSlots(target.data_directory, own.dbname, own.user, failover_slots)
    try:
        found = agent.ask(request, timeout_s=settings.timeout.step_s)
    except Cancelled:
        raise
    except RecoveryError as error:
        why = error.detail or error.message
        emit(Said("agent", f"the replication slots of {target.name} were not checked: {why}"))
        return
    for sentence in sentences(target.name, found):
        emit(Said("agent", sentence))


def sentences(name: str, found: Iterable[FormerSlot]) -> Iterator[str]:
    """Report for each slot whether it was dropped, and what one that stays holds back."""
    for slot in found:
        if slot.why_kept is None:
            yield f"dropped replication slot {slot.name} of {name}, from its time as primary"
            continue
        vacuum = ", and holds back VACUUM on the primary" if slot.holds_xmin else ""
        yield (
            f"replication slot {slot.name} of {name} stays, because {slot.why_kept}: it is not "
            f"in use, but retains {pretty_size(slot.kept_bytes)} of WAL there{vacuum}. If it "
            f"is no longer needed, run on {name}: SELECT pg_drop_replication_slot('{slot.name}')"
        )
