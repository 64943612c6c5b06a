"""A receiver writes only what it was permitted to, and reports everything that goes wrong."""

import json
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from pgpool_recovery.blocks import receive as receive_module
from pgpool_recovery.blocks.digest import SentDigest
from pgpool_recovery.blocks.frame import (
    Beat,
    BlockRun,
    Blocks,
    Decoder,
    End,
    Failed,
    FileDone,
    Frame,
    Gone,
    Has,
    Want,
    encode,
)
from pgpool_recovery.blocks.receive import Receiver
from pgpool_recovery.host import zstd
from tests.unit.blocks.ends import (
    BLOCK_BYTES,
    DIGESTS_OF,
    VERSION,
    Receiving,
    contents,
    make_cluster,
    read,
    receiving,
    target_of,
    transfer,
    write,
)
from tests.unit.domain.control_files import control_file_of

PATH = "base/5/1"


class Wire:
    """The sender's end of a channel, for a sender that may send anything."""

    def __init__(self, receiver: Receiving, read_end: int, write_end: int) -> None:
        self.receiver = receiver
        self._read_end, self._write_end = read_end, write_end
        self._decoder = Decoder()

    def send(self, *frames: Frame) -> None:
        self.send_bytes(b"".join(map(encode, frames)))

    def send_bytes(self, data: bytes) -> None:
        with suppress(BrokenPipeError):  # It may have failed before it was sent everything.
            while data:
                data = data[os.write(self._write_end, data) :]

    def receive(self) -> Frame | None:
        """Return the next frame, None at the end."""
        while (frame := self._decoder.next()) is None or isinstance(frame, Beat):
            if frame is None:
                data = os.read(self._read_end, 4096)
                if not data:
                    return None
                self._decoder.feed(data)
        return frame

    def until(self, *kinds: type) -> Frame:
        """Return the next frame of one of these kinds."""
        while True:
            frame = self.receive()
            assert frame is not None, "it has ended"
            if isinstance(frame, kinds):
                return frame

    def failure(self) -> str:
        """Return what the receiver reports: its message and its detail."""
        frame = self.until(Failed)
        assert isinstance(frame, Failed)
        told = json.loads(frame.record)
        return f"{told['error']}: {told['message']}: {told['detail']}"


@pytest.fixture
def target(tmp_path: Path) -> Path:
    return make_cluster(tmp_path / "target")


@contextmanager
def wire_to(directory: Path, tablespaces: dict[int, str] | None = None) -> Iterator[Wire]:
    with receiving(target_of(directory, tablespaces)) as ends:
        yield Wire(*ends)


@pytest.fixture
def wire(target: Path) -> Iterator[Wire]:
    with wire_to(target) as wire:
        yield wire


def whole(path: str, data: bytes) -> tuple[Blocks, End]:
    """Return what sends a small file that the receiver does not have."""
    sent, count = SentDigest(path), -(-len(data) // BLOCK_BYTES)
    runs = (BlockRun(0, count, False),)  # noqa: FBT003 - as in a frame
    sent.add(0, runs, DIGESTS_OF(data, BLOCK_BYTES))
    return Blocks(1, 0, 0, runs, data), End(1, len(data), sent.of(len(data)))


def test_file_that_is_sent_is_written(wire: Wire, target: Path) -> None:
    wire.send(Want(1, PATH))
    assert wire.until(Has) == Has(1, 0)
    wire.send(*whole(PATH, b"abc"))
    assert wire.until(FileDone) == FileDone(1)
    assert read(target) == {PATH: b"abc"}


@pytest.mark.parametrize(("directory", "file"), [(0o700, 0o600), (0o750, 0o640)])
def test_new_file_has_the_mode_of_the_cluster(tmp_path: Path, directory: int, file: int) -> None:
    source, target = make_cluster(tmp_path / "source"), make_cluster(tmp_path / "target")
    target.chmod(directory)
    write(source, {PATH: b"new", "base/5/2": b"old"})
    write(target, {"base/5/2": b"old"})
    (target / "base/5/2").chmod(0o644)
    before = os.umask(0o077)
    try:
        transfer(source, target, [PATH, "base/5/2"])
    finally:
        os.umask(before)
    assert {stat.S_IMODE((target / path).stat().st_mode) for path in read(target)} == {file}


def test_control_file_is_written_beside_the_one_that_a_server_would_read(
    tmp_path: Path,
) -> None:
    source, target = make_cluster(tmp_path / "source"), make_cluster(tmp_path / "target")
    write(source, {"global/pg_control": control_file_of(15)})
    transfer(source, target, ["global/pg_control"])
    assert read(target) == {"global/pgpool_recovery.pg_control.new": control_file_of(15)}


def test_control_file_that_arrives_damaged_is_not_reported_as_done(
    wire: Wire, target: Path
) -> None:
    wire.send(Want(1, "global/pg_control"))
    wire.until(Has)
    wire.send(*whole("global/pg_control", b"torn" + control_file_of(15)[4:]))
    assert "arrived with a wrong checksum" in wire.failure()


@pytest.mark.parametrize(
    "path",
    ["../x", "/etc/x", "base//1", "postgresql.conf", "pg_tblspc/16400/PG_15_202209061/5/1"],
)
def test_path_that_was_not_permitted(wire: Wire, path: str) -> None:
    wire.send(Want(1, path))
    assert wire.failure().startswith("Undone: the channel between the hosts is damaged")


def test_tablespace_is_written_through_its_directory(target: Path, tmp_path: Path) -> None:
    """Not through its link, which in a copied directory may lead to another server's."""
    own, others = tmp_path / "own", tmp_path / "others"
    for directory in (own, others):
        (directory / VERSION / "5").mkdir(parents=True)
    (target / "pg_tblspc/16400").symlink_to(others)
    path = f"pg_tblspc/16400/{VERSION}/5/1"
    with wire_to(target, {16400: str(own)}) as wire:
        wire.send(Want(1, path))
        wire.until(Has)
        wire.send(*whole(path, b"abc"))
        assert wire.until(FileDone) == FileDone(1)
    assert (read(own), read(others)) == ({f"{VERSION}/5/1": b"abc"}, {})


def test_version_directory_of_another_release(target: Path, tmp_path: Path) -> None:
    with wire_to(target, {16400: str(tmp_path)}) as wire:
        wire.send(Want(1, "pg_tblspc/16400/PG_14_202107181/5/1"))
        assert "is in no tablespace of the target" in wire.failure()


@pytest.mark.parametrize("which", ["file", "directory"])
def test_link_is_not_followed(target: Path, tmp_path: Path, which: str) -> None:
    elsewhere = tmp_path / "elsewhere"
    write(elsewhere, {"1": b"precious"})
    if which == "file":
        (target / PATH).symlink_to(elsewhere / "1")
    else:
        (target / "base/5").rmdir()
        (target / "base/5").symlink_to(elsewhere)
    with wire_to(target) as wire:
        wire.send(Want(1, PATH))
        assert "is a symbolic link" in wire.failure()
    assert read(elsewhere) == {"1": b"precious"}


@pytest.mark.parametrize("kind", ["directory", "pipe"])
def test_what_is_in_the_way_of_a_file_goes(wire: Wire, target: Path, kind: str) -> None:
    if kind == "directory":
        write(target, {f"{PATH}/inner/file": b"x"})
    else:
        os.mkfifo(target / PATH)
    wire.send(Want(1, PATH))
    assert wire.until(Has) == Has(1, 0)
    wire.send(*whole(PATH, b"abc"))
    assert wire.until(FileDone) == FileDone(1)
    assert read(target) == {PATH: b"abc"}


def test_directory_that_is_missing_is_named(wire: Wire, target: Path) -> None:
    (target / "base/5").rmdir()
    wire.send(Want(1, PATH))
    assert f"{target}/base/5" in wire.failure()


def test_file_that_has_vanished_is_left_alone(wire: Wire, target: Path) -> None:
    write(target, {PATH: b"old"})
    wire.send(Want(1, PATH), Gone(1), Want(2, "base/5/2"))
    assert wire.until(Has) == Has(1, 3)
    assert wire.until(Has) == Has(2, 0)
    assert read(target) == {PATH: b"old"}


BLOCK, END = whole(PATH, contents("ab"))
PACKED = zstd.compress(bytes(2 * BLOCK_BYTES), 1) if zstd.is_available() else b""
ONE = (BlockRun(0, 1, False),)  # noqa: FBT003 - as in a frame
HOSTILE: dict[str, list[Frame]] = {
    "blocks of a file that was not announced": [Blocks(2, 0, 0, ONE, b"x")],
    "the end of a file that was not announced": [End(2, 0, bytes(32))],
    "a file twice": [Want(1, "base/5/2")],
    "a frame of a receiver": [FileDone(1)],
    "a chunk that begins in the middle": [Blocks(1, 5, 0, ONE, b"x")],
    "a chunk twice": [BLOCK, BLOCK],
    "fewer blocks than it says": [BLOCK._replace(data=contents("a"))],
    "more blocks than it says": [BLOCK._replace(data=contents("abc"))],
    "fewer blocks than the file has": [BLOCK, END._replace(size_bytes=3 * BLOCK_BYTES)],
    "another block": [BLOCK._replace(data=contents("ax")), END],
    "a block somewhere else": [BLOCK._replace(first=1024), END],
    "no block": [END],
    "data that unpacks to more": [BLOCK._replace(raw_bytes=BLOCK_BYTES, data=PACKED)],
    "data that unpacks to less": [BLOCK._replace(raw_bytes=3 * BLOCK_BYTES, data=PACKED)],
    "data that does not unpack": [BLOCK._replace(raw_bytes=BLOCK_BYTES)],
}


@pytest.mark.parametrize("what", HOSTILE)
def test_nothing_malformed_is_reported_as_done(wire: Wire, what: str) -> None:
    wire.send(Want(1, PATH))
    wire.until(Has)
    wire.send(*HOSTILE[what])
    assert wire.failure().startswith("Undone")
    wire.receiver.stop.ask()


def test_end_with_a_length_that_was_not_sent(wire: Wire, target: Path) -> None:
    """Its digest is right, so only the length is wrong: a sparse file could be any size."""
    wire.send(Want(1, PATH))
    wire.until(Has)
    wire.send(End(1, 2**50, SentDigest(PATH).of(2**50)))
    assert "blocks are missing" in wire.failure()
    assert read(target) == {}


def test_more_files_than_a_sender_announces(wire: Wire) -> None:
    wire.send(*(Want(number, f"base/5/{number + 1}") for number in range(1025)))
    assert "wants 1024 files at once" in wire.failure()


def test_garbage_ends_it(wire: Wire) -> None:
    wire.send_bytes(b"Connection to db1 closed by remote host.\r\n")
    assert wire.failure().startswith("Undone: the channel")


@pytest.mark.parametrize("number", [28, 122])
def test_full_disk_is_no_room_and_names_the_file(
    target: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    def fail(*_: object) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(receive_module, "write_all_at", fail)
    with wire_to(target) as wire:
        wire.send(Want(1, PATH))
        wire.until(Has)
        wire.send(*whole(PATH, b"abc"))
        assert wire.failure().startswith(f'NoRoom: could not write "{target}/{PATH}"')


def test_disk_that_cannot_sync_is_reported(target: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(_: int) -> None:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(receive_module, "sync_opened", fail)
    with wire_to(target) as wire:
        wire.send(Want(1, PATH))
        wire.until(Has)
        wire.send(*whole(PATH, b"abc"))
        failure = wire.failure()
    assert f"{target}/{PATH}" in failure
    assert "Input/output error" in failure


def test_file_that_cannot_be_read_is_reported(
    target: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> int:
        raise OSError(5, "Input/output error")

    write(target, {PATH: b"old"})
    monkeypatch.setattr("pgpool_recovery.blocks.receive.os.preadv", fail)
    with wire_to(target) as wire:
        wire.send(Want(1, PATH))
        assert f"{target}/{PATH}" in wire.failure()


def test_bug_is_reported(target: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Receiver, "_digests", lambda *_: 1 // 0)
    write(target, {PATH: b"old"})
    with wire_to(target) as wire:
        wire.send(Want(1, PATH))
        assert "Bug" in wire.failure()


def test_sender_that_is_gone_ends_it(target: Path) -> None:
    with wire_to(target) as wire:
        wire.send(Want(1, PATH))
        wire.until(Has)
    assert wire.receiver.failure is None
    assert read(target) == {}


def test_sender_that_is_gone_in_the_middle_of_a_frame(target: Path) -> None:
    with wire_to(target) as wire:
        wire.send_bytes(encode(Want(1, PATH))[:-1])
    assert wire.receiver.failure is not None
    assert "damaged" in wire.receiver.failure.message


def test_cancel_ends_it(wire: Wire) -> None:
    wire.receiver.stop.ask()
    assert "Cancelled" in wire.failure()
    wire.receiver.join()
