"""A channel between two processes, as a runner has it opened, used and closed."""

import os
import secrets
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from pgpool_recovery.domain.error import Busy, NoRoom, Refused, Unreachable
from pgpool_recovery.domain.record import replace
from pgpool_recovery.facts.blocks import BlockTarget, Hash, SentBlocks
from pgpool_recovery.files.process_table import process_of, processes
from pgpool_recovery.host.permit import withdraw_permit
from pgpool_recovery.host.xxh3 import SECRET_BYTES
from pgpool_recovery.talk.conversation import Conversation
from pgpool_recovery.talk.request.blocks import CloseChannel, ListFiles, SendFiles
from tests.harness.until import until
from tests.unit.agent.channel.agents import (
    AGENT,
    ANSWER_S,
    WITHOUT_XXH3,
    opening,
    permit_in,
    source_agent,
)
from tests.unit.blocks.ends import contents, make_cluster, read, source_of, target_of, write

ENDS_WITHIN_S = 10
"""Two seconds are promised; the machine may be busy."""
LARGE = 32 * 2**20


@pytest.fixture
def source(tmp_path: Path) -> Path:
    return make_cluster(tmp_path / "source")


@pytest.fixture
def target(tmp_path: Path) -> BlockTarget:
    directory = make_cluster(tmp_path / "target")
    (tmp_path / "workspace").mkdir(mode=0o700)
    token = permit_in(tmp_path / "workspace")
    permit = str(tmp_path / "workspace" / "permit")
    return replace(target_of(directory), permit=permit, token=token)


@pytest.fixture
def agent() -> Iterator[Conversation]:
    with source_agent() as agent:
        yield agent


def open_channel(
    agent: Conversation, source: Path, target: BlockTarget, receiver: tuple[str, ...] = AGENT
) -> None:
    agent.ask(opening(source_of(source), target, receiver), timeout_s=ANSWER_S)


def send(agent: Conversation, *paths: str, rate: int | None = None) -> SentBlocks:
    return agent.ask(SendFiles(paths, rate), timeout_s=ANSWER_S)


def pid_of(agent: Conversation) -> int:
    return agent._process._process.pid


def receiver_of(agent: Conversation) -> int:
    """Return the process of the receiver that an agent has started."""
    return next(one.pid for one in processes() if one.parent == pid_of(agent))


def may_be_withdrawn(target: BlockTarget, within_s: float = 0.0) -> bool:
    """Return whether nobody writes by then."""
    try:
        withdraw_permit(Path(target.permit).parent, within_s=within_s, check=lambda: None)
    except Busy:
        return False
    return True


def test_all_files_become_equal(source: Path, target: BlockTarget, agent: Conversation) -> None:
    write(source, {"PG_VERSION": b"15\n", "base/5/1": contents("abcd"), "pg_xact/0000": b"x" * 99})
    write(Path(target.data_directory), {"base/5/1": contents("aXcdef"), "base/5/2": b"left"})
    open_channel(agent, source, target)
    page = agent.ask(ListFiles(None, 1000), timeout_s=ANSWER_S)
    assert page.files == {"PG_VERSION": 3, "base/5/1": 4096, "pg_xact/0000": 99}
    assert not page.has_more
    sent = send(agent, *page.files, "base/5/7")
    agent.ask(CloseChannel(), timeout_s=ANSWER_S)
    assert sent.vanished == ("base/5/7",)
    assert (sent.read_bytes, sent.blocks, sent.files_whole) == (3 + 4096 + 99, 3, 2)
    assert read(Path(target.data_directory)) == {**read(source), "base/5/2": b"left"}


SECRET = secrets.token_hex(SECRET_BYTES)


@pytest.mark.parametrize(
    ("sender", "receiver", "secret", "expected"),
    [
        (AGENT, AGENT, SECRET, Hash.XXH3),
        (WITHOUT_XXH3, AGENT, SECRET, Hash.SHA_256),
        (AGENT, WITHOUT_XXH3, SECRET, Hash.SHA_256),
        (WITHOUT_XXH3, WITHOUT_XXH3, SECRET, Hash.SHA_256),
        (AGENT, AGENT, None, Hash.SHA_256),
    ],
    ids=["both have it", "source lacks it", "target lacks it", "both lack it", "not wanted"],
)
def test_both_ends_compare_by_one_hash(
    source: Path,
    target: BlockTarget,
    sender: tuple[str, ...],
    receiver: tuple[str, ...],
    secret: str | None,
    expected: Hash,
) -> None:
    """If they did not, all blocks would be sent."""
    write(source, {"base/5/1": contents("abcd"), "base/5/2": contents("a..")})
    write(Path(target.data_directory), {"base/5/1": contents("aXcd"), "base/5/2": contents("ab.")})
    with source_agent(program=sender) as agent:
        opens = opening(source_of(source), target, receiver, secret)
        assert agent.ask(opens, timeout_s=ANSWER_S) == expected
        sent = send(agent, "base/5/1", "base/5/2")
        agent.ask(CloseChannel(), timeout_s=ANSWER_S)
    assert sent.blocks == 2
    assert read(Path(target.data_directory)) == read(source)


def test_list_comes_in_parts(source: Path, target: BlockTarget, agent: Conversation) -> None:
    write(source, {f"base/5/{number}": b"" for number in range(1, 20)})
    open_channel(agent, source, target)
    found, after, has_more = list[str](), None, True
    while has_more:
        page = agent.ask(ListFiles(after, 4), timeout_s=ANSWER_S)
        names = [*page.directories, *page.files]
        assert 0 < len(names) <= 4
        found += page.files
        after, has_more = max(names, key=lambda path: path.split("/")), page.has_more
    assert set(found) == set(read(source))
    assert len(found) == 19
    again = agent.ask(ListFiles(found[9], 1000), timeout_s=ANSWER_S)
    assert list(again.files) == found[10:], "another part can be asked for at any time"


def test_receiver_without_a_valid_token_is_refused(
    source: Path, target: BlockTarget, agent: Conversation
) -> None:
    with pytest.raises(Refused, match="no longer write"):
        open_channel(agent, source, replace(target, token="another"))
    with pytest.raises(Refused, match="no channel is open"):
        send(agent, "base/5/1")


def test_permit_is_held_as_long_as_the_channel_is_open(
    source: Path, target: BlockTarget, agent: Conversation
) -> None:
    open_channel(agent, source, target)
    assert not may_be_withdrawn(target)
    agent.ask(CloseChannel(), timeout_s=ANSWER_S)
    assert may_be_withdrawn(target)


def test_receiver_that_cannot_be_started(
    source: Path, target: BlockTarget, agent: Conversation
) -> None:
    with pytest.raises(Unreachable, match="the target"):
        open_channel(agent, source, target, ("false",))


def test_receiver_that_dies(source: Path, target: BlockTarget, agent: Conversation) -> None:
    write(source, {"base/5/1": b"a"})
    open_channel(agent, source, target)
    os.kill(receiver_of(agent), signal.SIGKILL)
    with pytest.raises(Unreachable, match=r"the receiver on the target has ended|is gone"):
        send(agent, "base/5/1")
    with pytest.raises(Refused, match="no channel is open"):
        send(agent, "base/5/1")
    assert may_be_withdrawn(target)


@pytest.mark.parametrize("is_sending", [False, True])
def test_receiver_ends_when_the_sender_is_killed(
    source: Path,
    target: BlockTarget,
    is_sending: bool,  # noqa: FBT001 - pytest passes it
) -> None:
    write(source, {"base/5/1": os.urandom(LARGE)})
    with source_agent() as agent:
        open_channel(agent, source, target)
        receiver = process_of(receiver_of(agent))
        if is_sending:
            begin_slowly(agent, target)
        os.kill(pid_of(agent), signal.SIGKILL)
        until(lambda: receiver.has_ended, within_s=ENDS_WITHIN_S, what="the end of the receiver")
    assert may_be_withdrawn(target)


def begin_slowly(agent: Conversation, target: BlockTarget) -> None:
    """Have a file sent that takes a minute, and wait for its beginning."""

    class Begun(Exception):
        pass

    def see() -> None:
        if any((Path(target.data_directory) / "base/5").iterdir()):
            raise Begun

    request = SendFiles(("base/5/1",), LARGE // 60)
    with pytest.raises(Begun):
        agent.ask(request, timeout_s=ANSWER_S, on_tick=see)


def test_both_ends_end_soon_when_the_runner_is_gone(source: Path, target: BlockTarget) -> None:
    write(source, {"base/5/1": os.urandom(LARGE)})
    with source_agent() as agent:
        open_channel(agent, source, target)
        ends = [process_of(pid) for pid in (pid_of(agent), receiver_of(agent))]
        begin_slowly(agent, target)
        began = time.monotonic()
        agent.close()
    assert all(end.has_ended for end in ends)
    assert time.monotonic() - began < ENDS_WITHIN_S
    assert may_be_withdrawn(target)


def test_full_disk_of_the_target(source: Path, target: BlockTarget, agent: Conversation) -> None:
    write(source, {"base/5/1": os.urandom(LARGE)})
    open_channel(agent, source, target, ("prlimit", "--fsize=1000000", *AGENT))
    with pytest.raises(NoRoom, match=f'could not write "{target.data_directory}/base/5/1"'):
        send(agent, "base/5/1")


def test_next_channel_repairs_what_an_interrupted_one_left(
    source: Path, target: BlockTarget
) -> None:
    write(source, {"base/5/1": os.urandom(LARGE)})
    with source_agent() as agent:
        open_channel(agent, source, target)
        begin_slowly(agent, target)
        os.kill(receiver_of(agent), signal.SIGKILL)
    with source_agent() as agent:
        open_channel(agent, source, target)
        sent = send(agent, "base/5/1")
    assert 0 < sent.blocks < LARGE // 1024
    assert read(Path(target.data_directory)) == read(source)


def test_sender_gives_way_and_the_receiver_does_not(
    source: Path, target: BlockTarget, agent: Conversation
) -> None:
    open_channel(agent, source, target)
    nice = [os.getpriority(os.PRIO_PROCESS, pid) for pid in (pid_of(agent), receiver_of(agent))]
    assert nice == [10, 0]
