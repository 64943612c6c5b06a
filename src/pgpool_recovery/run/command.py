"""Do the runner's part of a command of the user's: wait for it, and have its result judged."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from math import inf

from pgpool_recovery.domain.error import RecoveryError
from pgpool_recovery.domain.target_state import TargetState
from pgpool_recovery.domain.wal import Point
from pgpool_recovery.facts.step.transfer import CheckMade, RunCommand
from pgpool_recovery.postgres.file_backup import begin_backup, end_backup
from pgpool_recovery.postgres.wal import read_wal
from pgpool_recovery.run.party import Party, take_step
from pgpool_recovery.talk.request.steps import TakeStep, WriteLabel

LABEL = "pgpool_recovery"


def run_command(party: Party, step: RunCommand) -> TargetState:
    """Wait for the command, which the agent ends after the limit that the settings give it."""
    if not step.method.in_backup:
        return _run(party, step)
    with _backup(party, step):
        state = _run(party, step)
    asked = WriteLabel(step.places.data.new, end_backup(party.connection, step.major))
    party.agent.ask(asked, timeout_s=party.deadlines.answer_s)
    return state


def _run(party: Party, step: RunCommand) -> TargetState:
    deadlines, limit_s = party.deadlines, step.method.timeout_s
    # no limit: without timeout_s, the settings let the command take as long as it likes
    patience = inf if limit_s is None else limit_s + deadlines.answer_s
    return party.agent.ask(TakeStep(step, deadlines.stall_s), timeout_s=patience)


@contextmanager
def _backup(party: Party, step: RunCommand) -> Iterator[None]:
    """Begin a backup whose WAL the slot retains, and end it if the command fails.

    The session goes on after a failure, because another method may follow.
    """
    party.checkpoint()
    start = begin_backup(party.connection, step.major, LABEL)
    try:
        timeline = read_wal(party.connection).history.current
        party.slot.require(Point(timeline, start))
        yield
    except BaseException:
        with suppress(RecoveryError):  # A lost session has ended it, and is reported as such.
            end_backup(party.connection, step.major)
        raise


def check_made(party: Party, step: CheckMade) -> TargetState:
    """Accept what the command has made; raise Undone if it cannot become a standby.

    The slot then retains the WAL that it needs from the primary, which may be older than the slot.
    """
    accepted = party.see_made(step)
    party.slot.require(accepted.begin)
    for one in accepted.steps:
        take_step(party, one)
    return take_step(party, step)
