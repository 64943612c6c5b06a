"""The cluster as the settings describe it, which node is the primary, and which nodes stream."""

import contextlib
import json
from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, Any, cast

import pytest

from pgpool_recovery.config.load import read_settings
from pgpool_recovery.config.settings import Settings
from pgpool_recovery.control.check import read_findings
from pgpool_recovery.control.cluster import (
    Cluster,
    cluster_of_parameters,
    cluster_of_settings,
    connect_to,
)
from pgpool_recovery.control.plan import call_parameters
from pgpool_recovery.control.primary import ServerAnswer, choose_primary
from pgpool_recovery.control.record import RecordReader
from pgpool_recovery.control.streaming import stream_of
from pgpool_recovery.domain.error import Refused, SettingsError, Unreachable, UsageError
from pgpool_recovery.domain.node import NodeId
from tests.unit.cli import facts

if TYPE_CHECKING:
    from pgpool_recovery.control.extension import Primary
    from pgpool_recovery.postgres.connection import Connection

NODE = {"host": "server0", "port": 5432, "data_directory": "/data"}


def of_settings(nodes: dict[str, Any], **pgpool: Any) -> Cluster:
    return cluster_of_settings(read_settings({"node": nodes, "pgpool": pgpool}, "test"))


def test_settings_that_name_the_nodes() -> None:
    cluster = of_settings({"1": NODE | {"host": "server1"}, "0": NODE}, user="boss")
    assert [node.host for node in cluster.nodes] == ["server0", "server1"]
    assert cluster.login.user == "boss"
    assert cluster.login.databases == ("postgres", "template1")
    with pytest.raises(UsageError, match="there is no node 5") as caught:
        cluster.node(NodeId(5))
    assert caught.value.detail == "The nodes are 0, 1."


def test_settings_say_how_sql_to_the_nodes_is_encrypted(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[dict[str, str]] = []

    def connect(conninfo: dict[str, str], **_: object) -> Any:
        asked.append(conninfo)
        return contextlib.nullcontext()

    monkeypatch.setattr("pgpool_recovery.control.cluster.connect", connect)
    cluster = of_settings({"0": NODE}, sslmode="verify-full", sslrootcert="/ca")
    with connect_to(cluster.nodes[0], cluster.login):
        pass
    [conninfo] = asked
    given = (conninfo["host"], conninfo["sslmode"], conninfo["sslrootcert"])
    assert given == ("server0", "verify-full", "/ca")


@pytest.mark.parametrize("missing", NODE)
def test_incomplete_settings(missing: str) -> None:
    node = {name: value for name, value in NODE.items() if name != missing}
    with pytest.raises(SettingsError, match=f"node.0 has no {missing}"):
        of_settings({"0": node})


PARAMETERS = {
    "recovery_user": "boss",
    "backend_clustering_mode": "1",
    "backend_hostname0": "server0",
    "backend_port0": "5432",
    "backend_data_directory0": "/data",
    "backend_status0": "down",
    "backend_hostname1": "",
    "backend_port1": "5433",
    "backend_status1": "unused",
    "backend_hostname10": "/run/postgresql",
    "backend_port10": "5434",
    "backend_data_directory10": "/data10",
    "backend_status10": "up",
}
"""As pcp_pool_status reports them."""


def test_promise_7_host_of_pgpool_is_a_host() -> None:
    with pytest.raises(UsageError, match="invalid host name"):
        cluster_of_parameters(PARAMETERS | {"backend_hostname0": "$(id)"}, Settings())


def test_cluster_of_the_parameters_of_pgpool() -> None:
    cluster = cluster_of_parameters(PARAMETERS, Settings())
    assert [(node.node_id, node.host, node.port) for node in cluster.nodes] == [
        (0, "server0", 5432),
        (10, "/run/postgresql", 5434),
    ]
    assert cluster.node(NodeId(10)).data_directory == "/data10"
    assert cluster.login.user == "boss"


@pytest.mark.parametrize(
    ("mode", "has_standbys"),
    [
        ("1", True),
        ("2", False),
        ("6", False),
        ("streaming_replication", True),
        ("native_replication", False),
    ],
)
def test_mode_by_number_and_by_name(mode: str, has_standbys: bool) -> None:  # noqa: FBT001
    parameters = PARAMETERS | {"backend_clustering_mode": mode}
    assert cluster_of_parameters(parameters, Settings()).has_standbys is has_standbys


def test_settings_without_nodes() -> None:
    with pytest.raises(SettingsError, match="name no nodes"):
        of_settings({})


@pytest.mark.parametrize("port", [0, 65536, "5432", True])
def test_port(port: object) -> None:
    with pytest.raises(SettingsError):
        of_settings({"0": NODE | {"port": port}})


def primary(node_id: int) -> ServerAnswer:
    return facts.answer(node_id, is_in_recovery=False)


def test_primary_is_the_node_that_reports_to_be_one() -> None:
    """Pgpool-II takes node 0 for the primary, but node 0 does not answer."""
    cluster = facts.cluster(facts.info(0, "up", "primary"), facts.info(1, "up", "standby"))
    silent = ServerAnswer(facts.NODES[0], None, Unreachable("could not connect"))
    assert choose_primary(cluster, (silent, primary(1), facts.answer(2))) == facts.NODES[1]


def test_of_two_primaries_the_one_that_pgpool_uses() -> None:
    cluster = facts.cluster(facts.info(0, "down", "standby"), facts.info(1, "up", "primary"))
    assert choose_primary(cluster, (primary(0), primary(1))) == facts.NODES[1]


def test_two_primaries_without_pgpool() -> None:
    with pytest.raises(Refused, match="there are 2 primaries") as caught:
        choose_primary(facts.cluster(), (primary(0), primary(1)))
    assert caught.value.detail == "node 0 and node 1 accept writes."


def test_no_primary() -> None:
    silent = ServerAnswer(facts.NODES[0], None, Unreachable("could not connect", detail="timeout"))
    with pytest.raises(Unreachable, match="no primary was found") as caught:
        choose_primary(facts.cluster(), (silent, facts.answer(1)))
    assert caught.value.detail == "could not connect: timeout\nnode 1 is a standby."


def test_main_node_where_all_are_written_to() -> None:
    infos = (facts.info(0, "down", "replica"), facts.info(1, "up", "main"))
    cluster = Cluster(facts.NODES, facts.cluster().login, infos, has_standbys=False)
    assert choose_primary(cluster, (primary(0), primary(1), primary(2))) == facts.NODES[1]


def test_stream_by_the_slot_of_a_recovery() -> None:
    found = stream_of(facts.NODES[1], facts.answer(1), [facts.stream(2), facts.stream(1)])
    assert found == facts.stream(1)


def test_stream_by_a_slot_that_the_standby_names() -> None:
    own = facts.stream(1, slot_name="mine")
    answer = facts.answer(1, slot_name="mine")
    assert stream_of(facts.NODES[1], answer, [own]) == own
    assert stream_of(facts.NODES[1], answer, [facts.stream(1, slot_name="other")]) is None


def test_stream_by_a_name_that_one_standby_has() -> None:
    answer = facts.answer(1, slot_name=None)
    own = facts.stream(1, slot_name=None)
    assert stream_of(facts.NODES[1], answer, [own]) == own
    assert stream_of(facts.NODES[1], answer, [own, own]) is None, "whose is which?"


def test_what_the_primary_is_told_of_a_node_on_a_socket() -> None:
    local = facts.NODES[1]
    socket = type(local)(local.node_id, "/run/postgresql", 5433, "/data")
    told = call_parameters(facts.NODES[0], socket)
    assert (told["host"], told["port"], told["primary_host"]) == ("localhost", "5433", "server0")


class Listens:
    """The primary and a connection to it, which keep what they are asked; a fake of ours."""

    def __init__(self) -> None:
        self.asked: dict[str, Any] = {}

    @contextlib.contextmanager
    def connect(self, _feature: object, **_limits: float) -> Iterator["Listens"]:
        yield self

    def row(self, _query: str, **asked: Any) -> dict[str, Any]:
        self.asked = asked
        return {"id": None}

    def call(self, _query: str, _on_notice: object, *, nodes: str) -> list[dict[str, Any]]:
        [self.asked] = json.loads(nodes)["nodes"]
        return []


@pytest.mark.parametrize("host", ["", "/run/postgresql"])
def test_record_and_check_are_asked_by_the_same_host(host: str) -> None:
    node, listens = replace(facts.NODES[1], host=host), Listens()
    assert RecordReader(cast("Connection", listens)).run_of(node, after=0) is None
    assert listens.asked["host"] == "localhost"
    cluster = replace(facts.cluster(), nodes=(node,))
    assert read_findings(cast("Primary", listens), cluster, within_s=1) == ()
    assert listens.asked["host"] == "localhost"
