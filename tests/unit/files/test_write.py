"""A file is written atomically, through no link, and never with more permissions than later."""

import errno
import fcntl
import os
import stat
from collections.abc import Callable
from pathlib import Path

import pytest

from pgpool_recovery.domain.error import Refused
from pgpool_recovery.files.write import (
    Owner,
    copy_file,
    make_directory_of,
    move,
    open_in_place,
    open_lock_file,
    open_nameless,
    remove_file,
    rename_file,
    replace_file,
    sync_opened,
    sync_written,
    write_file,
)

NOBODY = 65534


def names(directory: Path) -> set[str]:
    return {entry.name for entry in directory.iterdir()}


def mode(path: Path) -> int:
    return stat.S_IMODE(path.lstat().st_mode)


def test_file_has_its_mode_whatever_the_umask(tmp_path: Path) -> None:
    before = os.umask(0o777)
    try:
        write_file(tmp_path / "a", "text\udcff", mode=0o664)
        write_file(tmp_path / "b", b"bytes")
    finally:
        os.umask(before)
    assert (tmp_path / "a").read_bytes() == b"text\xff"
    assert mode(tmp_path / "a") == 0o664
    assert mode(tmp_path / "b") == 0o600
    assert names(tmp_path) == {"a", "b"}


def test_link_at_its_path_is_replaced_and_its_target_stays(tmp_path: Path) -> None:
    (tmp_path / "victim").write_text("victim")
    (tmp_path / "a").symlink_to("victim")
    write_file(tmp_path / "a", "new")
    assert (tmp_path / "victim").read_text() == "victim"
    assert not (tmp_path / "a").is_symlink()


def test_growing_name_that_is_a_planted_link_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "victim").write_text("victim")
    (tmp_path / "a.tmp").symlink_to("victim")
    write_file(tmp_path / "a", "new", growing="a.tmp")
    assert (tmp_path / "victim").read_text() == "victim"
    assert (tmp_path / "a").read_text() == "new"
    assert names(tmp_path) == {"a", "victim"}


def test_temporary_file_has_a_new_name_each_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[str] = []

    real = os.rename

    def renamed(source: str, target: str, *, src_dir_fd: int, dst_dir_fd: int) -> None:
        seen.append(source)
        real(source, target, src_dir_fd=src_dir_fd, dst_dir_fd=dst_dir_fd)

    monkeypatch.setattr(os, "rename", renamed)
    for name in ("a", "b"):
        write_file(tmp_path / name, "x")
    assert len({name.partition(".")[2] for name in seen}) == 2


LEFT = "a.0123456789abcdef.new"


@pytest.mark.parametrize("growing", [None, "a.tmp"])
def test_next_write_removes_what_a_crash_left(tmp_path: Path, growing: str | None) -> None:
    """It may hold a password. A file that only looks like it may belong to another writer."""
    others = {
        *("b.0123456789abcdef.new", "a.0123456789abcdef.new.kept", "a.new", "a.0123.new"),
        "a.b.0123456789abcdef.new",
    }
    for name in {LEFT, "a.fedcba9876543210.new", *others, "a.tmp"}:
        (tmp_path / name).write_text("password")
    write_file(tmp_path / "a", "new", growing=growing)
    assert names(tmp_path) == {"a", *others, *([] if growing else ["a.tmp"])}


@pytest.mark.parametrize("step", ["fchmod", "write", "fsync", "rename"])
def test_file_that_another_process_is_writing_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    """The other process goes on writing, and the last rename wins."""
    real, once = getattr(os, step), iter([True])

    def other_comes(*words: object, **options: object) -> object:
        if next(once, False):
            write_file(tmp_path / "a", "the other's")
        return real(*words, **options)

    monkeypatch.setattr(os, step, other_comes)
    write_file(tmp_path / "a", "ours")
    assert (tmp_path / "a").read_text() == "ours"
    assert names(tmp_path) == {"a"}


def test_file_that_another_process_took_for_a_leftover_is_created_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The other process came between its creation and its lock."""
    real, once = fcntl.flock, iter([True])

    def too_late(descriptor: int, operation: int) -> None:
        if next(once, False):
            for name in names(tmp_path):
                (tmp_path / name).unlink()
        real(descriptor, operation)

    monkeypatch.setattr(fcntl, "flock", too_late)
    write_file(tmp_path / "a", "ours")
    assert (tmp_path / "a").read_text() == "ours"


def test_file_that_another_process_is_about_to_remove_is_created_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The other process came between its creation and its lock, and removes it afterwards."""
    lock, write, once = fcntl.flock, os.write, iter([True])
    taken: list[tuple[Path, int]] = []

    def too_late(descriptor: int, operation: int) -> None:
        if next(once, False):
            (path,) = tmp_path.iterdir()
            taken.append((path, os.open(path, os.O_RDONLY)))
            lock(taken[0][1], fcntl.LOCK_EX)
        lock(descriptor, operation)

    def after_removal(descriptor: int, data: bytes) -> int:
        while taken:
            path, held = taken.pop()
            path.unlink()
            os.close(held)
        return write(descriptor, data)

    monkeypatch.setattr(fcntl, "flock", too_late)
    monkeypatch.setattr(os, "write", after_removal)
    write_file(tmp_path / "a", "ours")
    assert (tmp_path / "a").read_text() == "ours"
    assert names(tmp_path) == {"a"}


def test_filesystem_without_locks_is_written_to(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(_descriptor: int, _operation: int) -> None:
        raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))

    (tmp_path / LEFT).write_text("who knows")
    monkeypatch.setattr(fcntl, "flock", fails)
    write_file(tmp_path / "a", "new")
    assert names(tmp_path) == {"a", LEFT}


def test_replacement_of_a_file_has_its_mode(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("old")
    (tmp_path / "a").chmod(0o604)
    replace_file(tmp_path / "a", "new")
    assert (tmp_path / "a").read_text() == "new"
    assert mode(tmp_path / "a") == 0o604
    with pytest.raises(FileNotFoundError):
        replace_file(tmp_path / "b", "new")
    assert names(tmp_path) == {"a"}


@pytest.mark.usefixtures("as_root")
def test_roots_replacement_keeps_the_owner_of_the_file(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("old")
    os.chown(tmp_path / "a", NOBODY, NOBODY)
    replace_file(tmp_path / "a", "new")
    status = (tmp_path / "a").stat()
    assert (status.st_uid, status.st_gid) == (NOBODY, NOBODY)


@pytest.mark.parametrize("step", ["fchmod", "write", "fsync", "rename"])
@pytest.mark.parametrize("failure", [KeyboardInterrupt(), OSError(errno.ENOSPC, "full")])
def test_interrupted_write_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str, failure: BaseException
) -> None:
    """And at no moment can another user read what has been written."""
    (tmp_path / "a").write_text("old")
    (tmp_path / "a").chmod(0o640)
    seen: list[int] = []

    def fails(*_words: object, **_options: object) -> None:
        (growing,) = names(tmp_path) - {"a"}
        seen.append(mode(tmp_path / growing))
        raise failure

    with monkeypatch.context() as patch:
        patch.setattr(os, step, fails)
        with pytest.raises(type(failure)):
            write_file(tmp_path / "a", "secret", mode=0o640)
    assert names(tmp_path) == {"a"}
    assert (tmp_path / "a").read_text() == "old"
    assert seen == [0o600 if step == "fchmod" else 0o640]


def test_order_is_owner_mode_contents_disk_name_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    done: list[str] = []

    def noted(name: str, operation: Callable[..., object]) -> Callable[..., object]:
        def run(*words: object, **options: object) -> object:
            done.append(name)
            return operation(*words, **options)

        return run

    for name in ("fchown", "fchmod", "write", "fsync", "rename"):
        monkeypatch.setattr(os, name, noted(name, getattr(os, name)))
    write_file(tmp_path / "a", "x", owner=Owner(os.geteuid(), os.getegid()))
    assert done == ["fchown", "fchmod", "write", "fsync", "rename", "fsync"]


def test_partial_writes_are_completed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = os.write
    monkeypatch.setattr(os, "write", lambda file, data: real(file, data[:3]))
    write_file(tmp_path / "a", b"0123456789")
    assert (tmp_path / "a").read_bytes() == b"0123456789"


WRITERS: list[Callable[[Path], object]] = [
    lambda path: write_file(path, "x"),
    lambda path: rename_file(path, "other"),
    remove_file,
    lambda path: os.close(open_lock_file(path)),
    lambda path: os.close(open_in_place(path, made_with=0o600)),
]


@pytest.mark.usefixtures("as_root")
@pytest.mark.parametrize("writer", WRITERS)
def test_root_writes_nothing_in_a_directory_of_another_user(
    tmp_path: Path, writer: Callable[[Path], object]
) -> None:
    theirs = tmp_path / "theirs"
    (theirs / "inner").mkdir(parents=True)
    (theirs / "inner" / "a").write_text("old")
    os.chown(theirs, NOBODY, -1)
    for directory in (theirs, theirs / "inner"):
        directory.joinpath("a").write_text("old")
        with pytest.raises(Refused, match=r"root does not write .*a: others could") as caught:
            writer(directory / "a")
        assert caught.value.detail == f"{theirs} belongs to nobody."
        assert "sudo -u nobody" in (caught.value.hint or "")
        assert (directory / "a").read_text() == "old"


@pytest.mark.usefixtures("as_root")
def test_root_creates_no_directory_in_one_of_another_user(tmp_path: Path) -> None:
    for name in ("ours", "theirs"):
        (tmp_path / name).mkdir()
    os.chown(tmp_path / "theirs", NOBODY, -1)
    (tmp_path / "ours" / "link").symlink_to("../theirs")
    for theirs in ("theirs", "ours/link"):
        file = tmp_path / theirs / "b" / "c" / "a"
        with pytest.raises(Refused, match=f"root does not write {file}: others could"):
            make_directory_of(file)
    assert names(tmp_path / "theirs") == set()
    make_directory_of(tmp_path / "ours" / "b" / "c" / "a")
    assert names(tmp_path / "ours" / "b" / "c") == set()


@pytest.mark.usefixtures("as_root")
def test_root_is_told_to_revoke_permissions(tmp_path: Path) -> None:
    tmp_path.chmod(0o1777)
    with pytest.raises(Refused) as caught:
        write_file(tmp_path / "a", "x")
    assert caught.value.hint == "Revoke the write permission of others there (chmod go-w)."
    assert names(tmp_path) == set()


@pytest.mark.parametrize(
    "opens", [open_lock_file, open_in_place, lambda path: open_in_place(path, made_with=0o600)]
)
def test_link_is_not_opened(tmp_path: Path, opens: Callable[[Path], int]) -> None:
    (tmp_path / "victim").write_text("victim")
    (tmp_path / "link").symlink_to("victim")
    (tmp_path / "nowhere").symlink_to("made")
    os.mkfifo(tmp_path / "fifo")
    for name in ("link", "nowhere", "fifo"):
        with pytest.raises(OSError, match=r"Too many levels|No such device|not a regular file"):
            opens(tmp_path / name)
    assert not (tmp_path / "made").exists()


def test_lock_file_is_created_only_if_a_mode_is_given(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        open_lock_file(tmp_path / "lock", mode=None)
    os.close(open_lock_file(tmp_path / "lock"))
    assert mode(tmp_path / "lock") == 0o600
    os.close(open_lock_file(tmp_path / "lock", mode=None))


def test_in_place_the_rest_stays(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"0123456789")
    descriptor = open_in_place(tmp_path / "a")
    os.pwrite(descriptor, b"xx", 4)
    os.close(descriptor)
    assert (tmp_path / "a").read_bytes() == b"0123xx6789"


def test_nameless_file_has_no_name(tmp_path: Path) -> None:
    os.close(open_nameless(tmp_path))
    assert names(tmp_path) == set()


def test_copy_has_mode_and_times_and_replaces_nothing(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("x")
    (tmp_path / "a").chmod(0o640)
    os.utime(tmp_path / "a", ns=(10**18, 10**18 + 7))
    copy_file(tmp_path / "a", tmp_path / "b")
    assert (tmp_path / "b").read_text() == "x"
    assert mode(tmp_path / "b") == 0o640
    assert (tmp_path / "b").stat().st_mtime_ns == 10**18 + 7
    (tmp_path / "link").symlink_to("a")
    copy_file(tmp_path / "link", tmp_path / "link2")
    assert (tmp_path / "link2").readlink() == Path("a")
    for there in ("b", "link2"):
        with pytest.raises(FileExistsError):
            copy_file(tmp_path / "a", tmp_path / there)


@pytest.fixture
def other_filesystem(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every directory is on a filesystem of its own."""

    def elsewhere(_path: Path, _target: Path) -> None:
        raise OSError(errno.EXDEV, "Invalid cross-device link")

    monkeypatch.setattr(Path, "rename", elsewhere)


@pytest.mark.usefixtures("other_filesystem")
def test_move_to_another_filesystem(tmp_path: Path) -> None:
    (tmp_path / "a" / "b").mkdir(parents=True)
    (tmp_path / "a" / "b" / "c").write_text("x")
    (tmp_path / "a" / "link").symlink_to("b")
    (tmp_path / "f").write_text("y")
    move(tmp_path / "a", tmp_path / "z")
    move(tmp_path / "f", tmp_path / "g")
    assert names(tmp_path) == {"z", "g"}
    assert (tmp_path / "z" / "link" / "c").read_text() == "x"


@pytest.mark.usefixtures("other_filesystem")
def test_existing_target_of_a_move_stays(tmp_path: Path) -> None:
    """It is not mistaken for half of a copy that failed."""
    for name in ("a", "z"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "c").write_text(name)
    (tmp_path / "link").symlink_to("nowhere")
    for there in ("z", "link"):
        with pytest.raises(FileExistsError):
            move(tmp_path / "a", tmp_path / there)
    assert names(tmp_path) == {"a", "z", "link"}
    assert [(tmp_path / name / "c").read_text() for name in ("a", "z")] == ["a", "z"]


@pytest.mark.parametrize("is_opened", [True, False])
def test_file_that_the_disk_did_not_take_is_emptied(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    is_opened: bool,  # noqa: FBT001
) -> None:
    """Its cache has what the disk has not, and whoever compares it must not find it equal."""

    def fail(_: int) -> None:
        raise OSError(errno.EIO, "Input/output error")

    file = tmp_path / "a"
    file.write_bytes(b"new")
    descriptor = open_in_place(file)
    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(OSError, match="Input/output"):
        sync_opened(descriptor) if is_opened else sync_written(descriptor, file, is_whole=True)
    os.close(descriptor)
    assert file.read_bytes() == b""
