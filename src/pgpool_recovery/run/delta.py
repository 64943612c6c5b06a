"""Do the runner's part of a delta: bracket it as a backup of files, and commit what arrived."""

import os
import secrets
import time

from pgpool_recovery.domain.event import Emit, Moved, Said
from pgpool_recovery.domain.quantity import pretty_size
from pgpool_recovery.domain.record import replace
from pgpool_recovery.domain.target_state import TargetState
from pgpool_recovery.facts.policy import BlockHash, kilobytes
from pgpool_recovery.facts.step.transfer import Delta
from pgpool_recovery.host.xxh3 import SECRET_BYTES
from pgpool_recovery.run.backup_begin import prepare_backup
from pgpool_recovery.run.channels import Channels, Totals, Wires
from pgpool_recovery.run.party import Party
from pgpool_recovery.run.read_server import Bracket
from pgpool_recovery.talk.protocol import SILENCE_S
from pgpool_recovery.talk.request.blocks import OpenChannel
from pgpool_recovery.talk.request.steps import BeginDelta, CommitDelta

MOST_WORKERS = 4
"""By default: a disk or a link is busy by then, and the source has other work."""
SEEN_EVERY_S = 5.0
"""How often to check that the backup has not been aborted, and that the slot retains its WAL."""


def apply_delta(party: Party, step: Delta) -> TargetState:
    """Compare all files with those of the source, and write what differs.

    The source aborts the backup when our session with it ends, whatever happens to us.
    """
    server, agent, patience = party.source, party.agent, party.deadlines.stall_s
    prepare_backup(party, step.source)
    with server.bracket(f"pgpool-recovery of {step.slot_name}") as bracket:
        backup = bracket.backup
        party.slot.require(backup.start)
        begin = BeginDelta(step, backup.start, backup.source.format, backup.locations)
        begun = agent.ask(begin, timeout_s=patience)
        source = replace(backup.source, is_whole=step.is_whole)
        opens = OpenChannel(
            source, begun.target, server.receiver, SILENCE_S, _hash_secret(step.block_hash)
        )
        wires = Wires(server.start_agent, opens, _workers(step, begun.processors), _rate(step))
        look = _Look(party, bracket)
        totals = Channels(wires, agent, party.emit, party.deadlines, look).carry_out()
        label = bracket.stop()
    _tell(party.emit, totals)
    commit = CommitDelta(step, label, tuple(totals.vanished))
    return agent.ask(commit, timeout_s=patience, is_renewed_by_events=True)


def _workers(step: Delta, processors: int) -> int:
    """Return how many files are compared at the same time."""
    return step.workers or min(MOST_WORKERS, processors, os.cpu_count() or 1)


def _hash_secret(chosen: BlockHash) -> str | None:
    """Return a secret for this run alone, with which blocks are hashed; None for SHA-256."""
    return None if chosen is BlockHash.SHA256 else secrets.token_hex(SECRET_BYTES)


def _rate(step: Delta) -> int | None:
    return None if step.max_rate is None else 1024 * kilobytes(step.max_rate)


def _tell(emit: Emit, totals: Totals) -> None:
    compared, sent = pretty_size(totals.read_bytes), pretty_size(totals.sent_bytes)
    hashes = " and ".join(sorted(totals.hashes))
    emit(Moved(totals.sent_bytes))
    emit(
        Said(
            "runner",
            f"{compared} compared by {hashes}, {sent} sent: "
            f"{totals.blocks} blocks and {totals.files_whole} whole files",
        )
    )


class _Look:
    """Looks from time to time whether what was begun can still be finished, and raises if not."""

    def __init__(self, party: Party, bracket: Bracket) -> None:
        self._party, self._bracket = party, bracket
        self._looked = time.monotonic()

    def __call__(self) -> None:
        self._party.agent.check()
        if time.monotonic() - self._looked > SEEN_EVERY_S:
            self._looked = time.monotonic()
            self._bracket.see()
            self._party.slot.require(self._bracket.backup.start)
