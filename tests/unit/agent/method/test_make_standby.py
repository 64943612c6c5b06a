"""A directory becomes a standby in place; after a failure half way it is unchanged."""

import os
import stat
from collections.abc import Callable
from pathlib import Path

import pytest

from pgpool_recovery.agent.directory.own_login import OwnLogin
from pgpool_recovery.agent.directory.place import workspaces_of
from pgpool_recovery.agent.directory.workspace import swap_in
from pgpool_recovery.agent.method import make_standby as standby
from pgpool_recovery.agent.method.make_standby import (
    before_repoint,
    configure_standby,
    repoint,
    repoint_running,
)
from pgpool_recovery.facts.step.place import Place, Places
from pgpool_recovery.facts.step.standby import ConfigureStandby, Repoint, RepointRunning
from pgpool_recovery.host.stop import Stop

CONNINFO = {"host": "server2", "user": "repl"}
SAMPLES = "primary_conninfo = 'host=server1'\n"
AUTO = "# Do not edit\nwork_mem = '8MB'\n"
FAR = Path("conf.d/standby.conf")
Step = Repoint | RepointRunning


def _repoint(places: Places) -> Step:
    return Repoint(places, CONNINFO, "slot", None, 5433, "/usr/bin")


def _repoint_running(places: Places) -> Step:
    return RepointRunning(places, CONNINFO, "slot", None, {})


KINDS = pytest.mark.parametrize("step_of", [_repoint, _repoint_running])


@pytest.fixture(autouse=True)
def _without_programs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(standby, "neutralise", lambda *_words, **_options: None)


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A data directory that is named by a link to it, /pgdata; it is really /srv/data."""
    data = tmp_path / "srv" / "data"
    (data / FAR).parent.mkdir(parents=True)
    data.chmod(0o700)
    (tmp_path / "pgdata").symlink_to(data)
    (data / "postgresql.auto.conf").write_text(AUTO)
    (data / "postgresql.auto.conf").chmod(0o600)
    return data


def include(data: Path, name: Path) -> None:
    """Make postgresql.conf name a file through the link, as the samples of Pgpool-II do."""
    called = data.parent.parent / "pgdata" / name
    (data / "postgresql.conf").write_text(f"port = 5432\ninclude_if_exists = '{called}'\n")


def take(step: Step, told: list[str]) -> None:
    if isinstance(step, Repoint):
        repoint(step, OwnLogin(), Stop(), told.append)
    else:
        repoint_running(step, OwnLogin(), Stop(), told.append)


def places_of(data: Path) -> Places:
    workspace = f"{data}.pgpool_recovery"
    return Places(Place(str(data), workspace, is_inside=False, new=f"{workspace}/new"), None, ())


def files(data: Path) -> dict[str, tuple[str, int]]:
    """Return the texts and modes of all files, by their names in the directory."""
    return {
        str(path.relative_to(data)): (path.read_text(), stat.S_IMODE(path.lstat().st_mode))
        for path in data.rglob("*")
        if path.is_file()
    }


@KINDS
@pytest.mark.parametrize("name", [Path("myrecovery.conf"), FAR])
def test_settings_in_a_file_that_is_named_by_a_link_to_the_data_directory(
    data: Path, step_of: Callable[[Places], Step], name: Path
) -> None:
    include(data, name)
    (data / name).write_text(SAMPLES)
    was, step, told = files(data), step_of(places_of(data)), list[str]()
    before = before_repoint(step, Stop())
    take(step, told)
    assert "host=server2" in (data / name).read_text()
    assert told == []
    assert files(data) != was
    before.restore()
    assert files(data) == was


@KINDS
def test_file_with_a_path_outside_of_the_data_directory_is_reported_with_that_path(
    data: Path, step_of: Callable[[Places], Step]
) -> None:
    """postgresql.auto.conf took precedence so far; now the file that is named by the link does."""
    include(data, FAR)
    (data / FAR).write_text(SAMPLES)
    with (data / "postgresql.auto.conf").open("a") as auto:
        auto.write("primary_conninfo = 'host=auto'\n")
    told = list[str]()
    take(step_of(places_of(data)), told)
    called = data.parent.parent / "pgdata" / FAR
    assert told == [f"primary_conninfo is now in {called}"]


@KINDS
def test_file_that_did_not_exist_is_removed_again(
    data: Path, step_of: Callable[[Places], Step]
) -> None:
    (data / "postgresql.conf").write_text("port = 5432\n")
    was, step, told = files(data), step_of(places_of(data)), list[str]()
    before = before_repoint(step, Stop())
    take(step, told)
    assert told == ["primary_conninfo is now in myrecovery.conf"]
    before.restore()
    assert files(data) == was


def test_auto_that_is_a_link_comes_back_unreadable_for_others(data: Path) -> None:
    """It may contain a password, and the mode of a link lets every user read."""
    auto = data / "postgresql.auto.conf"
    auto.rename(data.parent / "managed.conf")
    auto.symlink_to(data.parent / "managed.conf")
    (data / "postgresql.conf").write_text("port = 5432\n")
    before_repoint(_repoint(places_of(data)), Stop()).restore()
    assert auto.read_text() == AUTO
    assert stat.S_IMODE(auto.lstat().st_mode) == 0o600


def test_auto_is_written_under_the_name_that_base_backups_leave_out(
    data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Even if it is put back together with files that have other names."""
    (data / "postgresql.conf").write_text("port = 5432\n")
    before = before_repoint(_repoint(places_of(data)), Stop())
    renamed, rename = [], os.rename

    def see(old: str, new: str, **options: int) -> None:
        renamed.append((old, new))
        rename(old, new, **options)

    monkeypatch.setattr(os, "rename", see)
    before.restore()
    assert ("postgresql.auto.conf.tmp", "postgresql.auto.conf") in renamed


@pytest.mark.parametrize("where", ["beside", "inside"])
def test_workspace_that_came_with_a_copy_is_not_taken_for_this_nodes(
    tmp_path: Path, where: str
) -> None:
    """A primary that was itself recovered at a mount point may still have one in its directory."""
    is_inside = where == "inside"
    data = tmp_path / "data"
    workspace = data / "pgpool_recovery" if is_inside else tmp_path / "data.pgpool_recovery"
    place = Place(str(data), str(workspace), is_inside=is_inside, new=f"{workspace}/new")
    new = Path(place.new)
    for file in (new / "pgpool_recovery/old/base/1", new / "base/1", data / "base/0"):
        file.parent.mkdir(parents=True)
        file.touch()
    (new / "postgresql.conf").touch()
    data.chmod(0o700)
    workspace.chmod(0o700)
    told: list[str] = []
    step = ConfigureStandby(
        Places(place, None, ()), CONNINFO, "slot", None, None, "/usr/bin", is_of_primary=True
    )
    configure_standby(step, OwnLogin(), Stop(), told.append)
    assert any("removed pgpool_recovery from the copy" in line for line in told)
    swap_in(place)
    assert (data / "base/1").exists()
    assert [own for own in workspaces_of(data) if not own.samefile(workspace)] == []
    assert sorted(entry.name for entry in (workspace / "old").iterdir()) == ["base"]
