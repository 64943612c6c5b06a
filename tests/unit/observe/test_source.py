"""Which standbys are asked about themselves, where, and what is made of their answers."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any, cast

import pytest

from pgpool_recovery.config.settings import Host, NodeSettings, Settings
from pgpool_recovery.domain.error import Unreachable
from pgpool_recovery.domain.node import NodeId, Target
from pgpool_recovery.domain.standby import Fault, StandbyFacts, Trouble
from pgpool_recovery.facts.facts import Login
from pgpool_recovery.facts.policy import CopySource, Policy
from pgpool_recovery.facts.source import Source, SourceServer
from pgpool_recovery.observe import source as module
from pgpool_recovery.observe.source import observe_sources
from pgpool_recovery.ssh.command import SshSettings
from pgpool_recovery.talk.request.host import TryLogins
from pgpool_recovery.talk.request.server import AskSource
from tests.unit.plan.situation import REQUEST, SYSTEM, facts, primary

STREAM = {
    "slot_name": "pgpool_node_2",
    "application_name": "server3",
    "client_address": "192.0.2.3",
    "lag_bytes": 4096,
    "data_directory": "/var/lib/pgsql/15/data",
}


class Site:
    """The streams that the primary sees, and the servers that agents find, by host."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.streams: list[dict[str, Any]] = [STREAM]
        self.slots: dict[str, str | None] = {"192.0.2.3": "pgpool_node_2", "server3": None}
        self.silent: set[str] = set()
        self.asked: list[tuple[Target, AskSource]] = []
        self.logins: list[TryLogins] = []
        self.trouble: Trouble | None = None
        monkeypatch.setattr(module, "read_upstream", lambda *_: None)
        monkeypatch.setattr(module, "judge", lambda *_: self.trouble)

    def rows(self, query: str) -> list[dict[str, Any]]:
        assert query == "source_streams"
        return self.streams

    def ask(self, request: TryLogins, *, timeout_s: float) -> tuple[Login, ...]:
        assert timeout_s > 0
        self.logins.append(request)
        [first, *_] = request.candidates
        return (Login(first, SYSTEM, None),)

    @contextmanager
    def open_agent(self, target: Target) -> Iterator[Any]:
        if target.host in self.silent:
            raise Unreachable(f"could not log in to {target.host} by ssh")
        yield _Agent(self, target)

    def observe(self, source: str = "auto", **settings: Any) -> tuple[Source, ...]:
        made = Settings(policy=Policy(source=CopySource(source)), **settings)
        agent, connection = cast("Any", self), cast("Any", self)
        return observe_sources(connection, agent, REQUEST, facts(), made, self.open_agent)


class _Agent:
    def __init__(self, site: Site, target: Target) -> None:
        self.site, self.target = site, target

    def ask(self, request: AskSource, *, timeout_s: float) -> SourceServer:
        assert timeout_s > 0
        self.site.asked.append((self.target, request))
        standby = StandbyFacts(
            is_in_recovery=True, slot_name=self.site.slots[self.target.host], receiver="streaming"
        )
        return SourceServer(standby, 150007, 5433, 10, 1, 0, {})


@pytest.fixture
def site(monkeypatch: pytest.MonkeyPatch) -> Site:
    return Site(monkeypatch)


def named(host: str, **more: Any) -> dict[NodeId, NodeSettings]:
    return {NodeId(2): NodeSettings(host=Host(host), **more)}


def test_node_by_its_slot(site: Site) -> None:
    """Host and directory are where it streams from, and the primary's."""
    [found] = site.observe()
    assert (found.node_id, found.host, found.lag_bytes) == (2, "192.0.2.3", 4096)
    [(target, asked)] = site.asked
    assert (target.data_directory, asked.slot_name) == (STREAM["data_directory"], "pgpool_node_2")
    assert found.conninfo is not None
    assert (found.conninfo["host"], found.conninfo["port"]) == ("192.0.2.3", "5433")
    assert found.problem is None


def test_node_by_its_address(site: Site) -> None:
    site.streams = [{**STREAM, "slot_name": None}]
    assert site.observe() == (), "nobody knows which node it is"
    site.slots["192.0.2.3"] = None
    [found] = site.observe(node=named("192.0.2.3", data_directory="/data"))
    assert (found.node_id, found.data_directory, found.problem) == (2, "/data", None)


def test_two_nodes_at_one_address_are_not_told_apart(site: Site) -> None:
    site.streams = [{**STREAM, "slot_name": None}]
    both = {NodeId(number): NodeSettings(host=Host("192.0.2.3")) for number in (2, 3)}
    assert site.observe(node=both) == ()


def test_node_that_is_recovered_is_none(site: Site) -> None:
    site.streams = [{**STREAM, "slot_name": "pgpool_node_1"}]
    assert site.observe() == ()


def test_only_the_named_one_is_asked(site: Site) -> None:
    other = {**STREAM, "slot_name": "pgpool_node_3", "client_address": "192.0.2.4"}
    site.streams = [other, STREAM]
    assert [found.node_id for found in site.observe("2")] == [2]
    assert [target.host for target, _ in site.asked] == ["192.0.2.3"]


def test_named_node_that_is_recovered_needs_none(site: Site) -> None:
    assert site.observe("1") == ()
    assert site.asked == []


def test_synchronous_one_is_not_asked(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    awaited = facts(primary=primary(synchronous_standby_names="server3"))
    monkeypatch.setattr("tests.unit.observe.test_source.facts", lambda: awaited)
    [found] = site.observe()
    assert found.server is None
    assert site.asked == []


def test_host_that_does_not_answer(site: Site) -> None:
    site.silent.add("192.0.2.3")
    [found] = site.observe()
    assert found.problem is not None
    assert found.problem.message == "could not log in to 192.0.2.3 by ssh"
    assert site.logins == []


def test_another_server_there(site: Site) -> None:
    site.slots["192.0.2.3"] = "pgpool_node_5"
    [found] = site.observe()
    assert found.problem is not None
    assert "is another one" in found.problem.message
    assert site.logins == [], "no password is sent there"


def test_standby_with_a_fault_is_not_logged_in_to(site: Site) -> None:
    site.trouble = Trouble(Fault.PAUSED, "has paused its replay")
    [found] = site.observe()
    assert found.trouble == site.trouble
    assert site.logins == []


def test_address_alone_is_not_believed_without_host_keys(site: Site) -> None:
    careless = SshSettings(check_host_keys=False)
    [found] = site.observe(ssh=careless)
    assert found.problem is module.NO_HOST_KEYS
    [found] = site.observe(ssh=careless, node=named("192.0.2.3"))
    assert found.problem is None


def test_named_node_that_does_not_stream(site: Site) -> None:
    site.streams = []
    [found] = site.observe("2")
    assert found.problem is not None
    assert found.problem.message == "node 2 does not stream from the primary"
    assert found.problem.hint is not None


def test_named_node_that_is_the_primary_now(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    site.streams = []
    monkeypatch.setattr(module, "identity_of", lambda _path: primary().data_directory)
    [found] = site.observe("2", node=named("127.0.0.1", data_directory="/data"))
    assert found.is_primary
    monkeypatch.setattr(module, "identity_of", lambda _path: None)
    [found] = site.observe("2", node=named("127.0.0.1", data_directory="/data"))
    assert not found.is_primary


def test_bug_in_a_thread_is_not_lost(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(site, "slots", {})
    with pytest.raises(KeyError):
        site.observe()


def test_late_answer_is_not_waited_for(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "ASKED_S", 0.0)
    monkeypatch.setattr(threading.Thread, "start", lambda _self: None)
    monkeypatch.setattr(threading.Thread, "join", lambda _self, _within_s: None)
    [found] = site.observe()
    assert found.problem is not None
    assert found.problem.message == "it could not be examined within 0 s"
    assert replace(found, problem=None).server is None
