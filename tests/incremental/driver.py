"""Make an incremental backup as the agent does, on a target's host, with the installed product.

The test plays the runner. Both communicate by files in a directory of their own, since a test may
kill this process at any moment. This process writes `begun`, `paused`, then `applied` or `failed`;
the test writes `go` or `leave`, and `resume`.
"""

import dataclasses
import json
import sys
import time
from pathlib import Path
from typing import Any

from pgpool_recovery.agent.method import relation_file
from pgpool_recovery.agent.method.incremental import begin
from pgpool_recovery.agent.method.incremental.backup import IncrementalBackup
from pgpool_recovery.agent.method.incremental.stale_directory import read_base
from pgpool_recovery.domain.error import RecoveryError
from pgpool_recovery.domain.wal import History, lsn_text
from pgpool_recovery.facts.facts import Base, RelationSegment
from pgpool_recovery.host.stop import Stop
from pgpool_recovery.postgres.backup_stream import StreamLimits

ANSWER_WITHIN_S = 120
TICK_S = 0.01


def main() -> None:
    """Do what the only argument, a JSON object, describes."""
    wish = json.loads(sys.argv[1])
    conversation = Path(wish["conversation"])
    take_out(wish["without"])
    try:
        if wish["what"] == "read_base":
            base = read_base(Path(wish["data_directory"]), Path(wish["bin_directory"]), Stop())
            write(conversation / "applied", [as_json(base.redo), as_json(base.end)])
        else:
            back_up(wish, conversation)
    except RecoveryError as error:
        write(conversation / "failed", error.as_record())


def back_up(wish: dict[str, Any], conversation: Path) -> None:
    """Begin the backup, then apply it or abandon it, as the test answers."""
    request = begin.BackupRequest(
        data_directory=Path(wish["data_directory"]),
        bin_directory=Path(wish["bin_directory"]),
        conninfo=wish["conninfo"],
        left_out=[RelationSegment(**segment) for segment in wish["left_out"]],
        locations={int(oid): location for oid, location in wish["locations"].items()},
        limits=StreamLimits(silence_s=wish["silence_s"]),
    )
    with begin.begin_backup(request, Stop()) as backup:
        write(conversation / "begun", as_json(backup.start))
        if wait_for_answer(conversation, "go", "leave") == "go":
            apply(backup, wish, conversation)
        else:
            write(conversation / "applied", None)


def apply(backup: IncrementalBackup, wish: dict[str, Any], conversation: Path) -> None:
    """Apply the backup; pause where the test asked for it, until the test says to resume."""

    def on_progress(received_bytes: int) -> None:
        paused = conversation / "paused"
        pause_at_bytes = wish["pause_at_bytes"]
        if pause_at_bytes is not None and received_bytes >= pause_at_bytes and not paused.exists():
            write(paused, received_bytes)
            wait_for_answer(conversation, "resume")

    began = time.monotonic()
    applied = backup.apply(verify_pages=wish["verify_pages"], on_progress=on_progress)
    counts = dataclasses.asdict(applied.counts)
    seconds = time.monotonic() - began
    write(conversation / "applied", {"end": as_json(applied.end), "seconds": seconds, **counts})


def take_out(corrections: list[str]) -> None:
    """Disable C1 or C3, to show what happens without them; C2 is left out by the test itself."""
    if "C1" in corrections:
        relation_file.VOUCHED_FORKS = (*relation_file.VOUCHED_FORKS, "_vm")
    if "C3" in corrections:
        begin.check_not_past_fork = let_pass


def let_pass(base: Base, history: History) -> None:
    """Check nothing, in place of the check that is C3."""


def wait_for_answer(conversation: Path, *answers: str) -> str:
    """Wait until the test says how to go on."""
    deadline = time.monotonic() + ANSWER_WITHIN_S
    while time.monotonic() < deadline:
        for answer in answers:
            if (conversation / answer).exists():
                return answer
        time.sleep(TICK_S)
    raise TimeoutError("the test has not answered")


def as_json(point: Any) -> dict[str, Any]:
    """Return a point as a JSON object."""
    return {"timeline": point.timeline, "lsn": lsn_text(point.lsn)}


def write(file: Path, value: object) -> None:
    """Write a file atomically, so a reader never sees half of it."""
    growing = file.with_name(f"{file.name}.growing")
    growing.write_text(json.dumps(value))
    growing.rename(file)


if __name__ == "__main__":
    main()
