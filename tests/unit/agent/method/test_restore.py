"""What a restore finds before it begins, and what it reports while it runs."""

import subprocess
import sys
from pathlib import Path

import pytest

from pgpool_recovery.agent.method.restore import (
    RestoreProgress,
    _prepare,
    _start,
    archive_settings,
    observe_repository,
)
from pgpool_recovery.domain.event import Event, Moved, Progress, Said
from pgpool_recovery.domain.wal import Lsn, Point, TimelineId
from pgpool_recovery.facts.backup import NoBackup
from pgpool_recovery.host import meter
from pgpool_recovery.host.stop import Stop
from pgpool_recovery.pgbackrest.command import into
from tests.unit.plan.test_restore import BACKUP

LINES = (
    "P00   INFO: restore command begin 2.60.0: --delta --pg1-path=/new",
    "P00   INFO: repo1: restore backup set 20261124-054411F, recovery will start at 05:44:11",
    "P00   WARN: unknown group 'dba' in backup manifest mapped to current group",
    "            HINT: a line that belongs to the one before",
    "P00 DETAIL: sync path '/new/base'",
    "P01 DETAIL: restore file /new/base/5/16384 (1GB, 50.00%) checksum 9075fb",
    "P01 DETAIL: restore file /new/base/5/1 - exists and matches backup (8KB, 75.00%) checksum f6",
    "P01 DETAIL: restore file /new/base/1/2 - exists and is zero size (bundle 3/0, 0B, 100.00%)",
    "P00   INFO: restore command end: completed successfully",
)


def told() -> list[Event]:
    events: list[Event] = []
    progress = RestoreProgress(1000, events.append)
    for line in LINES:
        progress.take(line)
    progress.finish()
    return events


def test_lines_for_a_person_and_the_sum() -> None:
    assert told() == [
        Said("pgbackrest", LINES[1].partition("INFO: ")[2]),
        Said("pgbackrest", LINES[2].partition("WARN: ")[2]),
        Moved(500),
        Said("pgbackrest", "2 of 3 files already matched the backup"),
    ]


def test_progress_counts_what_is_equal_as_done(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(meter, "TOLD_EVERY_S", 0)
    progress = [event for event in told() if isinstance(event, Progress)]
    assert [(event.done_bytes, event.total_bytes) for event in progress] == [
        (500, 1000),
        (750, 1000),
        (1000, 1000),
    ]


def test_no_pgbackrest(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    found = observe_repository("main", Stop())
    assert isinstance(found, NoBackup)
    assert found.problem == "pgbackrest is not installed"


def test_settings_in_addition_to_those_of_every_standby() -> None:
    assert archive_settings(BACKUP, "/data") == {
        "restore_command": "PGBACKREST_DB_TIMEOUT=5 /usr/bin/pgbackrest --stanza=main "
        '--pg1-path=/data --protocol-timeout=10 archive-get %f "%p"'
    }


def test_restore_of_an_agent_that_was_killed_ends_before_the_next_one_begins(
    tmp_path: Path,
) -> None:
    new = tmp_path / "new"
    program = "import time; print('runs', flush=True); time.sleep(600)"
    argv = [sys.executable, "-c", program, into(str(new)), "restore"]
    earlier = subprocess.Popen(argv, stdout=subprocess.PIPE, text=True)
    try:
        assert earlier.stdout is not None
        assert earlier.stdout.readline() == "runs\n"  # From now on its arguments can be seen.
        _prepare(new, 15)
        assert earlier.wait(5) != 0
    finally:
        earlier.kill()
        earlier.communicate()
    assert (new / "PG_VERSION").read_text() == "15\n"


def test_manifest_of_pgbackrest_in_a_directory_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "backup.manifest").touch()  # It was killed before it restored PG_VERSION.
    _prepare(tmp_path, 15)
    assert [entry.name for entry in tmp_path.iterdir()] == ["backup.manifest"]


@pytest.mark.parametrize("position", ["0/2000028", "0/02000028"])  # PostgreSQL 19 prints zeros.
def test_where_a_restored_backup_begins(tmp_path: Path, position: str) -> None:
    label = tmp_path / "backup_label"
    assert _start(label) is None
    label.write_text("no label\n")
    assert _start(label) is None
    label.write_text(f"START WAL LOCATION: {position} (file 000000030000000000000002)\n")
    assert _start(label) == Point(TimelineId(3), Lsn(0x2000028))
