"""What a recovery gives up: what the node wrote or replayed and the primary does not have."""

from pgpool_recovery.domain.control_data import SHUT_DOWN, SHUT_DOWN_IN_RECOVERY, ControlData
from pgpool_recovery.domain.quantity import pretty_size
from pgpool_recovery.domain.wal import Lsn, lsn_text
from pgpool_recovery.facts.policy import Method
from pgpool_recovery.plan.divergence import Copied, Diverged, fork_of
from pgpool_recovery.plan.situation import Situation

GIVES_UP_NOTHING = frozenset({Method.ATTACH, Method.REPOINT, Method.CATCH_UP})
HAS_END = frozenset({SHUT_DOWN, SHUT_DOWN_IN_RECOVERY})


def given_up(situation: Situation, method: Method) -> str | None:
    """Return the sentence that says what is given up; None if the primary has all of it.

    A base backup that no server has recovered to consistency has never shown any data to a client,
    so it gives up nothing.
    """
    target = situation.facts.target
    if method in GIVES_UP_NOTHING or target.control is None or target.backup_start is not None:
        return None
    if not isinstance(situation.relation, Diverged | Copied):
        return None
    fork = fork_of(target.control, target.history, situation.wal.history)
    if fork is None:
        return (
            f"{situation.name} gives up what it has and the primary does not; it cannot be "
            "determined where they diverged"
        )
    return f"{situation.name} gives up what it has after {lsn_text(fork.lsn)}" + _how_much(
        target.control, fork.lsn
    )


def _how_much(control: ControlData, fork: Lsn) -> str:
    minimum_end = 0 if control.minimum_end is None else control.minimum_end.lsn
    count = max(control.checkpoint, minimum_end) - fork
    if control.state in HAS_END and count > 0:
        return f", about {pretty_size(count)} of WAL"
    known = f"at least {pretty_size(count)} of WAL; " if count > 0 else ""
    return f": {known}it is not known where its WAL ends"
