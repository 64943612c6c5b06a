"""Received pages are checked on demand, each for its block number in the relation."""

import struct
from dataclasses import replace
from pathlib import Path

import pytest

from pgpool_recovery.agent.method.guarded.contents import Contents
from pgpool_recovery.agent.method.incremental.received import Received
from pgpool_recovery.agent.method.page import checksum
from pgpool_recovery.agent.method.tar_stream import TarStream
from pgpool_recovery.domain.error import Undone
from pgpool_recovery.domain.wal import Lsn
from tests.unit.agent.method.incremental.stream import SEGMENT_BLOCKS, archive, block, changed
from tests.unit.agent.method.incremental.target import STALE, START, Target


def page(mark: str, number: int) -> bytes:
    """Return a block with an old LSN and the right checksum for that place."""
    data = bytes(8) + block(mark)[8:]
    return data[:8] + struct.pack("=H", checksum(data, number)) + data[10:]


def receive(
    target: Target, members: dict[str, bytes | None], *, start: Lsn | None, has_checksums: bool
) -> None:
    received = Received(
        Contents(target.data, STALE.version_directory, {}),
        replace(STALE, has_checksums=has_checksums),
        vouched=frozenset({"base/5/16384"}),
        check_pages_from=start,
    )
    TarStream("base.tar", received.open_in_base).feed(memoryview(archive(members)))


SOUND = {
    "base/5/INCREMENTAL.16384": changed({1: page("A", 1), 2: page("B", 2)}, 3),
    "base/5/16385.2": page("A", 2 * SEGMENT_BLOCKS) + page("B", 2 * SEGMENT_BLOCKS + 1),
    "base/5/16385_vm": page("A", 0),
    "base/5/PG_VERSION": b"17",
    "pg_xact/0002": page("A", 1),
}
BROKEN = {
    "base/5/INCREMENTAL.16384": (changed({1: page("A", 1), 2: page("B", 3)}, 3), 2),
    "base/5/16385.2": (page("A", 2 * SEGMENT_BLOCKS) + page("B", 1), 2 * SEGMENT_BLOCKS + 1),
    "base/5/16385_vm": (page("A", 1), 0),
}


@pytest.mark.parametrize("name", SOUND)
def test_sound_pages(tmp_path: Path, name: str) -> None:
    receive(Target(tmp_path), {name: SOUND[name]}, start=START.lsn, has_checksums=True)


@pytest.mark.parametrize("name", BROKEN)
def test_broken_pages(tmp_path: Path, name: str) -> None:
    target = Target(tmp_path)
    content, place = BROKEN[name]
    path = name.replace("INCREMENTAL.", "")
    with pytest.raises(Undone, match=f'block {place} of "{path}" came with a wrong checksum'):
        receive(target, {name: content}, start=START.lsn, has_checksums=True)


def test_without_checksums_and_without_demand(tmp_path: Path) -> None:
    members: dict[str, bytes | None] = {name: content for name, (content, _) in BROKEN.items()}
    receive(Target(tmp_path / "one"), members, start=None, has_checksums=True)
    receive(Target(tmp_path / "other"), members, start=START.lsn, has_checksums=False)
