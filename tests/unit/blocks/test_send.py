"""A sender reports what its source and its receiver do, and reads no faster than it may."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from pgpool_recovery.blocks.frame import (
    CHUNK_BYTES,
    Digests,
    Failed,
    FileDone,
    Frame,
    Has,
    Want,
    encode,
)
from pgpool_recovery.blocks.link import FrameLink
from pgpool_recovery.blocks.send import WINDOW, Sender
from pgpool_recovery.blocks.source import SourceFiles
from pgpool_recovery.blocks.throttle import Throttle
from pgpool_recovery.domain.error import Cancelled, NoRoom, RecoveryError, Undone, Unreachable
from pgpool_recovery.host.stop import Stop
from tests.unit.blocks.ends import (
    BLOCK_BYTES,
    DIGESTS_OF,
    contents,
    make_cluster,
    read,
    sending,
    source_of,
    target_of,
    transfer,
    write,
)

PATH = "base/5/1"
UNLIMITED = Throttle(None, lambda _: None)


@pytest.fixture
def source(tmp_path: Path) -> Path:
    return make_cluster(tmp_path / "source")


@pytest.fixture
def target(tmp_path: Path) -> Path:
    return make_cluster(tmp_path / "target")


LINKS = list[FrameLink]()


@pytest.fixture(autouse=True)
def ended() -> Iterator[None]:
    """End the links of a test: their signs of life must not get into the pipes of another one."""
    yield
    while LINKS:
        LINKS.pop().end()


def sender_of(source: Path, read_end: int, write_end: int, stop: Stop, **limits: float) -> Sender:
    link = FrameLink(read_end, write_end, silence_s=limits.get("silence_s", 10.0), check=stop.check)
    LINKS.append(link)
    return Sender(
        link,
        SourceFiles(source_of(source)),
        BLOCK_BYTES,
        stop,
        digests_of=DIGESTS_OF,
        compresses=False,
    )


@contextmanager
def answered_by(source: Path, *frames: Frame, raw: bytes = b"") -> Iterator[Sender]:
    """Yield a sender whose receiver has sent this already, and ended."""
    read_end, from_receiver = os.pipe()
    to_receiver, write_end = os.pipe()
    try:
        os.write(from_receiver, b"".join(map(encode, frames)) + raw)
        os.close(from_receiver)
        yield sender_of(source, read_end, write_end, Stop())
    finally:
        for end in (read_end, to_receiver, write_end):
            os.close(end)


def test_only_what_differs_is_sent(source: Path, target: Path) -> None:
    write(source, {PATH: os.urandom(2 * CHUNK_BYTES)})
    first = transfer(source, target, [PATH])
    assert (first.blocks, first.files_whole) == (2 * CHUNK_BYTES // BLOCK_BYTES, 1)
    second = transfer(source, target, [PATH])
    assert (second.blocks, second.files_whole) == (0, 0)
    assert second.sent_bytes < 200
    assert second.read_bytes == 2 * CHUNK_BYTES


def test_zeros_are_not_sent(source: Path, target: Path) -> None:
    write(source, {PATH: bytes(2 * CHUNK_BYTES)})
    sent = transfer(source, target, [PATH])
    assert sent.sent_bytes < 300
    assert read(target) == read(source)
    assert (target / PATH).stat().st_blocks * 512 >= 2 * CHUNK_BYTES


def test_compressible_blocks_are_sent_smaller(source: Path, target: Path) -> None:
    write(source, {PATH: contents("abcdefgh" * 64)})
    assert transfer(source, target, [PATH], compresses=True).sent_bytes < CHUNK_BYTES / 20
    assert read(target) == read(source)


def test_data_that_does_not_shrink_is_sent_as_it_is(source: Path, target: Path) -> None:
    write(source, {PATH: os.urandom(CHUNK_BYTES)})
    assert transfer(source, target, [PATH], compresses=True).sent_bytes < CHUNK_BYTES + 200
    assert read(target) == read(source)


def test_file_that_has_vanished_is_named(source: Path, target: Path) -> None:
    """It was on the list; the receiver's own file of that name is up to the one that commits."""
    write(source, {PATH: b"a", "base/5/3": b"c"})
    write(target, {"base/5/2": os.urandom(3 * CHUNK_BYTES)})
    sent = transfer(source, target, [PATH, "base/5/2", "base/5/3"])
    assert sent.vanished == ("base/5/2",)
    assert (target / "base/5/3").read_bytes() == b"c"


def test_longer_file_there_does_not_confuse_the_next_one(source: Path, target: Path) -> None:
    write(source, {PATH: b"a", "base/5/2": contents("ab")})
    write(target, {PATH: os.urandom(3 * CHUNK_BYTES), "base/5/2": contents("xb")})
    transfer(source, target, [PATH, "base/5/2"])
    assert read(target) == read(source)


def test_more_files_than_are_announced_at_once(source: Path, target: Path) -> None:
    files = {f"base/5/{number}": str(number).encode() for number in range(1, 400)}
    write(source, files)
    transfer(source, target, list(files))
    assert read(target) == files


def test_receiver_is_told_of_a_limited_number_of_files(
    source: Path, target: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A batch may have any number, and a receiver refuses more than it can remember."""
    files = {f"base/5/{number}": b"" for number in range(1, 1100)}
    write(source, files)
    monkeypatch.setattr("pgpool_recovery.blocks.receive.MAX_WANTED", WINDOW)
    transfer(source, target, list(files))
    assert read(target) == files


def test_several_batches_on_one_channel(source: Path, target: Path) -> None:
    write(source, {PATH: b"a", "base/5/2": b"b"})
    with sending(source_of(source), target_of(target)) as sender:
        for path in (PATH, "base/5/2", PATH):
            assert sender.send([path], UNLIMITED).read_bytes == 1
    assert read(target) == read(source)


def test_file_twice_in_a_batch(source: Path, target: Path) -> None:
    with pytest.raises(Undone, match="twice"):
        transfer(source, target, [PATH, PATH])


def test_error_of_the_source_names_the_file(
    source: Path, target: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> int:
        raise OSError(5, "Input/output error")

    write(source, {PATH: b"a"})
    monkeypatch.setattr("pgpool_recovery.blocks.source.os.preadv", fail)
    with pytest.raises(OSError, match="Input/output") as caught:
        transfer(source, target, [PATH])
    assert caught.value.filename == str(source / PATH)


def test_failure_of_the_receiver_is_raised_here(
    source: Path, target: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In the middle of a file, with far more to send than the pipe holds."""

    def fail(*_: object) -> None:
        raise OSError(28, "No space left on device")

    write(source, {PATH: os.urandom(4 * CHUNK_BYTES)})
    monkeypatch.setattr("pgpool_recovery.blocks.receive.write_all_at", fail)
    with pytest.raises(NoRoom, match=rf'could not write "{target}/{PATH}"'):
        transfer(source, target, [PATH])


def test_receiver_that_has_ended(source: Path) -> None:
    write(source, {PATH: b"a"})
    with answered_by(source) as sender, pytest.raises(Unreachable, match="has ended"):
        sender.send([PATH], UNLIMITED)


def test_last_word_of_a_receiver_that_does_not_listen_any_more(source: Path) -> None:
    record = b'{"error": "NoRoom", "message": "full", "detail": null, "hint": null, "target": "%s"}'
    write(source, {PATH: os.urandom(CHUNK_BYTES)})
    read_end, from_receiver = os.pipe()
    to_receiver, write_end = os.pipe()
    failed = Failed(record % str(RecoveryError("").target).encode())
    os.write(from_receiver, encode(Has(0, 0)) + encode(failed))
    os.close(from_receiver)
    os.close(to_receiver)
    try:
        with pytest.raises(NoRoom, match="full"):
            sender_of(source, read_end, write_end, Stop()).send([PATH], UNLIMITED)
    finally:
        os.close(read_end)
        os.close(write_end)


def test_receiver_that_is_silent(source: Path) -> None:
    read_end, from_receiver = os.pipe()
    to_receiver, write_end = os.pipe()
    try:
        with pytest.raises(Unreachable, match="nothing has come"):
            sender_of(source, read_end, write_end, Stop(), silence_s=0.1).send([PATH], UNLIMITED)
    finally:
        for end in (read_end, from_receiver, to_receiver, write_end):
            os.close(end)


MALFORMED: dict[str, list[Frame]] = {
    "the digests of another file": [Has(0, 5), Digests(1, bytes(16))],
    "too few digests": [Has(0, BLOCK_BYTES + 1), Digests(0, bytes(16))],
    "too many digests": [Has(0, BLOCK_BYTES), Digests(0, bytes(32))],
    "a file that it was not told of": [FileDone(9)],
    "a frame of a sender": [Want(0, PATH)],
    "no record": [Failed(b"Connection closed")],
    "another record": [Failed(b"[]")],
}


@pytest.mark.parametrize("what", MALFORMED)
def test_nothing_malformed_is_believed(source: Path, what: str) -> None:
    write(source, {PATH: b"a"})
    damaged = pytest.raises(Undone, match="channel between the hosts is damaged")
    with answered_by(source, *MALFORMED[what]) as sender, damaged:
        sender.send([PATH], UNLIMITED)


def test_cancel_ends_it(source: Path) -> None:
    read_end, from_receiver = os.pipe()
    to_receiver, write_end = os.pipe()
    stop = Stop()
    stop.ask()
    try:
        with pytest.raises(Cancelled):
            sender_of(source, read_end, write_end, stop).send([PATH], UNLIMITED)
    finally:
        for end in (read_end, from_receiver, to_receiver, write_end):
            os.close(end)


def test_cancel_ends_a_sender_whose_receiver_does_not_read(
    source: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(source, {PATH: os.urandom(CHUNK_BYTES)})
    read_end, from_receiver = os.pipe()
    to_receiver, write_end = os.pipe()
    os.write(from_receiver, encode(Has(0, 0)))
    stop = Stop()

    def ask_to_stop(data: memoryview, block_bytes: int) -> bytes:
        stop.ask()
        return DIGESTS_OF(data, block_bytes)

    sender = sender_of(source, read_end, write_end, stop)
    monkeypatch.setattr(sender, "_digests_of", ask_to_stop)
    try:
        with pytest.raises(Cancelled):
            sender.send([PATH], UNLIMITED)
    finally:
        for end in (read_end, from_receiver, to_receiver, write_end):
            os.close(end)


def test_pages_are_checked_before_they_are_sent(source: Path, target: Path) -> None:
    write(source, {PATH: contents("abXd.")})
    write(target, {PATH: contents("aYcdY")})
    seen = []

    def check(path: str, first: int, blocks: memoryview) -> None:
        seen.append((path, first, bytes(blocks)))

    with sending(source_of(source), target_of(target), check_pages=check) as sender:
        sender.send([PATH], UNLIMITED)
    assert seen == [(PATH, 1, contents("bX"))]


def test_rate_is_limited() -> None:
    now, waited = [100.0], list[float]()

    def wait(seconds: float) -> None:
        waited.append(round(seconds, 3))
        now[0] += seconds

    throttle = Throttle(1000, wait, clock=lambda: now[0])
    for _ in range(3):
        throttle.took(500)
    assert waited == [0.5, 0.5, 0.5]
    now[0] += 60  # It makes up for a quarter of a second, not for a minute.
    throttle.took(500)
    assert waited[3:] == [0.25]


def test_progress_is_told_and_the_limit_obeyed(source: Path, target: Path) -> None:
    write(source, {PATH: os.urandom(CHUNK_BYTES + 5)})
    told, waited = list[int](), list[float]()
    with sending(source_of(source), target_of(target)) as sender:
        sender.send([PATH], Throttle(CHUNK_BYTES, waited.append), told.append)
    assert told == [CHUNK_BYTES, CHUNK_BYTES + 5]
    assert 0.5 < sum(waited) < 2.5
