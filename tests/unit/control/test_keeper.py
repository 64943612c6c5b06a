"""The session that holds an agreement: until that is read, the command ends, or time is up."""

import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import pytest

from pgpool_recovery.cli.interrupt import Left
from pgpool_recovery.control import keeper
from pgpool_recovery.control.cluster import Node, SqlLogin
from pgpool_recovery.control.extension import Extension, Feature, Primary
from pgpool_recovery.control.keeper import HELD, QUIT, Keeper, hold
from pgpool_recovery.domain.error import Unreachable
from pgpool_recovery.domain.node import NodeId
from pgpool_recovery.plan.harm import Harm, Old, Reach

AGREED = b"pgpool-recovery agreed 12345678 wal kept"


class Session:
    """A session: its successive names, and whether the last one has been read."""

    def __init__(self) -> None:
        self.names = ["asks"]
        self.is_read = False

    def row(self, query: str, /, **parameters: Any) -> dict[str, Any]:
        if query == "name_session":
            self.names.append(parameters["name"])
            return parameters
        assert query == "agreement_is_read"
        return {"is_read": self.is_read}


class Held:
    """A session that is held in a thread, and the command's ends of the pipes."""

    def __init__(self, held_s: float) -> None:
        self.session = Session()
        reading, self.to = os.pipe()
        self.answers, writing = os.pipe()
        words = (self.session, reading, writing)
        self.thread = threading.Thread(target=hold, args=words, kwargs={"held_s": held_s})
        self.thread.start()

    def say(self, line: bytes) -> None:
        os.write(self.to, line + b"\n")
        if line != QUIT:
            assert os.read(self.answers, 100) == HELD + b"\n"

    def has_ended(self) -> bool:
        self.thread.join(30)
        return not self.thread.is_alive()


@contextmanager
def held(monkeypatch: pytest.MonkeyPatch, held_s: float = 60) -> Iterator[Held]:
    monkeypatch.setattr(keeper, "LOOK_EVERY_S", 0.01)
    yield Held(held_s)


def test_command_ends_it(monkeypatch: pytest.MonkeyPatch) -> None:
    with held(monkeypatch) as one:
        one.say(AGREED)
        one.say(QUIT)
        assert one.has_ended()
        assert one.session.names == ["asks", AGREED.decode()]


def test_command_is_killed_while_it_asks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing was agreed to, so nothing is kept."""
    with held(monkeypatch) as one:
        os.close(one.to)
        assert one.has_ended()


def test_command_is_killed_once_it_is_agreed(monkeypatch: pytest.MonkeyPatch) -> None:
    """It stays until the recovery has read it."""
    with held(monkeypatch) as one:
        one.say(AGREED)
        os.close(one.to)
        one.thread.join(0.2)
        assert one.thread.is_alive()
        one.session.is_read = True
        assert one.has_ended()
        assert one.session.names[-1] == "pgpool-recovery"


def test_agreement_that_is_not_read(monkeypatch: pytest.MonkeyPatch) -> None:
    began = time.monotonic()
    with held(monkeypatch, held_s=0.2) as one:
        one.say(AGREED)
        os.close(one.to)
        assert one.has_ended()
    assert time.monotonic() - began >= 0.2


def test_agreement_is_used_once_and_can_be_made_again(monkeypatch: pytest.MonkeyPatch) -> None:
    with held(monkeypatch) as one:
        one.say(AGREED)
        one.session.is_read = True
        while one.session.names[-1] != "pgpool-recovery":
            time.sleep(0.01)
        one.session.is_read = False
        one.say(AGREED.replace(b"wal", b"copy"))
        one.say(QUIT)
        assert one.has_ended()
        assert one.session.names[-1] == "pgpool-recovery agreed 12345678 copy kept"


NODE = Node(NodeId(0), "127.0.0.1", 1, "/data")
EXTENSION = Extension("postgres", "2.0", frozenset({Feature.PLAN}))
PRIMARY = Primary(NODE, SqlLogin("postgres", ("postgres",), 2, 2), (EXTENSION,))


@pytest.mark.parametrize(
    ("is_sent", "detail"), [(False, "Nothing was started."), (True, "Nothing more was started.")]
)
def test_session_that_is_lost_says_no_more_than_is_known(*, is_sent: bool, detail: str) -> None:
    """When more is agreed to, an earlier run may already have changed something."""
    one = Keeper(PRIMARY, NODE)
    one.is_sent = is_sent
    reading, one._writing = os.pipe()
    os.close(reading)
    with pytest.raises(Unreachable) as caught:
        one.agree(Harm(Reach.WAL, Old.KEPT))
    os.close(one._writing)
    assert caught.value.detail == detail


@pytest.mark.parametrize(
    ("kind", "is_sent", "is_held"),
    [
        (Left, True, True),
        (Left, False, False),
        (Unreachable, True, False),
        (None, True, False),
    ],
)
def test_agreement_outlives_the_command_only_after_the_request(
    monkeypatch: pytest.MonkeyPatch,
    kind: type[BaseException] | None,
    *,
    is_sent: bool,
    is_held: bool,
) -> None:
    """After a failure the recovery has ended, and before the request there is none to limit."""
    waited: list[int] = []
    monkeypatch.setattr(os, "waitpid", lambda pid, _how: waited.append(pid))
    one = Keeper(PRIMARY, NODE)
    one.is_sent, one._pid = is_sent, 4711
    one._reading, answers = os.pipe()
    reading, one._writing = os.pipe()
    one.__exit__(kind, None, None)
    told = os.read(reading, 100)
    os.close(reading)
    os.close(answers)
    assert told == (b"" if is_held else QUIT + b"\n")
    assert waited == ([] if is_held else [4711])


def test_session_that_does_not_come_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """The child may be in a call that has no time limit, and does not read its pipe."""

    def sit(*_words: object) -> None:
        time.sleep(60)
        os._exit(0)

    monkeypatch.setattr(Keeper, "_be_the_child", sit)
    hasty = replace(PRIMARY, login=replace(PRIMARY.login, connect_s=0.05, answer_s=0.05))
    began = time.monotonic()
    with pytest.raises(Unreachable, match="was lost"):
        Keeper(hasty, NODE).__enter__()
    assert time.monotonic() - began < 30
    with pytest.raises(ChildProcessError):
        os.waitpid(-1, os.WNOHANG)


def test_primary_that_cannot_be_reached() -> None:
    """The cause comes from the child; its process has ended."""
    with pytest.raises(Unreachable, match="could not connect to node 0"):
        Keeper(PRIMARY, NODE).__enter__()
    with pytest.raises(ChildProcessError):
        os.waitpid(-1, os.WNOHANG)
