"""The lines, files and rows on which decisions are based, of every supported major version."""

import pytest

from pgpool_recovery.agent.directory.effective_value import DEFAULTS, DEFAULTS_OF
from pgpool_recovery.agent.method.guarded.backup_label import is_incremental, without_incremental
from pgpool_recovery.agent.method.rewind import MISSING_WAL, Watch
from pgpool_recovery.agent.server.running import NO_RECORD
from pgpool_recovery.domain.backup_label import parse_backup_label
from pgpool_recovery.domain.data_directory import CLUSTER_ENTRIES
from pgpool_recovery.domain.event import Event, Moved
from pgpool_recovery.domain.wal import TimelineId, parse_history, parse_lsn
from pgpool_recovery.host.installation import parse_major
from pgpool_recovery.host.server_log import about_itself
from pgpool_recovery.in_server.pid_file import parse_pid_file
from pgpool_recovery.postgres.backup_refusal import refusal
from tests.unit.programs.recorded import on_each_major, recorded

ZERO_PADDED_SINCE = 19
INCREMENTAL_SINCE = 17


@on_each_major
def test_version(major: int) -> None:
    assert parse_major(recorded(major, "version.txt")) == major


@on_each_major
def test_positions(major: int) -> None:
    lines = recorded(major, "positions.txt").splitlines()
    said = {name: value for name, _, value in (line.partition(",") for line in lines)}
    read = {name: parse_lsn(value) for name, value in said.items()}
    assert read.pop("none") == 0
    assert len(set(read.values())) == 1, "the standby had it all"
    is_padded = all(len(value.partition("/")[2]) == 8 for value in said.values())
    assert is_padded is (major >= ZERO_PADDED_SINCE)


@on_each_major
def test_answers_of_a_wal_sender(major: int) -> None:
    identifier, timeline, position, _ = recorded(major, "identify_system.txt").split("|")
    control = recorded(major, "controldata/in_production.txt")
    assert f"Database system identifier:           {identifier}\n" in control
    assert timeline == "1"
    assert parse_lsn(position) > 0
    assert recorded(major, "identify_system_on_timeline_2.txt").split("|")[1] == "2"
    name, _, text = recorded(major, "timeline_history.txt").partition("|")
    assert name == "00000002.history"
    ours = parse_history(recorded(major, "history"), TimelineId(2))
    assert parse_history(text, TimelineId(2)) == ours
    assert ours.timelines == (1, 2)


@on_each_major
@pytest.mark.parametrize("of", ["of_primary", "of_standby", "by_hand", "of_pg_rewind"])
def test_backup_label(major: int, of: str) -> None:
    text = recorded(major, f"backup_label_{of}")
    start = parse_backup_label(text)
    assert start.timeline == 1
    assert start.lsn % 2**24 >= 0x28
    assert not is_incremental(text)
    assert without_incremental(text) == text


@on_each_major
def test_majors_with_wal_summaries(major: int) -> None:
    if major < INCREMENTAL_SINCE:
        with pytest.raises(FileNotFoundError):
            recorded(major, "summaries.txt")
        return
    label = recorded(major, "backup_label_incremental")
    assert is_incremental(label)
    assert not is_incremental(without_incremental(label))
    ends = [line.split(",") for line in recorded(major, "summaries.txt").splitlines()]
    assert all(parse_lsn(start) < parse_lsn(end) for _, start, end in ends)
    said = recorded(major, "incremental_without_summaries.txt").splitlines()[0]
    hint = refusal([said.partition("ERROR:  ")[2]]).hint
    assert hint is not None
    assert "summarize_wal = on" in hint


@on_each_major
def test_pid_file(major: int) -> None:
    for kind, is_ready in (("primary", True), ("standby", True), ("starting", False)):
        found = parse_pid_file(recorded(major, f"postmaster_{kind}.pid"))
        assert found is not None
        assert found.pid > 1
        assert found.port == (5433 if kind == "starting" else 5432)
        assert found.host == "/run/postgresql"
        assert found.is_ready is is_ready


@on_each_major
def test_own_files_are_distinguished_from_those_of_the_cluster(major: int) -> None:
    """A file that a new major version adds, like pg_hosts.conf, must be examined once."""
    entries = set(recorded(major, "data_directory.txt").split())
    own = {"postgresql.conf", "postgresql.auto.conf", "pg_hba.conf", "pg_ident.conf", "conf.d"}
    own |= {"pg_hosts.conf"} if major >= 19 else set()
    assert entries - CLUSTER_ENTRIES == own


@on_each_major
def test_settings_queried_from_postgres(major: int) -> None:
    locks = recorded(major, "setting/max_locks_per_transaction.txt")
    assert locks == ("128\n" if major >= 19 else "64\n")
    assert recorded(major, "setting/recovery_target_timeline.txt") == "latest\n"
    assert "application_name=node1" in recorded(major, "setting/primary_conninfo.txt")


@on_each_major
def test_settings_not_queried_from_postgres(major: int) -> None:
    lines = recorded(major, "setting/defaults.txt").splitlines()
    said = {name: value for name, _, value in (line.partition(" = ") for line in lines)}
    assert (said == DEFAULTS) is (major in DEFAULTS_OF)


@on_each_major
def test_pg_rewind_begins_and_copies(major: int) -> None:
    events: list[Event] = []
    watch = Watch(events.append)
    begun = []
    for line in recorded(major, "pg_rewind.txt").splitlines():
        had_begun = watch.has_begun
        watch.line(line)
        if watch.has_begun and not had_begun:
            begun.append(line)
    watch.finish()
    assert [line.startswith("pg_rewind: need to copy ") for line in begun] == [True]
    [moved] = [event for event in events if isinstance(event, Moved)]
    assert moved.moved_bytes > 10 * 2**20


@on_each_major
def test_pg_rewind_names_the_missing_file(major: int) -> None:
    text = recorded(major, "pg_rewind_missing_wal.txt")
    watch = Watch(lambda _event: None)
    for line in text.splitlines():
        watch.line(line)
    assert not watch.has_begun
    match = MISSING_WAL.search(text)
    assert match is not None
    assert match[1].startswith("00000001")


@on_each_major
def test_pg_waldump_finds_no_record_at_the_end(major: int) -> None:
    assert NO_RECORD in recorded(major, "pg_waldump_no_record.txt")


@on_each_major
def test_log_of_a_standby_about_itself_is_kept(major: int) -> None:
    lines = recorded(major, "server_log_of_standby.txt").splitlines()
    kept = about_itself("\n".join(lines)).splitlines()
    assert [line for line in lines if line not in kept] == [
        line for line in lines if "aborting any active transactions" in line
    ]
    assert any("started streaming WAL from primary" in line for line in kept)
