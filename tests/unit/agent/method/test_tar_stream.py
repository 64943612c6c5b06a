"""Archives in pieces of any size; what a hostile or a cut stream could do."""

import tarfile
from dataclasses import dataclass, field

import pytest

from pgpool_recovery.agent.method.tar_stream import (
    Member,
    MemberKind,
    Sink,
    TarStream,
    parse_header,
)
from pgpool_recovery.domain.error import Undone
from tests.unit.agent.method.incremental.stream import DIRECTORY, archive

MEMBERS: dict[str, bytes | None] = {
    "backup_label": b"START WAL LOCATION",
    "base": DIRECTORY,
    "base/1": DIRECTORY,
    "base/1/empty": b"",
    "base/1/1259": b"x" * 1024,
    "base/1/odd": b"y" * 700,
    "./pg_wal/summaries": DIRECTORY,
    "pg_tblspc/16400": b"->/tablespaces/fast",
}


@dataclass
class Collected:
    """A sink that keeps what it gets."""

    data: bytearray = field(default_factory=bytearray)
    is_closed: bool = False

    def write(self, data: memoryview) -> None:
        assert not self.is_closed
        self.data += data

    def close(self) -> None:
        self.is_closed = True


def read(data: bytes, piece_bytes: int) -> dict[str, tuple[Member, Collected]]:
    found: dict[str, tuple[Member, Collected]] = {}

    def open_sink(member: Member) -> Sink:
        found[member.path] = (member, Collected())
        return found[member.path][1]

    reader = TarStream("base.tar", open_sink)
    for at in range(0, len(data), piece_bytes):
        reader.feed(memoryview(data)[at : at + piece_bytes])
    reader.finish()
    return found


@pytest.mark.parametrize("piece_bytes", [1, 511, 512, 513, 10_000])
def test_members_are_complete_for_pieces_of_any_size(piece_bytes: int) -> None:
    found = read(archive(MEMBERS), piece_bytes)
    assert list(found) == [name.removeprefix("./") for name in MEMBERS]
    assert all(collected.is_closed for _, collected in found.values())
    assert bytes(found["base/1/1259"][1].data) == MEMBERS["base/1/1259"]
    assert bytes(found["base/1/odd"][1].data) == MEMBERS["base/1/odd"]
    assert found["base/1"][0].kind is MemberKind.DIRECTORY
    link = found["pg_tblspc/16400"][0]
    assert (link.kind, link.target) == (MemberKind.LINK, "/tablespaces/fast")


@pytest.mark.parametrize("kept", [0, 100, 512, 600, 1024, 3000])
def test_an_archive_that_was_cut_off(kept: int) -> None:
    with pytest.raises(Undone, match=r"base\.tar of the base backup was cut off"):
        read(archive(MEMBERS)[:kept], 512)


def test_an_archive_that_goes_on_after_its_end() -> None:
    with pytest.raises(Undone, match="goes on after its end"):
        read(archive(MEMBERS) + archive(MEMBERS), 512)


@pytest.mark.parametrize(
    "name", ["/etc/passwd", "../up", "base/../../up", "base//1", "base/.", "..", "./../up", "././x"]
)
def test_names_that_point_elsewhere(name: str) -> None:
    with pytest.raises(Undone) as caught:
        read(archive({name: b"x"}), 512)
    assert "points elsewhere" in str(caught.value.detail)


def header(**changes: bytes) -> bytes:
    info = tarfile.TarInfo("base/1/1259")
    info.size = 10
    text = bytearray(info.tobuf(tarfile.USTAR_FORMAT))
    places = {"size": 124, "kind": 156, "magic": 257, "checksum": 148}
    for name, value in changes.items():
        text[places[name] : places[name] + len(value)] = value
    if "checksum" not in changes:
        text[148:156] = b" " * 8
        text[148:156] = b"%06o\0 " % sum(text)
    return bytes(text)


def test_a_size_beyond_octal_digits() -> None:
    size = 20 * 2**30
    assert parse_header(header(size=b"\x80" + size.to_bytes(11, "big"))).size_bytes == size


@pytest.mark.parametrize(
    "changes",
    [
        {"checksum": b"000001\0 "},
        {"magic": b"gnu!!"},
        {"kind": b"1"},  # a hard link
        {"kind": b"3"},  # a device
        {"kind": b"x"},  # a pax header
        {"kind": b"2"},  # a link with content
        {"size": b"00000000-10\0"},
        {"size": b"\xff" * 12},
        {"size": b"\x80" + b"\xff" * 11},
        {"size": b"\0" * 12},
    ],
)
def test_headers_that_no_server_sends(changes: dict[str, bytes]) -> None:
    with pytest.raises(Undone, match="archive that cannot be read"):
        parse_header(header(**changes))


def test_the_header_of_a_file() -> None:
    assert parse_header(header()) == Member("base/1/1259", MemberKind.FILE, 10, "", 0o644)
