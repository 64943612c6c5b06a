"""Write the text file: replace the metrics of recoveries, or those of the check; keep the rest."""

import fcntl
import os
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from pgpool_recovery.config.settings import Settings
from pgpool_recovery.domain.error import Refused, Unreachable
from pgpool_recovery.domain.event import Say
from pgpool_recovery.files.text import text_of
from pgpool_recovery.files.trust import Untrusted, read_own
from pgpool_recovery.files.write import open_lock_file, write_file
from pgpool_recovery.log.note import waits
from pgpool_recovery.metrics.families import (
    Counted,
    LastRun,
    check_families,
    outcome_families,
    recovery_families,
)
from pgpool_recovery.metrics.family import Family, render, without
from pgpool_recovery.postgres.connection import connect
from pgpool_recovery.postgres.extension import RUNS
from pgpool_recovery.run.own_server import own_conninfo

MODE = 0o644
LOCK_S, LOCK_AGAIN_S = 5, 0.05
ANSWER_S = 5.0
SESSION = {"lock_timeout": "2s"}


@contextmanager
def publishing(settings: Settings, say: Say) -> Iterator[Callable[[], None]]:
    """Yield a function that publishes the recorded recoveries, and call it after the block.

    If the file cannot be written, that is reported, but the recovery does not fail.
    """

    def publish() -> None:
        publish_recoveries(settings, say)

    try:
        yield publish
    finally:
        publish()


def publish_recoveries(settings: Settings, say: Say) -> None:
    """Write the metrics of the last recorded recovery of each node."""
    file = settings.metrics.textfile
    if file is None:
        return
    where = {**own_conninfo(settings), "dbname": settings.history.database}
    try:
        with connect(
            where,
            timeout_s=settings.timeout.connect_s,
            answer_s=ANSWER_S,
            settings=SESSION,
        ) as connection:
            found = connection.extension()
            if found is None or RUNS not in found.members:
                return  # Nothing is recorded; the recovery has reported that.
            runs = [LastRun(**row) for row in connection.rows("last_runs")]
    except (Unreachable, Refused) as error:
        say(f"metrics: nothing was written: {error.in_a_line}")
        return
    try:
        write(Path(file), recovery_families(runs))
    except (OSError, Refused) as error:
        say(f"metrics: could not write {file}: {_reason(error)}")


def publish_check(
    settings: Settings, findings: Iterable[Counted], node_ids: Iterable[int | None], say: Say
) -> None:
    """Write the metrics of a check."""
    file = settings.metrics.textfile
    if file is None:
        return
    try:
        write(Path(file), check_families(findings, node_ids, time.time()))
    except (OSError, Refused) as error:
        say(f"metrics: could not write {file}: {_reason(error)}")


def publish_outcome(
    file: Path,
    exit_status: int,
    findings: Iterable[Counted] = (),
    node_ids: Iterable[int | None] | None = None,
) -> None:
    """Write the metrics of a check on the host where the command runs; raises Refused.

    Without `node_ids` the check could not be made: what the last one found is kept, with its time.
    """
    found = () if node_ids is None else check_families(findings, node_ids, time.time())
    try:
        write(file, (*found, *outcome_families(exit_status)))
    except (OSError, Refused) as error:
        raise Refused(f"could not write metrics file {file}: {_reason(error)}") from error


def write(file: Path, families: tuple[Family, ...]) -> None:
    """Write families into the file atomically and keep the others.

    A lock file beside it serializes the writers: a check and a recovery may end at the same moment.
    """
    descriptor = open_lock_file(file.with_name(f".{file.name}.lock"))
    try:
        _lock(descriptor, file)
        text = without(_old(file), (family.name for family in families)) + render(families)
        write_file(file, text, mode=MODE)
    finally:
        os.close(descriptor)


@waits("the lock of the metrics file")
def _lock(descriptor: int, file: Path) -> None:
    deadline = time.monotonic() + LOCK_S
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() >= deadline:
                raise Refused(f"another process has been writing {file} for {LOCK_S} s") from None
            time.sleep(LOCK_AGAIN_S)
        else:
            return


def _old(file: Path) -> str:
    """Return the existing text, not through a link, since what is kept becomes world-readable."""
    try:
        return text_of(read_own(file))
    except FileNotFoundError:
        return ""
    except Untrusted as untrusted:
        raise Refused(
            f"the existing file is not ours: {untrusted.why}", hint="Remove it."
        ) from untrusted


def _reason(error: OSError | Refused) -> str:
    """Return why a file was not written, on one line."""
    if isinstance(error, OSError):
        return error.strerror or str(error)
    parts = (error.message, error.detail, error.hint)
    return ". ".join(part.rstrip(".") for part in parts if part)
