"""The agent's part of a delta: guard the directory, let others write, commit it as a whole."""

import errno
import os
import struct
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from pgpool_recovery.agent.directory import swap
from pgpool_recovery.agent.method import delta as delta_module
from pgpool_recovery.agent.method.delta import DeltaWrite
from pgpool_recovery.agent.method.guarded import commit as commit_module
from pgpool_recovery.agent.method.guarded import durable, guard
from pgpool_recovery.agent.method.guarded.guard import is_half_applied, read_base_marker
from pgpool_recovery.agent.method.guarded.marker import DeltaMarker, Marker
from pgpool_recovery.domain.data_directory import GUARD_PREFIX
from pgpool_recovery.domain.error import Busy, Filled, Incomplete, NoRoom, Refused, Undone
from pgpool_recovery.domain.event import pay_no_heed
from pgpool_recovery.domain.target_state import TargetState
from pgpool_recovery.facts.blocks import BlockFormat, BlockTarget
from pgpool_recovery.facts.step.place import Place, Places
from pgpool_recovery.facts.step.transfer import Delta
from pgpool_recovery.host.permit import PERMIT_NAME, hold_permit, issue_permit
from pgpool_recovery.host.stop import Stop
from pgpool_recovery.talk.request.steps import BeginDelta, CommitDelta, Expect
from tests.unit.agent.method.incremental.target import (
    KEPT_OID,
    LABEL,
    NEW_FILES,
    NEW_OID,
    NEW_SPACES,
    OLD_FILES,
    OLD_SPACES,
    STALE,
    START,
    VERSION,
    Target,
)

IDENTIFIER = "7301415926535897932"


def control(identifier: int, redo: int) -> bytes:
    return struct.pack("=Q32xQ", identifier, redo) + b"the new control file"


CONTROL = control(int(IDENTIFIER), START.lsn)
OF_COMMIT = ("backup_label", "standby.signal", "global/pg_control")
OWN = ("postgresql.conf", "conf.d/own.conf", "log/postgresql.log")
FILES = {
    **{name: text for name, text in NEW_FILES.items() if name not in (*OF_COMMIT, *OWN)},
    f"pg_tblspc/{KEPT_OID}/{VERSION}/5/16500": NEW_SPACES[f"kept/{VERSION}/5/16500"],
    f"pg_tblspc/{NEW_OID}/{VERSION}/5/16700": NEW_SPACES[f"new/{VERSION}/5/16700"],
}
DIRECTORIES = (
    *("base", "base/5", "base/7", "global", "pg_xact", "pg_wal", "pg_replslot", "pg_tblspc"),
    *(f"pg_tblspc/{oid}/{VERSION}{inner}" for oid in (KEPT_OID, NEW_OID) for inner in ("", "/5")),
)
WHOLE = {**NEW_FILES, "global/pg_control": CONTROL}


class CrashError(BaseException):
    """The host of the agent has crashed."""


class Site:
    """A stale directory, the workspace beside it, and what a delta does with them."""

    def __init__(self, root: Path) -> None:
        self.target = Target(root)
        self.workspace = root / "workspace"
        self.workspace.mkdir()
        data, space = str(self.target.data), str(self.target.spaces)
        place = Place(data, str(self.workspace), is_inside=False, new=data)
        self.step = Delta(
            places=Places(place, None, ()),
            bin_directory="/nowhere",
            system_identifier=IDENTIFIER,
            slot_name="slot",
            locations={KEPT_OID: f"{space}/kept", NEW_OID: f"{space}/new"},
            max_rate=None,
            workers=None,
            verifies_pages=False,
        )
        self.format = BlockFormat(IDENTIFIER, VERSION, 8192, 131072, has_checksums=True)
        self.stop = Stop()

    def write(self, locations: dict[int, str] | None = None) -> DeltaWrite:
        """Return a delta whose directory has been checked."""
        spaces = {oid: f"/primary/{oid}" for oid in (KEPT_OID, NEW_OID)}
        request = BeginDelta(self.step, START, self.format, locations or spaces)
        return DeltaWrite(request, self.workspace, self.stop)

    def receive(self, named: BlockTarget) -> None:
        """Write what differs, as receivers do."""
        for path, text in {**FILES, "global/pg_control": CONTROL}.items():
            file = Path(named.data_directory) / path
            if path == "global/pg_control":
                file = Path(named.data_directory) / named.control_file
            elif path.startswith("pg_tblspc/"):
                _, oid, rest = path.split("/", 2)
                file = Path(named.tablespaces[int(oid)]) / rest
            file.write_bytes(text)

    def carry_out(self, vanished: tuple[str, ...] = ()) -> int:
        """Do all of it; return how many files were removed."""
        writing = self.write()
        named = writing.begin()
        writing.expect(Expect(DIRECTORIES, (*FILES, *vanished)))
        writing.expect(Expect((), ("global/pg_control",)))
        self.receive(named)
        return writing.commit(CommitDelta(self.step, LABEL.decode(), vanished), pay_no_heed)


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return Site(tmp_path)


def test_the_directory_is_afterwards_what_the_source_says(site: Site) -> None:
    assert site.carry_out() > 0
    assert site.target.files() == WHOLE
    assert site.target.space_files() == NEW_SPACES
    assert set(site.target.links()) == {str(KEPT_OID), str(NEW_OID)}
    assert list(site.workspace.iterdir()) == []


def test_files_of_another_cluster_are_refused_before_anything_is_changed(site: Site) -> None:
    """A standby is the source, say, whose host was given to another cluster meanwhile."""
    site.format = replace(site.format, system_identifier="7")
    with pytest.raises(Refused, match="belongs to another cluster") as refused:
        site.write()
    assert refused.value.detail == (f"Its system identifier is 7, the primary's is {IDENTIFIER}.")
    assert not is_half_applied(site.target.data)
    assert site.target.files() == OLD_FILES


def test_what_has_vanished_is_removed(site: Site) -> None:
    """The node has an old file of that name."""
    assert "base/5/16386" in OLD_FILES
    site.carry_out(vanished=("base/5/16386",))
    assert site.target.files() == WHOLE


def test_promise_4_no_server_starts_while_it_is_written(site: Site) -> None:
    writing = site.write()
    assert site.target.files() == OLD_FILES
    writing.begin()
    assert is_half_applied(site.target.data)
    assert guard.read_marker(site.target.data) == DeltaMarker(IDENTIFIER)
    with pytest.raises(Refused, match="half changed by a comparison of blocks"):
        read_base_marker(site.target.data)
    assert "global/pg_control" not in site.target.files()


EFFECTS = [
    (guard, "sync"),
    (guard, "write_file"),
    (delta_module, "issue_permit"),
    (delta_module, "raise_guard"),
    (delta_module, "link_new"),
    (delta_module, "withdraw_permit"),
    (commit_module, "remove_unsent"),
    (commit_module, "unlink_gone"),
    (durable, "sync"),
    (commit_module, "write_file"),
    (commit_module, "lower_guard"),
]


@pytest.mark.parametrize(("module", "name"), EFFECTS)
@pytest.mark.parametrize("after", [0, 1, 2])
def test_promise_4_a_crash_at_any_effect(
    site: Site, monkeypatch: pytest.MonkeyPatch, module: object, name: str, after: int
) -> None:
    """The control file is there only before the first change and after the last one."""
    calls, real = iter(range(1000)), getattr(module, name)

    def crash_or(*arguments: object, **options: object) -> object:
        if next(calls) >= after:
            raise CrashError
        return real(*arguments, **options)

    with monkeypatch.context() as patch:
        patch.setattr(module, name, crash_or)
        try:
            site.carry_out()
        except CrashError:
            pass
        else:
            assert after > 0
    found = site.target.files()
    without = {name: text for name, text in found.items() if GUARD_PREFIX not in name}
    control = found.get("global/pg_control")
    if control == OLD_FILES["global/pg_control"]:
        assert without == OLD_FILES
        assert site.target.space_files() == OLD_SPACES
    elif control == CONTROL:
        assert without == WHOLE
    else:
        assert control is None
        assert is_half_applied(site.target.data)
    site.carry_out()
    assert site.target.files() == WHOLE


def test_directory_without_a_control_file_and_without_a_marker(site: Site) -> None:
    """A restore that was interrupted leaves such a one."""
    (site.target.data / "global/pg_control").unlink()
    site.carry_out()
    assert site.target.files() == WHOLE


def test_every_file_is_synced_even_if_nobody_has_written_it(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An interrupted run may have written it, and it is only in memory since."""
    synced = set[Path]()

    def note(path: Path) -> None:
        synced.add(path)

    monkeypatch.setattr(durable, "sync", note)
    site.carry_out()
    data = site.target.data
    assert data / "global/1260" in synced
    assert data / guard.NEW_CONTROL_FILE in synced
    assert site.target.spaces / f"kept/{VERSION}/5/16500" in synced
    assert {data, data / "base/5", data / "global"} <= synced


@pytest.mark.parametrize(
    "name", ["base", "base/5/16384", f"pg_tblspc/{KEPT_OID}/{VERSION}/5/16501"]
)
def test_links_are_refused_before_anything_is_changed(site: Site, name: str) -> None:
    file = site.target.data / name
    kept = file.with_name("elsewhere")
    file.rename(kept)
    file.symlink_to(kept)
    with pytest.raises(Refused, match="is a symbolic link"):
        site.write()
    assert (site.target.data / "global/pg_control").exists()


@pytest.mark.parametrize(
    ("directories", "files"),
    [
        ((), ("../up",)),
        ((), ("base/../../up",)),
        ((), ("/etc/passwd",)),
        ((), ("postgresql.conf",)),
        ((), ("pg_wal/000000010000000000000001",)),
        ((), (f"pg_tblspc/{KEPT_OID}/PG_16_1/5/1",)),
        ((), (f"pg_tblspc/999/{VERSION}/5/1",)),
        (("log",), ()),
        (("pg_tblspc/999",), ()),
        (("base/..",), ()),
    ],
)
def test_what_no_source_has_is_refused(
    site: Site, directories: tuple[str, ...], files: tuple[str, ...]
) -> None:
    writing = site.write()
    writing.begin()
    with pytest.raises(Undone, match="unexpected file"):
        writing.expect(Expect(directories, files))


@pytest.mark.parametrize("missing", ["PG_VERSION", "global/pg_control", "base/5/16385"])
def test_a_file_that_did_not_arrive_keeps_the_guard_up(site: Site, missing: str) -> None:
    writing = site.write()
    named = writing.begin()
    files = tuple(path for path in (*FILES, "global/pg_control") if path != missing)
    writing.expect(Expect(DIRECTORIES, files))
    site.receive(named)
    why = f'the source has no "{missing}"'
    if missing == "base/5/16385":
        writing.expect(Expect((), (missing,)))
        (site.target.data / missing).unlink()
        why = f'"{missing}" was not received'
    with pytest.raises(Incomplete, match=why):
        writing.commit(CommitDelta(site.step, LABEL.decode(), ()), pay_no_heed)
    assert is_half_applied(site.target.data)


@pytest.mark.parametrize(
    ("identifier", "redo", "why"),
    [
        (1, START.lsn, "of another cluster"),
        (int(IDENTIFIER), START.lsn - 1, "older than the backup"),
    ],
)
def test_control_file_of_another_server_is_not_put_into_place(
    site: Site, identifier: int, redo: int, why: str
) -> None:
    writing = site.write()
    named = writing.begin()
    writing.expect(Expect(DIRECTORIES, (*FILES, "global/pg_control")))
    site.receive(named)
    (site.target.data / named.control_file).write_bytes(control(identifier, redo))
    with pytest.raises(Incomplete, match=why):
        writing.commit(CommitDelta(site.step, LABEL.decode(), ()), pay_no_heed)
    assert is_half_applied(site.target.data)


def test_file_that_the_disk_did_not_take_is_sent_again(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The cache has it all the same, and the next fsync(2) would succeed."""
    lost = site.target.data / "base/5/16385"

    def fail(path: Path) -> None:
        if path == lost:
            raise OSError(errno.EIO, "Input/output error", str(path))

    monkeypatch.setattr(durable, "sync", fail)
    with pytest.raises(Incomplete, match="Input/output error"):
        site.carry_out()
    assert lost.stat().st_size == 0
    assert (site.target.data / "base/5/16384").stat().st_size > 0


def test_commit_waits_for_the_receivers(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(delta_module, "WRITERS_END_WITHIN_S", 0.1)
    writing = site.write()
    named = writing.begin()
    held = hold_permit(Path(named.permit), named.token)
    assert held
    with pytest.raises(Incomplete, match="still writes"):
        writing.commit(CommitDelta(site.step, LABEL.decode(), ()), pay_no_heed)
    with pytest.raises(Refused):
        hold_permit(Path(named.permit), named.token)


def test_begin_waits_for_the_receivers_of_an_earlier_run(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(delta_module, "WRITERS_END_WITHIN_S", 0.1)
    named = site.write().begin()
    hold_permit(Path(named.permit), named.token)
    with pytest.raises(Incomplete, match="still writes"):
        site.write().begin()


@pytest.fixture
def full(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    def write(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device", "a file")

    with monkeypatch.context() as patch:
        patch.setattr(guard, "write_file", write)
        patch.setattr(commit_module, "write_file", write)
        yield


@pytest.mark.usefixtures("full")
def test_full_disk_before_the_first_change(site: Site) -> None:
    with pytest.raises(NoRoom) as caught:
        site.write().begin()
    assert caught.value.target is TargetState.UNTOUCHED
    assert site.target.files() == OLD_FILES


def test_full_disk_at_the_end(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    def write(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device", "a file")

    monkeypatch.setattr(commit_module, "write_file", write)
    with pytest.raises(Filled):
        site.carry_out()
    assert is_half_applied(site.target.data)


def test_pages_are_checked_only_if_there_are_checksums(site: Site) -> None:
    assert site.write().begin().check_pages_from is None
    site.step = replace(site.step, verifies_pages=True)
    assert site.write().begin().check_pages_from == START.lsn
    site.format = replace(site.format, has_checksums=False)
    assert site.write().begin().check_pages_from is None


def test_permit_of_a_run_is_no_other_runs(site: Site) -> None:
    first = site.write().begin()
    second = site.write().begin()
    assert first.token != second.token
    with pytest.raises(Refused):
        hold_permit(Path(first.permit), first.token)
    assert hold_permit(Path(second.permit), second.token)


def test_marker_of_an_incremental_backup_is_replaced(site: Site) -> None:
    """What it says about the directory is no longer true once a delta has written there."""
    guard.raise_guard(site.target.data, Marker(STALE, START, frozenset()))
    assert isinstance(guard.read_marker(site.target.data), Marker)
    site.write().begin()
    assert guard.read_marker(site.target.data) == DeltaMarker(IDENTIFIER)
    site.carry_out()
    assert site.target.files() == WHOLE


def test_next_run_waits_for_receivers_before_it_begins(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever it does first, such as walking back what the last one has moved."""
    monkeypatch.setattr(swap, "WRITERS_END_WITHIN_S", 0.1)
    journal = swap.reserve(site.step.places)
    token = issue_permit(site.workspace, within_s=1.0, check=site.stop.check)
    held = hold_permit(site.workspace / PERMIT_NAME, token)
    with pytest.raises(Busy, match="still writes"):
        swap.undo(journal)
    os.close(held)
    swap.undo(journal)
    assert not (site.workspace / PERMIT_NAME).exists()
    journal.close()
