"""Make the full copy: pg_basebackup into the workspaces, then pg_verifybackup on the result."""

import re
import time
from collections.abc import Callable

from pgpool_recovery.agent.directory.own_login import OwnLogin
from pgpool_recovery.domain.event import Emit, Progress, pay_no_heed
from pgpool_recovery.facts.facts import Conninfo
from pgpool_recovery.facts.step import CopyBaseBackup, VerifyBackup
from pgpool_recovery.host.program import run
from pgpool_recovery.host.stop import Stop
from pgpool_recovery.postgres.conninfo import format_conninfo

KEEPALIVES = {"keepalives_idle": "30", "keepalives_interval": "10", "keepalives_count": "6"}
SERVER_OPTIONS = (
    "-c wal_sender_timeout=10min "
    "-c tcp_keepalives_idle=30 -c tcp_keepalives_interval=10 -c tcp_keepalives_count=6"
)
"""A target that is busy writing must not be taken for dead; a dead one must not keep the slot."""
PROGRESS_MARK = "%)"
PROGRESS = re.compile(r"(\d+)/(\d+) kB ")


def copy_base_backup(
    step: CopyBaseBackup,
    own_login: OwnLogin,
    stop: Stop,
    on_line: Callable[[str], None],
    emit: Emit = pay_no_heed,
) -> None:
    """Copy the files of the primary, or of a standby, and the WAL that is written meanwhile.

    The checkpoint is a fast one, because a spread one takes as long as checkpoint_timeout allows.
    On a standby it is a restartpoint. The progress of a copy from a standby is emitted; that of
    the primary's is read there by the runner. Raises Undone when pg_basebackup fails.
    """
    began = time.monotonic()

    def take(line: str) -> None:
        if PROGRESS_MARK not in line:
            on_line(line)
        elif step.source is not None and (moved := PROGRESS.search(line)):
            done, total = (1024 * int(kilobytes) for kilobytes in moved.groups())
            emit(Progress(done, total, bytes_per_s=done / max(0.1, time.monotonic() - began)))

    with own_login.for_program(_connection(step)) as (conninfo, environment):
        run(
            argv(step, conninfo),
            stop,
            timeout_s=None,  # no limit: the runner ends it after stall_s without progress
            on_line=take,
            environment=environment,
        ).check()


def argv(step: CopyBaseBackup, conninfo: Conninfo) -> list[str]:
    """Return the command line of pg_basebackup, which every user on the host can read."""
    places = step.places
    words = [
        f"{step.bin_directory}/pg_basebackup",
        f"--dbname={format_conninfo(conninfo)}",
        f"--pgdata={places.data.new}",
        "--format=plain",
        "--wal-method=stream",
        f"--slot={step.slot_name}" if step.streams_by_slot else "--no-slot",
        "--checkpoint=fast",
        "--label=pgpool_recovery",
        "--no-password",
        "--progress",
    ]
    if places.wal is not None:
        words.append(f"--waldir={places.wal.new}")
    if step.compression is not None:
        words.append(f"--compress=server-{step.compression}")
    if step.max_rate is not None:
        words.append(f"--max-rate={step.max_rate}")
    for tablespace in places.tablespaces:
        mapping = f"{_escape(tablespace.primary_location)}={_escape(tablespace.copy_location)}"
        words.append(f"--tablespace-mapping={mapping}")
    return words


def _connection(step: CopyBaseBackup) -> Conninfo:
    """Return the connection; the runner finds the copy's progress by its application name."""
    own = {"application_name": step.slot_name, "options": SERVER_OPTIONS}
    return {**step.conninfo, **KEEPALIVES, **own, "dbname": "replication"}


def _escape(directory: str) -> str:
    """Escape a directory for --tablespace-mapping, where an equals sign needs a backslash."""
    return directory.replace("=", "\\=")


def verify_backup(step: VerifyBackup, stop: Stop, on_line: Callable[[str], None]) -> None:
    """Check every file of the copy, and that its WAL can be read; raise Undone if not."""
    program = f"{step.bin_directory}/pg_verifybackup"
    new = step.places.data.new
    # no limit: the runner ends a step after step_s, and the agent then ends its programs
    run([program, "--quiet", new], stop, timeout_s=None, on_line=on_line).check()
