"""Files become like those of the source from any state, in any batches, and never quietly wrong."""

import os
import tempfile
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pgpool_recovery.blocks.digest import differing, digests_with, zero_digest_of
from pgpool_recovery.blocks.frame import (
    DIGEST_BYTES,
    FORMATS,
    HEAD,
    Decoder,
    Failed,
    FileDone,
    Frame,
    Has,
    Want,
    encode,
)
from pgpool_recovery.blocks.throttle import Throttle
from pgpool_recovery.domain.error import Undone
from tests.unit.blocks.ends import (
    BLOCK_BYTES,
    SECRET,
    make_cluster,
    read,
    receiving,
    sending,
    source_of,
    target_of,
    write,
)

UNLIMITED = Throttle(None, lambda _: None)
PATHS = [
    *("PG_VERSION", "base/5/1", "base/5/1.1", "base/5/2_fsm", "base/5/PG_VERSION"),
    *("global/1262", "pg_xact/0000", "pg_multixact/members/0000"),
]
MARKS = st.text("ab.", max_size=6)
"""Blocks of a file: few kinds, so that equal ones and zeros are frequent."""
FILES = st.dictionaries(st.sampled_from(PATHS), st.tuples(MARKS, st.binary(max_size=3)))
FRAMES = st.lists(
    st.builds(
        lambda kind, body: HEAD.pack(kind, len(body)) + body,
        st.sampled_from([kind for kind, _, _ in FORMATS.values()]),
        st.binary(max_size=40),
    )
).map(b"".join)
FAST = settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


def contents_of(marks: str, rest: bytes) -> bytes:
    return b"".join((b"\0" if m == "." else m.encode()) * BLOCK_BYTES for m in marks) + rest


def built(directory: Path, files: dict[str, tuple[str, bytes]]) -> Path:
    cluster = make_cluster(directory)
    write(cluster, {path: contents_of(*made) for path, made in files.items()})
    return cluster


@FAST
@given(
    ours=FILES,
    theirs=FILES,
    batches=st.integers(1, 4),
    workers=st.integers(1, 3),
    compresses=st.booleans(),
)
def test_target_becomes_like_the_source(
    ours: dict[str, tuple[str, bytes]],
    theirs: dict[str, tuple[str, bytes]],
    batches: int,
    workers: int,
    compresses: bool,  # noqa: FBT001 - hypothesis passes it
) -> None:
    with tempfile.TemporaryDirectory() as directory:
        source = built(Path(directory) / "source", ours)
        target = built(Path(directory) / "target", theirs)

        def work(number: int) -> None:
            with sending(source_of(source), target_of(target), compresses=compresses) as sender:
                for batch in range(batches):
                    mine = list(ours)[number * batches + batch :: workers * batches]
                    sender.send(mine, UNLIMITED)

        with ThreadPoolExecutor(workers) as pool:
            list(pool.map(work, range(workers)))
        assert read(target) == {
            **{path: contents_of(*made) for path, made in theirs.items()},
            **{path: contents_of(*made) for path, made in ours.items()},
        }


@given(ours=st.text("abz", max_size=12), theirs=st.text("abz", max_size=12))
def test_runs_are_the_blocks_that_differ(ours: str, theirs: str) -> None:
    def digests(marks: str) -> bytes:
        return b"".join(mark.encode() * DIGEST_BYTES for mark in marks)

    runs = list(differing(digests(ours), digests(theirs), b"z" * DIGEST_BYTES))
    found = {
        number: run.is_zero for run in runs for number in range(run.first, run.first + run.blocks)
    }
    assert found == {
        number: mark == "z"
        for number, mark in enumerate(ours)
        if number >= len(theirs) or theirs[number] != mark
    }
    assert sum(run.blocks for run in runs) == len(found)


@given(
    data=st.binary(max_size=5 * BLOCK_BYTES),
    secret=st.sampled_from([None, SECRET]),
)
def test_digest_of_each_block_is_its_own(data: bytes, secret: str | None) -> None:
    digests_of = digests_with(secret)
    whole = digests_of(data, BLOCK_BYTES)
    single = [
        digests_of(data[at : at + BLOCK_BYTES], BLOCK_BYTES)
        for at in range(0, len(data), BLOCK_BYTES)
    ]
    assert whole == b"".join(single)
    assert whole == digests_of(memoryview(data), BLOCK_BYTES)
    assert whole == digests_of(memoryview(b"x" + data)[1:], BLOCK_BYTES)
    assert whole == digests_of(memoryview(bytearray(b"x" + data))[1:], BLOCK_BYTES)
    assert zero_digest_of(digests_of, BLOCK_BYTES) == digests_of(bytes(BLOCK_BYTES), BLOCK_BYTES)
    blocks = {data[at : at + BLOCK_BYTES] for at in range(0, len(data), BLOCK_BYTES)}
    assert len(set(single)) == len(blocks)


@given(st.binary(max_size=200) | FRAMES)
def test_decoder_takes_anything(data: bytes) -> None:
    """What it returns is what the bytes say, whatever follows."""
    decoder, found = Decoder(), list[Frame]()
    decoder.feed(data)
    with suppress(Undone):
        while (frame := decoder.next()) is not None:
            found.append(frame)
    assert data.startswith(b"".join(map(encode, found)))


@pytest.fixture(scope="module")
def recorded() -> bytes:
    """What a sender sends for two files that a receiver has in another version."""
    with tempfile.TemporaryDirectory() as directory:
        source, target = pair(Path(directory))
        sent = list[bytes]()
        with sending(source_of(source), target_of(target)) as sender:
            kept = sender._link._flush

            def record() -> None:
                sent.append(bytes(sender._link._unsent))
                kept()

            sender._link._flush = record  # type: ignore[method-assign]
            sender.send(["base/5/1", "base/5/2"], UNLIMITED)
        return b"".join(sent)


OURS = {"base/5/1": ("ab.b", b"x"), "base/5/2": ("..", b"")}
THEIRS = {"base/5/1": ("aaaaa", b""), "base/5/2": ("bb", b"")}


WANTS_BYTES = sum(len(encode(Want(0, path))) for path in OURS)


def pair(directory: Path) -> tuple[Path, Path]:
    return built(directory / "source", OURS), built(directory / "target", THEIRS)


def parts_of(data: bytes) -> tuple[bytes, bytes]:
    """Divide what a sender sent: what names both files, and what it sent after the answers."""
    return data[:WANTS_BYTES], data[WANTS_BYTES:]


class Replay:
    """A receiver that is sent what a sender once sent, or what has become of that."""

    def __init__(self, target: Path, *, within_s: float = 0.1) -> None:
        self._target = target
        self._within_s = within_s
        self._answers = list[Frame]()
        self._news = threading.Condition()
        self._has_ended = False

    def answers_to(self, *parts: bytes) -> list[Frame]:
        """Return all answers; before each further part, those to the one before are awaited."""
        with receiving(target_of(self._target)) as (_, read_end, write_end):
            collector = threading.Thread(target=self._collect, args=(os.dup(read_end),))
            collector.start()
            for part, kind in zip(parts, (Has, FileDone), strict=True):
                with suppress(BrokenPipeError):
                    os.write(write_end, part)
                self._wait_for(kind)
        collector.join(10)
        return self._answers

    def _wait_for(self, kind: type[Frame]) -> None:
        """Wait for the answers about both files, or for an end; damage may prevent either."""
        with self._news:
            self._news.wait_for(
                lambda: self._has_ended or sum(isinstance(a, kind) for a in self._answers) == 2,
                self._within_s,
            )

    def _collect(self, read_end: int) -> None:
        decoder = Decoder()
        while data := os.read(read_end, 65536):
            decoder.feed(data)
            while (frame := decoder.next()) is not None:
                with self._news:
                    self._answers.append(frame)
                    self._has_ended = self._has_ended or isinstance(frame, Failed)
                    self._news.notify()
        os.close(read_end)
        with self._news:
            self._has_ended = True
            self._news.notify()


def check_done(answers: list[Frame], target: Path) -> None:
    """Fail if a file is reported as done that is not as the source's."""
    for frame in answers:
        if isinstance(frame, FileDone):
            path = {0: "base/5/1", 1: "base/5/2"}[frame.file]
            assert (target / path).read_bytes() == contents_of(*OURS[path])


def test_whole_stream_is_reported_as_done(recorded: bytes, tmp_path: Path) -> None:
    source, target = pair(tmp_path)
    answers = Replay(target, within_s=20).answers_to(*parts_of(recorded))
    assert {frame for frame in answers if isinstance(frame, FileDone)} == {FileDone(0), FileDone(1)}
    assert read(target) == read(source)


@settings(FAST, max_examples=40)
@given(data=st.data())
def test_stream_that_is_cut_off_leaves_what_the_next_one_repairs(
    recorded: bytes, data: st.DataObject
) -> None:
    length = data.draw(st.integers(0, len(recorded)))
    with tempfile.TemporaryDirectory() as directory:
        source, target = pair(Path(directory))
        answers = Replay(target).answers_to(*parts_of(recorded[:length]))
        check_done(answers, target)
        with sending(source_of(source), target_of(target)) as sender:
            sender.send(["base/5/1", "base/5/2"], UNLIMITED)
        assert read(target) == read(source)


@FAST
@given(data=st.data())
def test_stream_that_is_damaged_is_never_reported_as_done(
    recorded: bytes, data: st.DataObject
) -> None:
    at = data.draw(st.integers(0, len(recorded) - 1))
    damaged = bytearray(recorded)
    damaged[at] ^= data.draw(st.integers(1, 255))
    with tempfile.TemporaryDirectory() as directory:
        _, target = pair(Path(directory))
        check_done(Replay(target).answers_to(*parts_of(bytes(damaged))), target)


@settings(FAST, max_examples=15)
@given(st.lists(st.tuples(st.integers(0, 63), st.integers(1, 255)), min_size=1, max_size=200))
def test_each_block_is_a_version_that_the_source_had(writes: list[tuple[int, int]]) -> None:
    """While the source is being written: what is newer is in the WAL, which repairs it."""
    versions = [{0} for _ in range(64)]
    for block, mark in writes:
        versions[block].add(mark)
    with tempfile.TemporaryDirectory() as directory:
        source = built(Path(directory) / "source", {"base/5/1": ("." * 64, b"")})
        target = built(Path(directory) / "target", {})

        def write_on() -> None:
            with (source / "base/5/1").open("r+b", buffering=0) as file:
                for block, mark in writes:
                    file.seek(block * BLOCK_BYTES)
                    file.write(bytes([mark]) * BLOCK_BYTES)

        writer = threading.Thread(target=write_on)
        writer.start()
        with sending(source_of(source), target_of(target)) as sender:
            for _ in range(2):
                sender.send(["base/5/1"], UNLIMITED)
            writer.join(10)
            copied = (target / "base/5/1").read_bytes()
            sender.send(["base/5/1"], UNLIMITED)
        assert len(copied) == 64 * BLOCK_BYTES
        for block, known in enumerate(versions):
            assert set(copied[block * BLOCK_BYTES : (block + 1) * BLOCK_BYTES]) <= known
        assert read(target) == read(source)
