"""The newest backup, or the reason why there is none, from what three versions really said."""

import json
import re
from typing import Any

import pytest

from pgpool_recovery.domain.wal import parse_lsn
from pgpool_recovery.facts.backup import BackupTablespace, NoBackup
from pgpool_recovery.pgbackrest.info import Newest, read_newest, read_tablespaces
from tests.unit.pgbackrest.recorded import VERSIONS, recorded

STANZA = "main"


@pytest.fixture(params=VERSIONS)
def version(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def newest(version: str, situation: str) -> Newest:
    found = read_newest(recorded(version, situation), STANZA)
    assert isinstance(found, Newest)
    return found


def reason(version: str, situation: str) -> NoBackup:
    found = read_newest(recorded(version, situation), STANZA)
    assert isinstance(found, NoBackup)
    return found


def changed(version: str, situation: str, **changes: Any) -> str:
    """Return what was recorded with another value for some of the newest backup's keys."""
    ((stanza),) = json.loads(recorded(version, situation))
    stanza["backup"][-1] |= changes
    return json.dumps([stanza])


def test_the_only_backup(version: str) -> None:
    found = newest(version, "one_backup")
    backup = found.repository
    assert (found.repo, found.major) == (1, VERSIONS[version])
    assert backup.stanza == STANZA
    assert re.fullmatch(r"\d{8}-\d{6}F", backup.label)
    assert (backup.start.timeline, backup.start.lsn) == (1, parse_lsn("0/4000028"))
    assert backup.start.lsn < backup.stop.lsn < parse_lsn("0/5000000")
    assert backup.system_identifier.isdigit()
    assert len(backup.system_identifier) == 19
    assert 20_000_000 < backup.size_bytes < 40_000_000
    assert backup.archived == "000000010000000000000004"


def test_an_incremental_backup_is_as_good_as_a_full_one(version: str) -> None:
    backup = newest(version, "two_backups").repository
    assert re.fullmatch(r"\d{8}-\d{6}F_\d{8}-\d{6}I", backup.label)
    assert backup.start.lsn == parse_lsn("0/6000028")
    assert backup.archived == "000000010000000000000008"


def test_backup_with_page_checksum_errors_is_passed_over(version: str) -> None:
    before = newest(version, "two_backups").repository
    assert newest(version, "page_checksum_error").repository.label == before.label
    only = read_newest(changed(version, "one_backup", error=True), STANZA)
    assert isinstance(only, NoBackup)
    assert only.problem == "all backups of stanza main have page checksum errors"


def test_wal_of_the_highest_timeline_is_the_last(version: str) -> None:
    archived = newest(version, "other_timeline").repository.archived
    assert archived is not None
    assert archived.startswith("00000002")


def test_the_first_repository_comes_first(version: str) -> None:
    assert newest(version, "two_repositories").repo == 1


def test_the_second_repository_serves_when_the_first_is_unreachable(version: str) -> None:
    found = newest(version, "first_repository_unreachable")
    assert found.repo == 2
    assert found.repository == newest(version, "two_repositories").repository


def test_no_backup(version: str) -> None:
    found = reason(version, "no_backup")
    assert (found.problem, found.is_unreachable) == ("stanza main has no backup", False)


def test_no_stanza(version: str) -> None:
    found = read_newest(recorded(version, "no_stanza"), "other")
    assert isinstance(found, NoBackup)
    assert found.problem == "stanza other does not exist in the repository"


def test_unreachable_repository_speaks_for_itself(version: str) -> None:
    found = reason(version, "unreachable")
    assert found.is_unreachable
    assert "Connection refused" in (found.detail or "")
    assert "timeout after 10000ms" in (reason(version, "silent").detail or "")


def test_a_restore_that_runs_is_told_by_versions_that_lock() -> None:
    assert reason("2.60.0", "restore_running").problem == (
        "a restore of stanza main is running on that host"
    )
    assert newest("2.45", "restore_running").repo == 1


def test_tablespaces(version: str) -> None:
    (tablespace,) = read_tablespaces(recorded(version, "tablespaces"))  # type: ignore[misc]
    assert isinstance(tablespace, BackupTablespace)
    assert (tablespace.name, tablespace.location) == ("ts1", "/var/lib/postgresql/ts1")
    assert tablespace.oid >= 16384


def test_no_tablespaces(version: str) -> None:
    assert read_tablespaces(changed(version, "tablespaces", tablespace=None)) == ()


def test_tablespaces_of_a_backup_that_is_gone(version: str) -> None:
    found = read_tablespaces(recorded(version, "expired_backup"))
    assert isinstance(found, NoBackup)


def test_warnings_before_the_answer_are_passed_over(version: str) -> None:
    noisy = "Debian 12\nP00   WARN: [x] odd\n" + recorded(version, "one_backup")
    assert read_newest(noisy, STANZA) == newest(version, "one_backup")


@pytest.mark.parametrize("output", ["", "no JSON", "[", "[]", '[{"name": "main"}]', "[1]"])
def test_what_cannot_be_understood_is_a_reason(output: str) -> None:
    found = read_newest(output, STANZA)
    assert isinstance(found, NoBackup)
    assert found.problem == "the output of pgbackrest info cannot be parsed"
    assert isinstance(read_tablespaces(output), NoBackup)
