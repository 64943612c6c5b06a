"""Bring the server to where a base backup of it may begin: the primary, or a standby.

A backup of a standby begins with a restartpoint, at the REDO position of the last checkpoint that
the standby has replayed (do_pg_backup_start in xlog.c). That may be long ago, and the primary may
have removed its WAL from there. So the primary performs a checkpoint after the node's slot was
created, and the standby replays it first: the backup then begins after the slot's position.
"""

import time

from pgpool_recovery.domain.error import Undone, Unreachable
from pgpool_recovery.domain.event import Said
from pgpool_recovery.domain.pause import pause_s
from pgpool_recovery.domain.wal import Lsn, lsn_text
from pgpool_recovery.facts.step.transfer import SourceNode
from pgpool_recovery.log.note import waits
from pgpool_recovery.postgres.standby import read_upstream
from pgpool_recovery.run.party import Party

LOOK_EVERY_S = 0.5


def prepare_backup(party: Party, source: SourceNode | None) -> None:
    """Perform the checkpoint that a backup of the primary, or of a standby, begins with."""
    if source is None:
        party.checkpoint()
    else:
        bring_up(party, source)


def bring_up(party: Party, source: SourceNode) -> None:
    """Perform a checkpoint on the primary and wait until the standby has replayed it.

    Raises Undone if our role may not perform one, or if the standby stops streaming, or makes no
    progress for `stall_s`.
    """
    try:
        party.connection.do("CHECKPOINT")
    except Unreachable as error:
        raise Undone(
            f"a copy cannot be read from {source} without a checkpoint on the primary",
            detail=error.in_a_line,
        ) from error
    written, _ = _positions(party, source)
    _await_replay(party, source, written)


@waits("the standby to replay the primary's checkpoint")
def _await_replay(party: Party, source: SourceNode, position: Lsn) -> None:
    began = got_on = time.monotonic()
    known, is_told = Lsn(0), False
    while True:
        _, replayed = _positions(party, source)
        if replayed >= position:
            return
        now = time.monotonic()
        if replayed > known:
            known, got_on = replayed, now
        if now - got_on > party.deadlines.stall_s:
            raise Undone(
                f"{source} does not replay the primary's WAL",
                detail=f"It has replayed up to {lsn_text(known)}, and the copy can begin at "
                f"{lsn_text(position)}.",
            )
        if not is_told and now - began > 1.0:
            party.emit(Said("runner", f"waiting until {source} has replayed the checkpoint"))
            is_told = True
        party.agent.check()
        time.sleep(pause_s(now - began, LOOK_EVERY_S))


def _positions(party: Party, source: SourceNode) -> tuple[Lsn, Lsn]:
    """Return up to where the primary has written and the standby has replayed."""
    slots = set[str]() if source.slot_name is None else {source.slot_name}
    upstream = read_upstream(party.connection, "the primary", slots, source.application_name)
    if upstream.stream is None:
        raise Undone(f"{source} no longer streams from the primary")
    return upstream.written or Lsn(0), upstream.stream.replayed or Lsn(0)
