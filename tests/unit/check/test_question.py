"""The argument of pgpool_recovery_check(), valid and invalid."""

import json
from typing import Any

import pytest

from pgpool_recovery.check.question import PoolFacts, parse_question
from pgpool_recovery.domain.error import UsageError

NODE = {"node_id": 1, "host": "server1", "port": 5433, "data_directory": "/data/"}
OTHER = {"node_id": 0, "host": "server0", "port": "5432", "data_directory": "/data"}


def test_list_of_nodes_in_the_order_of_their_ids() -> None:
    asked = parse_question(json.dumps([NODE, OTHER]))
    assert [node.name for node in asked.nodes] == ["node 0", "node 1"]
    assert asked.nodes[1].port == 5433
    assert asked.nodes[1].data_directory == "/data"
    assert asked.pool == PoolFacts()


def test_object_with_settings_of_pgpool_conf_of_which_the_others_do_not_matter() -> None:
    given = {"nodes": [NODE], "pgpool_version": "4.3.5", "recovery_timeout": 90, "port": 9999}
    pool = parse_question(json.dumps(given)).pool
    assert pool.version == (4, 3)
    assert pool.settings == {"pgpool_version": "4.3.5", "recovery_timeout": "90"}


@pytest.mark.parametrize(
    ("version", "databases"),
    [
        ("4.0.12", ("template1",)),
        ("4.6", ("template1",)),
        ("4.7.0", ("other",)),
        ("5.0", ("other",)),
        (None, ("other",)),
    ],
)
def test_database_in_which_pgpool_calls(version: str | None, databases: tuple[str, ...]) -> None:
    settings = {"recovery_database": "other"}
    if version is not None:
        settings["pgpool_version"] = version
    assert PoolFacts(settings).databases == databases


def test_without_version_and_database_it_may_be_either() -> None:
    assert PoolFacts().databases == ("template1", "postgres")


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ("{", "the nodes are not valid JSON"),
        ("[]", "there are no nodes to check"),
        ("3", "there are no nodes to check"),
        ({"nodes": {}}, "there are no nodes to check"),
        ([{"node_id": 1}], "invalid description of a node"),
        ([1], "invalid description of a node"),
        ([NODE | {"extra": 1}], "invalid description of a node"),
        ([NODE, NODE], "two nodes have the same node_id"),
        ([NODE | {"host": "-oProxyCommand=x"}], 'invalid host name "-oProxyCommand=x"'),
        ([NODE | {"host": "bob@server1"}], 'invalid host name "bob@server1"'),
        ([NODE | {"data_directory": "data"}], 'data directory "data" is not an absolute path'),
        ([NODE | {"node_id": None}], 'invalid node id "None"'),
        ([NODE | {"port": 0}], 'invalid port "0"'),
        ({"nodes": [NODE], "pgpool_version": "new"}, 'invalid pgpool_version "new"'),
    ],
)
def test_what_makes_no_sense(given: Any, message: str) -> None:
    with pytest.raises(UsageError) as refusal:
        parse_question(given if isinstance(given, str) else json.dumps(given))
    assert refusal.value.message == message
