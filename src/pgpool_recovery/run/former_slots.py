"""What a node has kept of its own time as primary: slots that hold WAL and VACUUM back for ever."""

from collections.abc import Iterable, Iterator

from pgpool_recovery.config.settings import Settings
from pgpool_recovery.domain.error import Cancelled, RecoveryError
from pgpool_recovery.domain.event import Emit, Said
from pgpool_recovery.domain.node import Target
from pgpool_recovery.domain.quantity import pretty_size
from pgpool_recovery.domain.slot import FormerSlot
from pgpool_recovery.facts.facts import PrimaryFacts
from pgpool_recovery.talk.conversation import Conversation
from pgpool_recovery.talk.protocol import DropFormerSlots


def drop_former_slots(
    agent: Conversation, target: Target, primary: PrimaryFacts, settings: Settings, emit: Emit
) -> None:
    """Have the standby drop them, and say what it has dropped and what a person may have to.

    That nobody could look is said, and keeps nobody from the rest: the node streams.
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
        emit(Said("agent", f"the replication slots of {target.name} were not looked at: {why}"))
        return
    for sentence in sentences(target.name, found):
        emit(Said("agent", sentence))


def sentences(name: str, found: Iterable[FormerSlot]) -> Iterator[str]:
    """Say of each slot what became of it, and what comes of one that stays."""
    for slot in found:
        if slot.why_kept is None:
            yield f"dropped replication slot {slot.name} of {name}, from its time as primary"
            continue
        vacuum = ", and VACUUM on the primary" if slot.holds_xmin else ""
        yield (
            f"replication slot {slot.name} of {name} stays, because {slot.why_kept}: nobody uses "
            f"it now, and it holds back WAL there, {pretty_size(slot.kept_bytes)} by now{vacuum}. "
            f"If nobody needs it, on {name}: SELECT pg_drop_replication_slot('{slot.name}')"
        )
