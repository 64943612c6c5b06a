"""Write the text file: what a recovery or a check has to say is new, the rest stays as it was."""

import fcntl
import os
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from pgpool_recovery.check.finding import Finding
from pgpool_recovery.config.settings import Settings
from pgpool_recovery.domain.error import Unreachable
from pgpool_recovery.metrics.families import LastRun, check_families, recovery_families
from pgpool_recovery.metrics.family import Family, render, without
from pgpool_recovery.postgres.connection import connect
from pgpool_recovery.postgres.extension import RUNS
from pgpool_recovery.run.parties import own_conninfo

MODE = 0o644
CONNECT_S = 5
ANSWER_S = 5.0
SESSION = {"lock_timeout": "2s"}

Say = Callable[[str], None]


@contextmanager
def publishing(settings: Settings, say: Say) -> Iterator[Callable[[], None]]:
    """Yield what publishes the recoveries on record, and publish them at the end of the block.

    A file that cannot be written is told, and no failure of the recovery.
    """

    def publish() -> None:
        publish_recoveries(settings, say)

    try:
        yield publish
    finally:
        publish()


def publish_recoveries(settings: Settings, say: Say) -> None:
    """Write what is on record of the last recovery of each node."""
    file = settings.metrics.textfile
    if file is None:
        return
    where = {**own_conninfo(settings), "dbname": settings.history.database}
    try:
        with connect(where, timeout_s=CONNECT_S, answer_s=ANSWER_S, settings=SESSION) as connection:
            found = connection.extension()
            if found is None or RUNS not in found.members:
                return  # Nothing is on record; the recovery has said so.
            runs = [LastRun(**row) for row in connection.rows("last_runs")]
        write(Path(file), recovery_families(runs))
    except Unreachable as error:
        say(f"metrics: nothing was written: {error.message}: {error.detail}")
    except OSError as error:
        say(f"metrics: could not write {file}: {error.strerror}")


def publish_check(
    settings: Settings, findings: Iterable[Finding], node_ids: Iterable[int | None], say: Say
) -> None:
    """Write what a check has found."""
    file = settings.metrics.textfile
    if file is None:
        return
    try:
        write(Path(file), check_families(findings, node_ids, time.time()))
    except OSError as error:
        say(f"metrics: could not write {file}: {error.strerror}")


def write(file: Path, families: tuple[Family, ...]) -> None:
    """Write families into the file and leave the others; nobody ever reads half a file.

    One at a time, by a lock beside it: a check and a recovery may end at the same moment.
    """
    beside = file.with_name(f".{file.name}.lock")
    descriptor = os.open(beside, os.O_RDWR | os.O_CREAT, MODE)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        try:
            old = file.read_text()
        except FileNotFoundError:
            old = ""
        text = without(old, (family.name for family in families)) + render(families)
        new = file.with_name(f".{file.name}.{os.getpid()}")
        try:
            new.write_text(text)
            new.chmod(MODE)
            new.replace(file)
        finally:
            new.unlink(missing_ok=True)
    finally:
        os.close(descriptor)
