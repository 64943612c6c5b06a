"""A backup applied in place: what is there afterwards, and at every point before that."""

import errno
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from pgpool_recovery.agent.method.guarded import commit as commit_module
from pgpool_recovery.agent.method.guarded import durable, guard
from pgpool_recovery.agent.method.guarded.guard import is_half_applied
from pgpool_recovery.agent.method.incremental import backup as backup_module
from pgpool_recovery.domain.data_directory import GUARD_PREFIX
from pgpool_recovery.domain.error import Cancelled, Filled, Incomplete, NoRoom, Unreachable
from pgpool_recovery.domain.target_state import TargetState
from pgpool_recovery.host.stop import Stop
from tests.unit.agent.method.incremental.stream import (
    DIRECTORY,
    END,
    ScriptedConnection,
    block,
    changed,
    messages,
)
from tests.unit.agent.method.incremental.target import (
    ARCHIVES,
    GONE_OID,
    KEPT_OID,
    NEW_FILES,
    NEW_OID,
    NEW_SPACES,
    OLD_FILES,
    OLD_SPACES,
    RAW_LABEL,
    START,
    VERSION,
    Target,
    sent,
)

MESSAGES = len(messages(ARCHIVES))


class CrashError(Exception):
    """The power failed."""


def crash_at(number: int) -> Callable[[int], None]:
    def before_message(message: int) -> None:
        if message == number:
            raise CrashError

    return before_message


@pytest.fixture
def target(tmp_path: Path) -> Target:
    return Target(tmp_path)


def test_the_target_is_afterwards_what_the_backup_says(target: Target) -> None:
    connection = ScriptedConnection(messages(ARCHIVES))
    backup = target.begin(connection)
    told: list[int] = []
    applied = backup.apply(on_progress=told.append)
    assert target.files() == NEW_FILES
    assert target.space_files() == NEW_SPACES, "only the link of a dropped tablespace is removed"
    assert target.links() == {str(KEPT_OID): "kept", str(NEW_OID): "new"}
    assert (backup.start, applied.end) == (START, END)
    assert applied.counts.blocks_written == 3
    assert applied.files_removed == 5
    assert set(told) == {applied.counts.bytes_received}, "even while the files are synced"
    assert connection.is_closed
    assert sorted(entry.name for entry in (target.data / "pg_wal").iterdir()) == [
        "archive_status",
        "summaries",
    ]


def test_before_apply_nothing_is_touched(target: Target) -> None:
    connection = ScriptedConnection(messages(ARCHIVES))
    with target.begin(connection):
        pass
    assert connection.is_closed
    assert target.files() == OLD_FILES
    assert target.space_files() == OLD_SPACES


@pytest.mark.parametrize("message", range(0, MESSAGES + 1, 3))
def test_promise_4_what_is_half_applied_cannot_be_started_and_is_completed(
    target: Target, message: int
) -> None:
    with pytest.raises(CrashError):
        target.apply(crash_at(message))
    assert is_half_applied(target.data)
    assert "global/pg_control" not in target.files()
    assert target.files().get("backup_label", RAW_LABEL) == RAW_LABEL[: len(RAW_LABEL)]
    with pytest.raises(CrashError):
        target.apply(crash_at(MESSAGES - message // 2))
    target.apply()
    assert target.files() == NEW_FILES
    assert target.space_files() == NEW_SPACES
    assert str(GONE_OID) not in target.links()


EFFECTS = [
    (guard, "sync"),
    (guard, "write_file"),
    (backup_module, "link_new"),
    (commit_module, "remove_unsent"),
    (commit_module, "unlink_gone"),
    (durable, "sync"),
    (commit_module, "write_file"),
    (commit_module, "lower_guard"),
]


@pytest.mark.parametrize(("module", "name"), EFFECTS)
@pytest.mark.parametrize("after", [0, 1, 2, 3])
def test_promise_4_a_crash_at_any_effect(
    target: Target, monkeypatch: pytest.MonkeyPatch, module: object, name: str, after: int
) -> None:
    """The control file is there as long as nothing is changed, and after everything is."""
    calls = iter(range(1000))
    real = getattr(module, name)

    def crash_or(*arguments: object, **options: object) -> object:
        if next(calls) >= after:
            raise CrashError
        return real(*arguments, **options)

    with monkeypatch.context() as patch:
        patch.setattr(module, name, crash_or)
        try:
            target.apply()
        except CrashError:
            pass
        else:
            assert target.files() == NEW_FILES
    found = target.files()
    if found.get("global/pg_control") == b"old control":
        assert {name: text for name, text in found.items() if GUARD_PREFIX not in name} == OLD_FILES
    elif found.get("global/pg_control") == b"new control":
        assert {name: text for name, text in found.items() if GUARD_PREFIX not in name} == NEW_FILES
        return
    else:
        assert is_half_applied(target.data)
    target.apply()
    assert target.files() == NEW_FILES


def test_what_a_guard_left_on_the_primary_is_not_written(target: Target) -> None:
    leftover: dict[str, bytes | None] = {f"global/{GUARD_PREFIX}marker": b"the primary's"}
    target.begin(ScriptedConnection(sent({"base.tar": leftover}))).apply()
    assert target.files() == NEW_FILES


def test_the_guard_is_up_before_anything_is_received(target: Target) -> None:
    seen: list[bool] = []
    target.apply(lambda _: seen.append(is_half_applied(target.data)))
    assert seen == [True] * (MESSAGES + 1)


def test_blocks_of_files_that_an_interrupted_run_made_are_not_vouched_for(target: Target) -> None:
    with pytest.raises(CrashError):
        target.apply(crash_at(MESSAGES))
    assert (target.data / "base/7/1259").exists()
    changes = {"base.tar": {"base/7/1259": DIRECTORY, "base/7/INCREMENTAL.1259": changed({}, 1)}}
    del changes["base.tar"]["base/7/1259"]
    with pytest.raises(Incomplete, match=r'unexpected entry "base/7/INCREMENTAL\.1259"'):
        target.begin(ScriptedConnection(sent(changes))).apply()


@pytest.mark.parametrize(
    ("archive", "members", "why"),
    [
        ("base.tar", {"base/5/INCREMENTAL.99": changed({}, 1)}, "unexpected entry"),
        ("base.tar", {"base/5/INCREMENTAL.16384_vm": changed({}, 1)}, "unexpected entry"),
        ("base.tar", {"base/5/link": b"->/etc/passwd"}, "unexpected entry"),
        ("base.tar", {"pg_tblspc/16999": b"->/primary/stranger"}, "unexpected entry"),
        ("base.tar", {f"pg_tblspc/{KEPT_OID}/x": b"x"}, "unexpected entry"),
        ("base.tar", {"pg_tblspc/x": b"x"}, "unexpected entry"),
        ("base.tar", {"./base/5/16385": b"again"}, '"base/5/16385" twice'),
        ("base.tar", {"base/../../up": b"x"}, "archive that cannot be read"),
        (f"{KEPT_OID}.tar", {"PG_16_1/5/1": b"x"}, "unexpected entry"),
        (f"{KEPT_OID}.tar", {f"{VERSION}/link": b"->/etc"}, "unexpected entry"),
    ],
)
def test_what_no_primary_sends_is_refused(
    target: Target, archive: str, members: dict[str, bytes | None], why: str
) -> None:
    with pytest.raises(Incomplete, match=why) as caught:
        target.begin(ScriptedConnection(sent({archive: members}))).apply()
    assert caught.value.target is TargetState.INCOMPLETE
    assert is_half_applied(target.data)
    assert not (target.data.parent / "up").exists()


@pytest.mark.parametrize("missing", [f"{KEPT_OID}.tar", "base.tar"])
def test_an_archive_is_missing(target: Target, missing: str) -> None:
    some = {name: members for name, members in ARCHIVES.items() if name != missing}
    with pytest.raises(Incomplete, match="the base backup has the archives"):
        target.begin(ScriptedConnection(messages(some))).apply()


@pytest.mark.parametrize("missing", ["backup_label", "PG_VERSION", "global/pg_control"])
def test_a_file_that_a_server_needs_to_start_is_missing(target: Target, missing: str) -> None:
    base = {name: text for name, text in ARCHIVES["base.tar"].items() if name != missing}
    with pytest.raises(Incomplete, match=f'the base backup has no "{missing}"'):
        target.begin(ScriptedConnection(messages({**ARCHIVES, "base.tar": base}))).apply()


def test_data_before_an_archive_and_a_manifest_that_was_not_asked_for(target: Target) -> None:
    for message in (b"dxxx", b"m"):
        with pytest.raises(Incomplete, match="broke the protocol"):
            target.begin(ScriptedConnection([message])).apply()


def test_a_lost_connection(target: Target) -> None:
    def lose(number: int) -> None:
        if number == MESSAGES // 2:
            raise Unreachable("the connection to the primary was lost", detail="why")

    with pytest.raises(Incomplete) as caught:
        target.apply(lose)
    assert caught.value.detail == "why"
    assert caught.value.target is TargetState.INCOMPLETE


def test_a_cancel(target: Target) -> None:
    stop = Stop()
    connection = ScriptedConnection(messages(ARCHIVES), lambda _: stop.ask())
    with pytest.raises(Cancelled) as caught:
        target.begin(connection, stop).apply()
    assert caught.value.target is TargetState.INCOMPLETE
    assert connection.is_closed


def test_a_full_disk(target: Target, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, "pwrite", full)
        with pytest.raises(Filled, match="No space left on device"):
            target.apply()
    target.apply()
    assert target.files() == NEW_FILES


def test_a_marker_that_cannot_be_written_leaves_the_target_untouched(
    target: Target, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device", "marker")

    monkeypatch.setattr(guard, "write_file", full)
    connection = ScriptedConnection(messages(ARCHIVES))
    with pytest.raises(NoRoom) as caught:
        target.begin(connection).apply()
    assert caught.value.target is TargetState.UNTOUCHED
    assert connection.is_closed
    assert target.files() == OLD_FILES


def test_wal_directory_elsewhere_is_emptied_and_stays_linked(target: Target) -> None:
    elsewhere = target.data.parent / "wal"
    (target.data / "pg_wal").rename(elsewhere)
    (target.data / "pg_wal").symlink_to(elsewhere)
    (elsewhere / "lost+found").mkdir()
    target.apply()
    assert (target.data / "pg_wal").readlink() == elsewhere
    names = sorted(entry.name for entry in elsewhere.iterdir())
    assert names == ["archive_status", "lost+found", "summaries"]
    assert list((elsewhere / "summaries").iterdir()) == []


@pytest.mark.parametrize(("mode", "file_mode"), [(0o700, 0o600), (0o750, 0o640)])
def test_the_group_may_read_what_it_may_read_of_the_directory(
    target: Target, mode: int, file_mode: int
) -> None:
    target.data.chmod(mode)
    umask = os.umask(0o077)  # The agent has this one.
    try:
        target.apply()
    finally:
        os.umask(umask)
    assert (target.data / "base/7").stat().st_mode & 0o777 == mode
    assert (target.data / "base/7/1259").stat().st_mode & 0o777 == file_mode
    assert (target.data / "global/pg_control").stat().st_mode & 0o777 == file_mode


def test_a_file_behind_a_link_is_not_written(target: Target) -> None:
    secret = target.data.parent / "secret"
    secret.write_bytes(block("s"))
    (target.data / "pg_xact/0001").unlink()
    (target.data / "pg_xact/0001").symlink_to(secret)
    with pytest.raises(Incomplete, match="symbolic link"):
        target.apply()
    assert secret.read_bytes() == block("s")
