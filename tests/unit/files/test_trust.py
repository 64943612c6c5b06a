"""Who owns a file, and who else may change it or a directory on its path."""

import os
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest

from pgpool_recovery.files.trust import (
    MAX_LINKS,
    Untrusted,
    mine_and_roots,
    open_directory,
    read_own,
    read_trusted,
    real_path,
)

NOBODY = 65534
GROUP = 12345
ME = mine_and_roots()


@pytest.fixture
def file(tmp_path: Path) -> Path:
    place = tmp_path / "outer" / "inner"
    place.mkdir(parents=True)
    (place / "file").write_text("text")
    for path in (place.parent, place):
        path.chmod(0o755)
    (place / "file").chmod(0o644)
    return place / "file"


def test_file_is_read_if_its_whole_path_is_mine(file: Path) -> None:
    assert read_trusted(file, ME) == b"text"
    os.close(open_directory(file.parent, ME))


@pytest.mark.usefixtures("as_root")
@pytest.mark.parametrize("which", ["file", "inner", "outer"])
def test_owner_of_each_part_counts(file: Path, which: str) -> None:
    part = next(path for path in (file, *file.parents) if path.name == which)
    os.chown(part, NOBODY, -1)
    with pytest.raises(Untrusted, match=f"{part} belongs to nobody") as caught:
        read_trusted(file, ME)
    assert caught.value.owner == NOBODY
    assert read_trusted(file, {*ME, NOBODY}) == b"text"


@pytest.mark.parametrize("which", ["file", "inner", "outer"])
def test_write_permission_of_others_on_each_part_counts(file: Path, which: str) -> None:
    part = next(path for path in (file, *file.parents) if path.name == which)
    part.chmod(part.stat().st_mode | 0o002)
    with pytest.raises(Untrusted, match=f"{part} is writable by everybody"):
        read_trusted(file, ME)


@pytest.mark.usefixtures("as_root")
@pytest.mark.parametrize("which", ["file", "inner", "outer"])
def test_write_permission_of_a_group_counts_unless_it_is_roots(file: Path, which: str) -> None:
    part = next(path for path in (file, *file.parents) if path.name == which)
    part.chmod(part.stat().st_mode | 0o020)
    assert read_trusted(file, ME) == b"text"
    os.chown(part, -1, GROUP)
    with pytest.raises(Untrusted, match=f"{part} is writable by group {GROUP}"):
        read_trusted(file, ME)


def test_sticky_directory_may_be_on_the_path_but_not_its_end(file: Path) -> None:
    file.parent.chmod(0o1777)
    assert read_trusted(file, ME) == b"text"
    with pytest.raises(Untrusted, match="is writable by everybody"):
        open_directory(file.parent, ME)
    file.parent.chmod(0o755)
    file.parent.parent.chmod(0o1777)
    os.close(open_directory(file.parent, ME))


def test_my_links_are_followed_relative_and_absolute(file: Path, tmp_path: Path) -> None:
    (tmp_path / "absolute").symlink_to(file.parent)
    (tmp_path / "relative").symlink_to("absolute/../inner/./file")
    assert read_trusted(tmp_path / "relative", ME) == b"text"
    assert real_path(tmp_path / "relative", ME) == file
    assert real_path(tmp_path / "absolute" / "new", ME) == file.with_name("new")
    os.close(open_directory(tmp_path / "absolute", ME))


@pytest.mark.usefixtures("as_root")
@pytest.mark.parametrize(
    "ask", [read_trusted, real_path, lambda path, users: open_directory(path.parent, users)]
)
def test_link_that_another_user_can_change_is_not_followed(
    file: Path, tmp_path: Path, ask: Callable[[Path, frozenset[int]], object]
) -> None:
    """Its owner counts, and so does its directory, although that is not on the real path."""
    theirs = tmp_path / "theirs"
    theirs.mkdir()
    (theirs / "link").symlink_to(file.parent)
    os.chown(theirs, NOBODY, -1)
    with pytest.raises(Untrusted, match=f"{theirs} belongs to nobody"):
        ask(theirs / "link" / "file", ME)
    os.chown(theirs, 0, -1)
    theirs.chmod(0o1777)
    os.chown(theirs / "link", NOBODY, -1, follow_symlinks=False)
    with pytest.raises(Untrusted, match=f"{theirs}/link belongs to nobody"):
        ask(theirs / "link" / "file", ME)


def test_circle_of_links_ends(tmp_path: Path) -> None:
    (tmp_path / "a").symlink_to("b")
    (tmp_path / "b").symlink_to("a")
    with pytest.raises(OSError, match="Too many levels"):
        real_path(tmp_path / "a", ME)
    assert MAX_LINKS == 40


def test_fifo_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")
    for read in (read_own, lambda path: read_trusted(path, ME)):
        with pytest.raises(Untrusted, match="is not a regular file"):
            read(tmp_path / "fifo")


def test_own_file_is_no_link_and_has_only_one_name(file: Path) -> None:
    assert read_own(file) == b"text"
    link, other = file.with_name("link"), file.with_name("other")
    link.symlink_to(file)
    with pytest.raises(Untrusted, match="is a symbolic link"):
        read_own(link)
    other.hardlink_to(file)
    with pytest.raises(Untrusted, match="has another hard link"):
        read_own(file)


def test_descriptors_are_closed(file: Path) -> None:
    before = len(os.listdir("/proc/self/fd"))
    read_trusted(file, ME)
    real_path(file, ME)
    os.close(open_directory(file.parent, ME))
    file.chmod(0o666)
    for ask in (read_trusted, real_path):
        with suppress(Untrusted):
            ask(file, ME)
    file.parent.chmod(0o777)
    with pytest.raises(Untrusted):
        open_directory(file.parent, ME)
    assert len(os.listdir("/proc/self/fd")) == before
