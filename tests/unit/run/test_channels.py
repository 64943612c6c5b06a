"""Channels are kept busy; when one fails, stands still, or the run ends, all end at once."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, cast

import pytest

from pgpool_recovery.domain.error import Cancelled, NoRoom, RecoveryError, Undone
from pgpool_recovery.domain.event import Emit, Event, Progress
from pgpool_recovery.facts.blocks import Hash, SentBlocks
from pgpool_recovery.host import meter
from pgpool_recovery.run.channels import Channels, Totals, Wires
from pgpool_recovery.run.party import Deadlines
from pgpool_recovery.talk.request.blocks import (
    CloseChannel,
    FilePage,
    ListFiles,
    OpenChannel,
    SendFiles,
)
from pgpool_recovery.talk.request.steps import Expect

FILES = {f"base/5/{number}": 2**25 if number % 3 else 9000 for number in range(40)}
DIRECTORIES = ("base", "base/5")
DEADLINES = Deadlines(stall_s=60, undo_s=1, answer_s=1, connect_s=1)
AT_ONCE_S = 5.0


@dataclass
class Source:
    """Agents of a source with these files; `on_send` is what happens to a batch of one of them."""

    on_send: Callable[[int, SendFiles, Callable[[], None]], None] = lambda *_: None
    page_files: int = 7
    lock: threading.Lock = field(default_factory=threading.Lock)
    begun: int = 0
    ended: int = 0
    opened: int = 0
    closed: int = 0
    sent: list[str] = field(default_factory=list)
    limits: set[int | None] = field(default_factory=set)

    @contextmanager
    def start(self, on_event: Emit) -> Iterator[Any]:
        """Start an agent."""
        with self.lock:
            number, self.begun = self.begun, self.begun + 1
        try:
            yield SourceAgent(self, number, on_event)
        finally:
            with self.lock:
                self.ended += 1


@dataclass
class SourceAgent:
    """One of the agents."""

    source: Source
    number: int
    on_event: Emit

    def ask(self, request: object, *, on_tick: Callable[[], None], **_: object) -> Any:
        source = self.source
        on_tick()
        match request:
            case OpenChannel():
                source.opened += 1
                return Hash.XXH3
            case ListFiles(after, _):
                names = [*sorted(FILES, key=lambda path: path.split("/"))]
                rest = [
                    name for name in names if after is None or name.split("/") > after.split("/")
                ]
                some = rest[: source.page_files]
                directories = DIRECTORIES if after is None else ()
                return FilePage(directories, {name: FILES[name] for name in some}, some != rest)
            case SendFiles(paths, limit):
                self.on_event(Progress(1, 0, 1.0))
                source.on_send(self.number, request, on_tick)
                with source.lock:
                    source.sent += paths
                    source.limits.add(limit)
                size = sum(FILES.get(path, 0) for path in paths)
                return SentBlocks(size, 10, 1, 0, tuple(p for p in paths if p.endswith("/4")))
            case CloseChannel():
                source.closed += 1
        return None


@dataclass
class TargetAgent:
    """The agent that holds the target's lock."""

    expected: list[str] = field(default_factory=list)
    directories: list[str] = field(default_factory=list)

    def ask(self, request: Expect, **_: object) -> None:
        self.directories += request.directories
        self.expected += request.files


def carry_out(
    source: Source,
    *,
    count: int = 3,
    rate: int | None = None,
    look: Callable[[], None] = lambda: None,
    deadlines: Deadlines = DEADLINES,
    told: list[Event] | None = None,
    target: TargetAgent | None = None,
) -> Totals:
    events = [] if told is None else told
    wires = Wires(source.start, cast("Any", OpenChannel(None, None, (), 1.0, None)), count, rate)  # type: ignore[arg-type]
    agent: Any = target or TargetAgent()
    return Channels(wires, agent, events.append, deadlines, look).carry_out()


def test_every_file_is_sent_once_and_the_control_file_last() -> None:
    source, target = Source(), TargetAgent()
    totals = carry_out(source, target=target)
    assert sorted(source.sent[:-1]) == sorted(FILES)
    assert source.sent[-1] == "global/pg_control"
    assert sorted(target.expected) == sorted([*FILES, "global/pg_control"])
    assert target.directories == list(DIRECTORIES)
    assert totals.read_bytes == sum(FILES.values())
    assert totals.vanished == ["base/5/4"]
    assert source.begun == source.ended == source.opened == source.closed == 3


def test_all_channels_are_used_at_the_same_time() -> None:
    """Each waits for the others in its first batch."""
    barrier = threading.Barrier(3, timeout=20)
    met = set[int]()

    def meet(number: int, _request: SendFiles, _check: Callable[[], None]) -> None:
        if number not in met:
            met.add(number)
            barrier.wait()

    carry_out(Source(on_send=meet))
    assert met == {0, 1, 2}


def test_limit_is_for_all_together() -> None:
    source = Source()
    carry_out(source, rate=3_000_000)
    assert source.limits == {1_000_000}


def waits(_number: int, _request: SendFiles, check: Callable[[], None]) -> None:
    """Stand still until told to end."""
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        check()
        time.sleep(0.01)


def test_failure_of_one_ends_all_at_once() -> None:
    def fail(number: int, request: SendFiles, check: Callable[[], None]) -> None:
        if number == 1:
            raise NoRoom("no space left")
        waits(number, request, check)

    source, began = Source(on_send=fail), time.monotonic()
    with pytest.raises(NoRoom):
        carry_out(source)
    assert time.monotonic() - began < AT_ONCE_S
    assert source.begun == source.ended == 3


@pytest.mark.parametrize("error", [Cancelled("cancelled"), KeyboardInterrupt()])
def test_interruption_of_the_main_thread_ends_all_at_once(error: BaseException) -> None:
    """A signal handler raises the first, wherever the main thread is."""
    calls = iter(range(1000))

    def look() -> None:
        if next(calls) > 10:
            raise error

    source, began = Source(on_send=waits), time.monotonic()
    with pytest.raises(type(error)):
        carry_out(source, look=look)
    assert time.monotonic() - began < AT_ONCE_S
    assert source.begun == source.ended == 3


def test_channel_that_does_not_get_on() -> None:
    stalled = list[int]()

    def stall(number: int, request: SendFiles, check: Callable[[], None]) -> None:
        stalled.append(number)
        if number == stalled[0]:  # Which thread gets a batch first is not known.
            waits(number, request, check)

    source = Source(on_send=stall)
    deadlines = Deadlines(stall_s=0.5, undo_s=1, answer_s=1, connect_s=1)
    with pytest.raises(Undone, match=r"the comparison has made no progress for 0\.5 s"):
        carry_out(source, deadlines=deadlines)
    assert source.ended == 3


def test_progress_that_is_slow_is_no_stall(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(meter, "TOLD_EVERY_S", 0.05)
    agents = dict[int, SourceAgent]()

    class Slow(Source):
        @contextmanager
        def start(self, on_event: Emit) -> Iterator[Any]:
            with super().start(on_event) as agent:
                agents[agent.number] = agent
                yield agent

    def slow(number: int, _request: SendFiles, _check: Callable[[], None]) -> None:
        for done in range(2, 14):
            agents[number].on_event(Progress(done, 0, 1.0))
            time.sleep(0.1)

    source, told = Slow(), list[Event]()
    first = iter([True] + [False] * 1000)
    source.on_send = lambda *all_of: slow(*all_of) if next(first) else None
    deadlines = Deadlines(stall_s=1.0, undo_s=1, answer_s=1, connect_s=1)
    carry_out(source, deadlines=deadlines, told=told)
    progress = [event for event in told if isinstance(event, Progress)]
    assert all(event.is_comparison for event in progress)
    assert {event.total_bytes for event in progress} == {sum(FILES.values())}


def test_list_that_does_not_get_on() -> None:
    with pytest.raises(Undone, match="makes no progress"):
        carry_out(Source(page_files=0))


def test_agent_that_cannot_be_started() -> None:
    class Broken(Source):
        @contextmanager
        def start(self, on_event: Emit) -> Iterator[Any]:
            if self.begun:
                raise RecoveryError("it cannot be started")
            with super().start(on_event) as agent:
                yield agent

    with pytest.raises(RecoveryError, match="it cannot be started"):
        carry_out(Broken(on_send=waits))
