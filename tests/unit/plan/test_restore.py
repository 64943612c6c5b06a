"""Whether the newest backup of a repository may become a standby of this primary."""

from dataclasses import replace
from typing import Any

from pgpool_recovery.domain.error import Refused, Unreachable
from pgpool_recovery.domain.wal import History, Lsn, Point, TimelineId, parse_lsn
from pgpool_recovery.facts.backup import Backup, BackupTablespace, NoBackup, Repository, Restoration
from pgpool_recovery.facts.rejection import Rejection
from pgpool_recovery.plan.restore import NOT_CONFIGURED, archive_reach, reject_restore
from pgpool_recovery.talk.wire import as_result, result_as

SYSTEM = "7298271828459045235"
SEGMENT_BYTES = 16 * 2**20


def point(text: str, timeline: int = 1) -> Point:
    return Point(TimelineId(timeline), parse_lsn(text))


REPOSITORY = Repository(
    stanza="main",
    label="20261124-054411F",
    start=point("0/4000028"),
    stop=point("0/5000100"),
    system_identifier=SYSTEM,
    size_bytes=10 * 2**30,
    archived="000000010000000000000008",
)
BACKUP = Backup(
    program="/usr/bin/pgbackrest",
    repo=1,
    repository=REPOSITORY,
    major=15,
    tablespaces=(BackupTablespace(oid=16400, name="ts1", location="/ts1"),),
)
ON_ONE = History(TimelineId(1))
ON_TWO = History(TimelineId(2), (point("0/7000100"),))
"""Promoted in the middle of segment 7."""


def rejections(found: Backup | NoBackup | None = BACKUP, **changes: Any) -> list[Rejection]:
    """Return what rules out a restore; without the changes, nothing does."""
    fitting: dict[str, Any] = {
        "system_identifier": SYSTEM,
        "major": 15,
        "history": ON_ONE,
        "oldest_wal": "000000010000000000000009",
        "segment_bytes": SEGMENT_BYTES,
        "tablespaces": {16400: "/ts1"},
    }
    return list(reject_restore("node 1", found, **fitting | changes))


def backup(**changes: Any) -> Backup:
    return replace(BACKUP, repository=replace(REPOSITORY, **changes))


def test_nothing_speaks_against_it() -> None:
    assert rejections() == []


def test_no_stanza_is_configured() -> None:
    assert rejections(None) == [NOT_CONFIGURED]


def test_target_sees_no_backup() -> None:
    found = NoBackup("there is no pgbackrest", hint="Install it.")
    assert rejections(found) == [
        Rejection(
            "node 1 cannot be restored from pgBackRest: there is no pgbackrest",
            hint="Install it.",
            kind=Refused,
        )
    ]


def test_repository_is_unreachable() -> None:
    found = NoBackup("stanza main cannot be reached", "Connection refused", is_unreachable=True)
    (rejection,) = rejections(found)
    assert (rejection.kind, rejection.detail) == (Unreachable, "Connection refused")


def test_backup_of_another_cluster_is_that_and_no_more() -> None:
    stranger = backup(system_identifier="7301415926535897932", stop=point("0/5000100", 9))
    (rejection,) = rejections(stranger)
    assert rejection.message == "backup 20261124-054411F of stanza main is from another cluster"
    assert rejection.detail == (
        "Its system identifier is 7301415926535897932, the primary's is 7298271828459045235."
    )


def test_backup_of_another_major_version() -> None:
    (rejection,) = rejections(replace(BACKUP, major=14))
    assert rejection.message == ("backup 20261124-054411F of stanza main is from PostgreSQL 14")
    assert rejection.detail == "The primary is PostgreSQL 15."


def test_backup_on_a_timeline_that_the_primary_never_had() -> None:
    ours = backup(start=point("0/4000028", 3), stop=point("0/5000100", 3))
    (rejection,) = rejections(ours, history=ON_TWO)
    assert rejection.message == (
        "backup 20261124-054411F is on timeline 3, which is not in the history of the primary"
    )
    assert rejection.detail == "The primary's timelines are 1, 2."


def test_backup_of_the_primary_before_its_promotion() -> None:
    assert rejections(history=ON_TWO, oldest_wal="000000020000000000000007") == []


def test_backup_that_ends_after_the_fork() -> None:
    (rejection,) = rejections(
        backup(stop=point("0/7000101")), history=ON_TWO, oldest_wal="000000010000000000000004"
    )
    assert rejection.message == (
        "backup 20261124-054411F was taken after the primary had left its timeline"
    )
    assert rejection.detail == (
        "It ends at 0/7000101 on timeline 1; the primary left that timeline at 0/7000100."
    )


def test_archive_of_a_server_that_was_promoted_too() -> None:
    """Recovery would take its timeline for the latest one, and leave the primary's."""
    (rejection,) = rejections(
        backup(archived="000000020000000000000008"), oldest_wal="000000010000000000000004"
    )
    assert rejection.message == "the archive of stanza main has WAL of timeline 2"
    assert rejection.detail is not None
    assert rejection.detail.startswith("The primary is on timeline 1.")


def test_tablespace_that_was_created_since() -> None:
    (rejection,) = rejections(tablespaces={16400: "/ts1", 16500: "/ts2"})
    assert rejection.message == "backup 20261124-054411F has different tablespaces than the primary"
    assert rejection.detail == "/ts2 was created since then."


def test_tablespace_that_was_dropped_since() -> None:
    (rejection,) = rejections(tablespaces={16500: "/ts2"})
    assert rejection.detail == "/ts2 was created since then and /ts1 was dropped since then."


def test_archive_ends_where_the_primary_begins() -> None:
    assert rejections(oldest_wal="000000010000000000000009") == []


def test_gap_between_archive_and_primary() -> None:
    (rejection,) = rejections(oldest_wal="00000001000000000000000A")
    assert rejection.message == "WAL is missing between backup 20261124-054411F and the primary"
    assert rejection.detail == (
        "The backup begins in 000000010000000000000004, the archive ends with "
        "000000010000000000000008, and the oldest WAL file of the primary is "
        "00000001000000000000000A."
    )


def test_primary_that_has_all_wal_needs_no_archive() -> None:
    nothing = backup(archived=None)
    assert rejections(nothing, oldest_wal="000000010000000000000004") == []
    (rejection,) = rejections(nothing, oldest_wal="000000010000000000000005")
    assert "the archive is empty" in (rejection.detail or "")


def test_archive_past_the_fork_reaches_only_to_the_fork() -> None:
    """A former primary kept archiving; the segment with the fork is needed on the new timeline."""
    longer = backup(archived="00000001000000000000000F")
    assert rejections(longer, history=ON_TWO, oldest_wal="000000020000000000000007") == []
    assert rejections(longer, history=ON_TWO, oldest_wal="000000020000000000000008") != []


def test_archive_on_a_timeline_beside_the_primarys_has_nothing() -> None:
    on_three = History(TimelineId(3), (point("0/7000100"),))
    assert archive_reach("000000020000000000000007", on_three, SEGMENT_BYTES) is None


def test_larger_segments() -> None:
    segment_bytes = 64 * 2**20
    late = backup(
        start=point("1/8000028"), stop=point("1/8000100"), archived="000000010000000100000002"
    )
    assert (
        rejections(late, segment_bytes=segment_bytes, oldest_wal="000000010000000100000003") == []
    )
    assert (
        rejections(late, segment_bytes=segment_bytes, oldest_wal="000000010000000100000004") != []
    )


def test_start_and_stop_may_lie_on_segment_borders() -> None:
    exact = backup(start=Point(TimelineId(1), Lsn(9 * SEGMENT_BYTES)), archived=None)
    assert rejections(exact, oldest_wal="000000010000000000000009") == []


def test_all_of_it_crosses_the_wire() -> None:
    for value, kind in (
        (BACKUP, Backup),
        (NoBackup("there is no pgbackrest"), NoBackup),
        (Restoration(BACKUP, "/new", "/data", None, {16400: "/ts1"}), Restoration),
    ):
        assert result_as(as_result(value), kind) == value
    for either in (BACKUP, NoBackup("there is no pgbackrest"), None):
        found: Any = result_as(as_result(either), Backup | NoBackup | None)  # type: ignore[arg-type]
        assert found == either
