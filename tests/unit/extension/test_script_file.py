"""Which files run as a stage script; the texts are pinned in extension/regress.

A check of a host (agent/observe/surroundings.py) reports beforehand what the server would report.
"""

import grp
import os
import pwd
from collections.abc import Callable
from pathlib import Path

import pytest
from pgpool_recovery_server.outcome import Failure
from pgpool_recovery_server.script_file import find_script

from pgpool_recovery.agent.observe.surroundings import script_problem
from pgpool_recovery.in_server.script_name import is_inside

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files to others")


def script(directory: Path, mode: int = 0o700) -> Path:
    path = directory / "stage"
    path.write_text("#!/bin/sh\n")
    path.chmod(mode)
    return path


def problem(data: Path, name: str = "stage") -> str | None:
    """Return the server's failure; that of a check must be the same."""
    foreseen = script_problem(data, name)
    said = refusal(data, name)
    assert (foreseen is None) is (said is None), (foreseen, said)
    if foreseen is not None:
        assert foreseen.partition(" ")[2] in (said or "")
    return said


def refusal(data: Path, name: str) -> str | None:
    try:
        found = find_script(str(data), name)
    except Failure as failure:
        return f"{failure.message}\n{failure.detail or ''}"
    status = (data / name).stat()
    assert found.path == str(data / name)
    assert found.identity == (status.st_dev, status.st_ino)
    return None


def test_file_and_link_to_one(tmp_path: Path) -> None:
    path = script(tmp_path)
    (tmp_path / "link").symlink_to(path)
    (tmp_path / "near").symlink_to("../" + tmp_path.name + "/./link")
    for name in ("stage", "link", "near"):
        assert problem(tmp_path, name) is None


@pytest.mark.parametrize(
    "name", ["", ".", "..", "/bin/true", "../stage", "a/../stage", "a//b", "a/", "./stage"]
)
def test_name_leads_into_the_data_directory(tmp_path: Path, name: str) -> None:
    assert not is_inside(name)
    with pytest.raises(Failure, match="is not a path inside the data directory"):
        find_script(str(tmp_path), name)


@pytest.mark.parametrize(
    "name", ["stage", "...", "-", "a b", "ünï", "a\\b", " ", "a\nb", "scripts/a b/stage"]
)
def test_any_other_name_does(tmp_path: Path, name: str) -> None:
    assert is_inside(name)
    (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
    script(tmp_path).rename(tmp_path / name)
    assert problem(tmp_path, name) is None


def test_directory_of_a_script_is_on_its_way(tmp_path: Path) -> None:
    (tmp_path / "scripts").mkdir()
    script(tmp_path).rename(tmp_path / "scripts/stage")
    assert problem(tmp_path, "scripts/stage") is None
    (tmp_path / "scripts").chmod(0o777)
    assert "can be replaced by others" in (problem(tmp_path, "scripts/stage") or "")


def test_group_may_write_that_is_the_users_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As in a checkout under umask 0002, whose directory has such a mode, too."""
    path = script(tmp_path, 0o770)
    tmp_path.chmod(0o775)
    alone = group(())
    cases: tuple[tuple[tuple[str, ...], tuple[str, ...], str | None], ...] = (
        ((), (), None),
        (("root", alone.me), (), None),
        (("mallory",), (), "can be written by others"),
        ((), ("mallory",), "can be written by others"),
    )
    for members, others, expected in cases:
        group(members, others).put(monkeypatch, path.stat().st_gid)
        said = problem(tmp_path)
        assert said is None if expected is None else expected in str(said)
    path.chmod(0o700)
    assert "can be replaced by others" in (problem(tmp_path) or "")
    alone.put(monkeypatch, path.stat().st_gid)
    path.chmod(0o772)
    assert "can be written by others" in (problem(tmp_path) or "")
    # Root's own group, or any other group than that of the user, does not count.
    group((), primary=path.stat().st_gid + 1).put(monkeypatch, path.stat().st_gid)
    path.chmod(0o770)
    assert "can be written by others" in (problem(tmp_path) or "")


class group:  # noqa: N801 - it reads as what it makes
    """The user and group databases, with the members of one group."""

    me = "me"

    def __init__(
        self, members: tuple[str, ...], others: tuple[str, ...] = (), primary: int | None = None
    ) -> None:
        self.members, self.others, self.primary = members, others, primary

    def put(self, monkeypatch: pytest.MonkeyPatch, gid: int) -> None:
        def entry(name: str, uid: int, own_gid: int) -> pwd.struct_passwd:
            return pwd.struct_passwd((name, "x", uid, own_gid, "", "/", "/bin/sh"))

        me = entry(self.me, os.geteuid(), gid if self.primary is None else self.primary)
        users = [me, entry("root", 0, 0)]
        users += [entry(name, 90000 + number, gid) for number, name in enumerate(self.others)]
        of_group = grp.struct_group(("g", "x", gid, list(self.members)))
        monkeypatch.setattr(pwd, "getpwuid", lambda _uid: me)
        monkeypatch.setattr(pwd, "getpwall", lambda: users)
        monkeypatch.setattr(grp, "getgrgid", lambda _gid: of_group)


@pytest.mark.parametrize("mode", [0o702, 0o720, 0o777])
def test_others_must_not_write_it(
    tmp_path: Path, mode: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    group(("mallory",)).put(monkeypatch, tmp_path.stat().st_gid)
    script(tmp_path, mode)
    assert "can be written by others" in (problem(tmp_path) or "")


def test_it_belongs_to_the_servers_user_or_root(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = script(tmp_path)
    if os.geteuid() == 0:
        os.chown(path, 1, 1)
    else:
        monkeypatch.setattr(os, "geteuid", lambda: 65534)
    assert "does not belong to the user of the server" in (problem(tmp_path) or "")


def test_it_is_executable_and_regular(tmp_path: Path) -> None:
    script(tmp_path, 0o600)
    assert "is not executable" in (problem(tmp_path) or "")
    (tmp_path / "directory").mkdir()
    assert "is not a regular file" in (problem(tmp_path, "directory") or "")
    assert "does not exist" in (problem(tmp_path, "missing") or "")
    os.mkfifo(tmp_path / "fifo", 0o700)
    assert "is not a regular file" in (problem(tmp_path, "fifo") or "")
    (tmp_path / "circle").symlink_to("circle")
    assert "Too many levels of symbolic links" in (refusal(tmp_path, "circle") or "")
    assert "Too many levels of symbolic links" in (script_problem(tmp_path, "circle") or "")


class Place:
    """A data directory whose script is a link: to a link in `between`, to a file in `target`."""

    def __init__(self, root: Path) -> None:
        self.data, self.between, self.target = root / "data", root / "between", root / "up/target"
        for directory in (self.data, self.between, self.target):
            directory.mkdir(parents=True, mode=0o755)
        self.file = script(self.target)
        self.link = self.between / "link"
        self.link.symlink_to("../up/target/stage")
        (self.data / "stage").symlink_to(self.link)


def test_link_on_a_way_that_is_ours_is_followed(tmp_path: Path) -> None:
    place = Place(tmp_path)
    assert problem(place.data) is None
    place.between.chmod(0o1777)  # No other user can exchange an entry.
    assert problem(place.data) is None


OPENINGS: dict[str, Callable[[Place], None]] = {
    "directory of the file": lambda place: place.target.chmod(0o775),
    "one above it": lambda place: place.target.parent.chmod(0o777),
    "directory of a link": lambda place: place.between.chmod(0o757),
    "data directory": lambda place: place.data.chmod(0o770),
}


@pytest.mark.parametrize("opening", OPENINGS)
def test_promise_13_script_that_others_can_exchange_is_refused(
    tmp_path: Path, opening: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    group(("mallory",)).put(monkeypatch, tmp_path.stat().st_gid)
    place = Place(tmp_path)
    OPENINGS[opening](place)
    assert "can be replaced by others" in (problem(place.data) or "")


GIVEN: dict[str, Callable[[Place], Path]] = {
    "directory of the file": lambda place: place.target,
    "one above it": lambda place: place.target.parent,
    "directory of a link": lambda place: place.between,
    "link": lambda place: place.link,
    "own link": lambda place: place.data / "stage",
    "data directory": lambda place: place.data,
}


@as_root
@pytest.mark.parametrize("given", GIVEN)
def test_nor_may_anything_on_the_way_belong_to_another(tmp_path: Path, given: str) -> None:
    place = Place(tmp_path)
    os.lchown(GIVEN[given](place), 1, 1)
    said = problem(place.data) or ""
    assert "can be replaced by others" in said
    assert f'"{GIVEN[given](place)}" belongs to user id 1' in said


@as_root
def test_sticky_directory_keeps_no_entry_that_is_anothers(tmp_path: Path) -> None:
    place = Place(tmp_path)
    place.between.chmod(0o1777)
    os.lchown(place.link, 1, 1)
    assert "can be replaced by others" in (problem(place.data) or "")


@as_root
def test_what_holds_the_data_directory_is_looked_at_for_a_link_out_of_it_only(
    tmp_path: Path,
) -> None:
    data = tmp_path / "theirs" / "data"
    data.mkdir(parents=True)
    os.chown(data.parent, 1, 1)
    script(data)
    assert problem(data) is None
    (data / "within").symlink_to("stage")
    assert problem(data, "within") is None
    (data.parent / "stage").symlink_to("data/stage")
    (data / "out").symlink_to("../stage")
    assert "can be replaced by others" in (problem(data, "out") or "")
