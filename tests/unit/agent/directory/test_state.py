"""What is seen at the place of a target without knowledge of what was done."""

import os
from pathlib import Path

import pytest

from pgpool_recovery.agent.directory import swap
from pgpool_recovery.agent.directory.state import see_state
from pgpool_recovery.domain.directory_state import Change
from pgpool_recovery.domain.target_state import TargetState
from pgpool_recovery.facts.policy import Method
from pgpool_recovery.facts.step.place import Place, Places
from pgpool_recovery.host.lock import lock, unlock
from pgpool_recovery.talk.request.directory import StateSeen


@pytest.fixture
def places(tmp_path: Path) -> Places:
    data = tmp_path / "data"
    (data / "global").mkdir(parents=True)
    (data / "PG_VERSION").write_text("15\n")
    (data / "global" / "pg_control").write_text("")
    workspace = f"{data}.pgpool_recovery"
    place = Place(str(data), workspace, is_inside=False, new=f"{workspace}/new")
    return Places(data=place, wal=None, tablespaces=())


@pytest.fixture
def data(places: Places) -> Path:
    return Path(places.data.path)


def test_data_without_a_server_does_not_show_what_was_done(data: Path) -> None:
    seen = see_state(data)
    assert (seen.state, seen.is_certain) == (TargetState.UNTOUCHED, False)
    assert seen.what == f"There is server data in {data}. No server is running."


def test_server_that_runs(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (data / "postmaster.pid").write_text(f"{os.getpid()}\n{data}\n1\n5432\n/tmp\n*\n1 2\nready\n")
    monkeypatch.chdir(data)
    assert see_state(data) == StateSeen(
        TargetState.STARTED, f"Its server is running (process {os.getpid()})."
    )


def test_agent_that_is_still_working(places: Places, data: Path) -> None:
    journal = swap.reserve(places)
    seen = see_state(data)
    assert (seen.state, seen.is_certain) == (TargetState.UNKNOWN, False)
    assert seen.what == "An agent is working on it."
    journal.close()
    seen = see_state(data)
    assert (seen.state, seen.is_certain) == (TargetState.UNTOUCHED, True)


def test_half_changed_directory(places: Places, data: Path) -> None:
    workspace = Path(places.data.workspace)
    journal = swap.reserve(places)
    journal.close()
    swap.take_data_out(journal, places.data)
    assert see_state(data).state is TargetState.INCOMPLETE, "whole, but out of its place"
    journal.take(Change(Method.REWIND))
    seen = see_state(data)
    assert (seen.state, seen.is_certain) == (TargetState.INCOMPLETE, True)
    assert (
        seen.what
        == f"Its data is in {workspace}/new, half changed by rewind. No server is running."
    )


def test_copy_that_was_not_started(places: Places, data: Path) -> None:
    journal = swap.reserve(places)
    journal.close()
    new = Path(places.data.new)
    (new / "global").mkdir(parents=True)
    (new / "global" / "pg_control").write_text("new")
    swap.swap(journal, places)
    seen = see_state(data)
    assert seen.state is TargetState.COPIED
    assert "the old data waits in the workspace" in seen.what


def test_base_backup_in_an_empty_place(data: Path) -> None:
    (data / "backup_label").write_text("")
    assert see_state(data).state is TargetState.COPIED


def test_nothing_there(data: Path) -> None:
    (data / "global" / "pg_control").unlink()
    seen = see_state(data)
    assert (seen.state, seen.is_certain) == (TargetState.INCOMPLETE, False)


@pytest.mark.parametrize("text", [b"", b"\0" * 300])
def test_list_that_an_earlier_build_left_empty_is_not_a_failure(
    places: Places, data: Path, text: bytes
) -> None:
    """The disk was full when it began, so nothing was begun."""
    workspace = Path(places.data.workspace)
    workspace.mkdir(mode=0o700)
    unlock(lock(workspace))
    (workspace / "places").write_bytes(text)
    assert see_state(data).state is TargetState.UNTOUCHED


def test_lock_and_journal_of_another_user_are_not_a_failure(places: Places, data: Path) -> None:
    workspace = Path(places.data.workspace)
    workspace.mkdir(mode=0o700)
    unlock(lock(workspace))
    assert see_state(data).state is TargetState.UNTOUCHED
