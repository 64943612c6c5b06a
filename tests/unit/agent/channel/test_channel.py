"""A channel between two processes, as a runner has it opened, used and closed."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from pgpool_recovery.domain.error import Refused
from pgpool_recovery.domain.record import replace
from pgpool_recovery.facts.blocks import BlockTarget
from pgpool_recovery.talk.conversation import Conversation
from pgpool_recovery.talk.protocol import CloseChannel, ListFiles, SendFiles, SentBlocks
from tests.unit.agent.channel.agents import ANSWER_S, opening, permit_in, source_agent
from tests.unit.blocks.ends import contents, make_cluster, read, source_of, target_of, write


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


def send(agent: Conversation, *paths: str) -> SentBlocks:
    return agent.ask(SendFiles(paths, None), timeout_s=ANSWER_S)


def test_all_files_become_equal(source: Path, target: BlockTarget, agent: Conversation) -> None:
    write(source, {"PG_VERSION": b"15\n", "base/5/1": contents("abcd"), "pg_xact/0000": b"x" * 99})
    write(Path(target.data_directory), {"base/5/1": contents("aXcdef"), "base/5/2": b"left"})
    agent.ask(opening(source_of(source), target), timeout_s=ANSWER_S)
    page = agent.ask(ListFiles(None, 1000), timeout_s=ANSWER_S)
    assert page.files == {"PG_VERSION": 3, "base/5/1": 4096, "pg_xact/0000": 99}
    assert not page.has_more
    sent = send(agent, *page.files)
    agent.ask(CloseChannel(), timeout_s=ANSWER_S)
    assert sent.vanished == ()
    assert (sent.read_bytes, sent.blocks, sent.files_whole) == (3 + 4096 + 99, 3, 2)
    assert read(Path(target.data_directory)) == {**read(source), "base/5/2": b"left"}


def test_receiver_without_a_valid_token_is_refused(
    source: Path, target: BlockTarget, agent: Conversation
) -> None:
    with pytest.raises(Refused, match="no longer write"):
        agent.ask(opening(source_of(source), replace(target, token="another")), timeout_s=ANSWER_S)
