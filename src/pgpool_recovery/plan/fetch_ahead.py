"""Whether WAL is fetched from an archive before the server that replays it asks for it.

A server asks for one file after the other and replays only in between, and each call may cost a
login. So a few calls at the same time, during the replay, take most of that time away.
"""

import re

from pgpool_recovery.facts.archived_wal import FetchAhead, FromArchive
from pgpool_recovery.plan.from_archive import wal_of_primary
from pgpool_recovery.plan.situation import Situation

LEAST_FILES = 4
"""For fewer files it is not worth changing the server's settings."""
MOST_AT_ONCE = 4
"""An archive has other clients, and sshd drops logins if ten are under way (MaxStartups)."""
MOST_WAITING = 32
MOST_WAITING_BYTES = 2**30
MOST_TRIED_BYTES = 2**28
"""What the files that are tried at the same time may have; /tmp may be in memory."""
MOST_KEPT = 100
"""For how many files that the node has itself the server is kept from asking for them."""


BY_ITSELF = re.compile(r"\bwal-g\b")
"""What fetches ahead by itself: each call leaves a process that writes beside the file."""


def fetch_ahead(
    situation: Situation, source: FromArchive | None, spare_bytes: int
) -> FetchAhead | None:
    """Return how the WAL of an archive is fetched ahead; None if that is not worth it.

    `spare_bytes` is what stays free where the files wait.
    """
    if source is None or not situation.facts.fetches_ahead or source.files < LEAST_FILES:
        return None
    if BY_ITSELF.search(source.command):
        return None
    size = situation.wal.segment_bytes
    most = min(MOST_WAITING, min(MOST_WAITING_BYTES, spare_bytes) // size)
    if most < 1:
        return None
    first = source.next_segment - source.files
    redo = situation.follows.base.redo.lsn // size
    return FetchAhead(
        command=source.command,
        timeout_s=source.timeout_s,
        kept_from=max(min(redo, first), first - MOST_KEPT),
        first=first,
        last=source.next_segment - 1,
        at_once=min(situation.policy.workers or MOST_AT_ONCE, MOST_AT_ONCE, most),
        most=most,
        of_primary=wal_of_primary(situation),
    )


def tried_at_once(
    command: str, segment_bytes: int, workers: int | None, *, is_allowed: bool
) -> int:
    """Return how many files of an archive are tried at the same time, before any is fetched ahead.

    `workers` is that of the policy.
    """
    if not is_allowed or BY_ITSELF.search(command):
        return 1
    fit = max(1, MOST_TRIED_BYTES // segment_bytes)
    return min(workers or MOST_AT_ONCE, MOST_AT_ONCE, fit)


def notes_on_none_ahead(source: FromArchive | None) -> tuple[str, ...]:
    """Return the note of a plan by a method that does not have WAL fetched ahead.

    After a rewind, the remote start starts the server. A running one may ask the archive at any
    time, and if it is refused because of calls of ours, it ends.
    """
    if source is None or source.files < LEAST_FILES:
        return ()
    return ("the server asks for one WAL file after the other; only catch-up fetches them ahead",)


def notes_on_ahead(ahead: FetchAhead | None) -> tuple[str, ...]:
    """Return the note of a plan whose WAL is fetched ahead."""
    if ahead is None:
        return ()
    files = "file waits" if ahead.most == 1 else "files wait"
    what = f"where the first stage starts the server, it fetches {ahead.at_once} of them at a time"
    return (f"{what} before the server asks for them; at most {ahead.most} {files} in pg_wal",)
