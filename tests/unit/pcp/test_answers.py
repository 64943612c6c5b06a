"""All other answers, in the forms of 4.0 to 4.7."""

import json
from typing import Any

import pytest

from pgpool_recovery.pcp.client.health_check import health_check_stats_of, node_count_of
from pgpool_recovery.pcp.client.pcp_error import PcpError
from pgpool_recovery.pcp.client.pool_process import (
    PoolParameter,
    child_pids_of,
    pool_parameters_of,
    pool_processes_of,
)
from pgpool_recovery.pcp.client.request import (
    ask_child_pids,
    ask_health_check_stats,
    ask_node_count,
    ask_pool_processes,
    ask_pool_status,
    ask_watchdog_info,
)
from pgpool_recovery.pcp.client.watchdog import watchdog_info_of
from tests.unit.pcp.conversation import reply_to
from tests.unit.pcp.stream import message, one, rows, strings

STATS = (
    *("1", "server1", "5432", "up", "standby", "2026-11-24 08:30:16", "5", "4", "1", "0", "2"),
    *("0.500000", "2", "6", "2", "3.750000", "2026-11-24 08:30:19", "2026-11-24 08:30:18"),
    *("", "2026-11-24 08:30:19"),
)


def test_node_count() -> None:
    assert node_count_of(reply_to(ask_node_count(), one("l", "2"))) == 2


def test_health_check_stats() -> None:
    stats = health_check_stats_of(reply_to(ask_health_check_stats(1), one("h", *STATS)))
    assert (stats.node_id, stats.hostname, stats.status, stats.role) == (
        1,
        "server1",
        "up",
        "standby",
    )
    assert (stats.total_count, stats.success_count, stats.fail_count, stats.retry_count) == (
        5,
        4,
        1,
        2,
    )
    assert (stats.average_retry_count, stats.average_duration_ms) == (0.5, 3.75)
    assert (stats.max_duration_ms, stats.min_duration_ms) == (6, 2)
    assert stats.last_health_check == "2026-11-24 08:30:19"
    assert stats.last_skip_health_check is None
    assert stats.last_failed_health_check == "2026-11-24 08:30:19"


def test_child_pids() -> None:
    assert child_pids_of(reply_to(ask_child_pids(), one("n", 2, 48, 49))) == [48, 49]


UP_TO_4_2 = (48, "app", "joe", 1795509016, 1795509020, 3, 0, 7, 1, 4711, 1)
FROM_4_3 = (
    *(48, "2026-11-24 08:30:16", 2, 3, 1, "app", "joe", "2026-11-24 08:31:00", "", "", 5),
    *(3, 0, 7, 4711, 1, "Idle"),
)
FROM_4_5 = (*FROM_4_3, 1)
FROM_4_7 = (*FROM_4_5, "10.0.0.9", 38928, "SELECT 1")


@pytest.mark.parametrize("fields", [UP_TO_4_2, FROM_4_3, FROM_4_5, FROM_4_7], ids=len)
def test_pool_processes(fields: tuple[object, ...]) -> None:
    [process] = pool_processes_of(reply_to(ask_pool_processes(0), rows("p", "ProcessInfo", fields)))
    assert (process.pid, process.database, process.username) == (48, "app", "joe")
    assert (process.backend_id, process.backend_pid, process.pool_counter) == (1, 4711, 7)
    assert (process.majorversion, process.minorversion, process.is_connected) == (3, 0, True)
    is_new, balances = len(fields) > 11, len(fields) > 17
    assert (process.pool_id, process.status) == ((3, "Idle") if is_new else (None, None))
    assert process.client_idle_duration == (5 if is_new else None)
    assert process.is_load_balance_node is (True if balances else None)
    client = (process.client_host, process.client_port, process.statement)
    assert client == (("10.0.0.9", 38928, "SELECT 1") if len(fields) > 18 else (None,) * 3)


MORE = {
    "node count": (ask_node_count(), node_count_of, one("l", 2), one("l", 2, "new")),
    "statistics": (
        ask_health_check_stats(1),
        health_check_stats_of,
        one("h", *STATS),
        one("h", *STATS, "new"),
    ),
    "processes": (
        ask_pool_processes(0),
        pool_processes_of,
        rows("p", "ProcessInfo", FROM_4_7),
        rows("p", "ProcessInfo", (*FROM_4_7, "new", 1)),
    ),
    "processes of a release between": (
        ask_pool_processes(0),
        pool_processes_of,
        rows("p", "ProcessInfo", FROM_4_5),
        rows("p", "ProcessInfo", (*FROM_4_5, "new")),
    ),
}


@pytest.mark.parametrize("what", MORE)
def test_fields_that_a_later_release_adds_are_passed_over(what: str) -> None:
    asked, read, known, more = MORE[what]
    assert read(reply_to(asked, more)) == read(reply_to(asked, known))


def test_fewer_processes_than_announced() -> None:
    """Given a process id, the announced number is still that of all slots."""
    announced = message("p", strings("ArraySize", 8))
    answer = announced + message("p", strings("ProcessInfo", *FROM_4_7)) + one("p")
    assert len(pool_processes_of(reply_to(ask_pool_processes(48), answer))) == 1


def pool_status(count: bytes, *parameters: tuple[str, str, str]) -> bytes:
    lines = [message("b", strings("ProcessConfig", *parameter)) for parameter in parameters]
    return b"".join([message("b", b"ArraySize\0" + count), *lines, one("b")])


def test_pool_status_has_a_binary_count() -> None:
    parameter = ("port", "9999", "pgpool accepting port number")
    answer = pool_status(b"\0\0\0\1", parameter)
    assert pool_parameters_of(reply_to(ask_pool_status(), answer)) == [PoolParameter(*parameter)]


@pytest.mark.parametrize("count", [b"", b"\0\0\1", b"1\0"])
def test_pool_status_without_that_count(count: bytes) -> None:
    with pytest.raises(PcpError, match="cannot be understood"):
        reply_to(ask_pool_status(), pool_status(count))


def watchdog(leader: str, **more: Any) -> dict[str, Any]:
    node = {
        "ID": 0,
        "NodeName": "a:9999 Linux a",
        "HostName": "a",
        "DelegateIP": "10.0.0.100",
        "WdPort": 9000,
        "PgpoolPort": 9999,
        "State": 4,
        "StateName": "LEADER",
        "Priority": 1,
    }
    if more:
        node |= {"Membership": 0, "MembershipString": "MEMBER"}
    return {
        "NodeCount": 3,
        "RemoteNodeCount": 2,
        "QuorumStatus": 1,
        "AliveNodeCount": 2,
        "Escalated": 1,
        f"{leader}NodeName": "a:9999 Linux a",
        f"{leader}HostName": "a",
        **more,
        "WatchdogNodes": [node],
    }


MEMBERS = {"MemberRemoteNodeCount": 2, "NodesRequireForQuorum": 2}


@pytest.mark.parametrize(
    "found",
    [watchdog("Master"), watchdog("Leader"), watchdog("Leader", **MEMBERS)],
    ids=["4.1", "4.2", "4.3"],
)
def test_watchdog_info(found: dict[str, Any]) -> None:
    info = watchdog_info_of(reply_to(ask_watchdog_info(-1), one("w", json.dumps(found))))
    assert (info.node_count, info.remote_node_count, info.alive_node_count) == (3, 2, 2)
    assert (info.quorum, info.is_escalated) == ("exists", True)
    assert (info.leader_name, info.leader_host) == ("a:9999 Linux a", "a")
    assert info.nodes_required_for_quorum == found.get("NodesRequireForQuorum")
    [node] = info.nodes
    assert (node.wd_port, node.pgpool_port, node.state_name) == (9000, 9999, "LEADER")
    assert node.membership_name == ("MEMBER" if "NodesRequireForQuorum" in found else None)


GOOD = watchdog("Leader")


def test_quorum_that_is_not_known_is_shown_as_it_is() -> None:
    answer = one("w", json.dumps({**GOOD, "QuorumStatus": 7}))
    assert watchdog_info_of(reply_to(ask_watchdog_info(-1), answer)).quorum == "7"


@pytest.mark.parametrize(
    "text",
    [
        *("", "{}", "[]", "3", "{", "[" * 100000),
        json.dumps({**GOOD, "WatchdogNodes": 1}),
        json.dumps({**GOOD, "NodeCount": float("inf")}),
        json.dumps({**GOOD, "NodeCount": 0}).replace(": 0", ": " + "9" * 900000, 1),
        json.dumps({**GOOD, "NodeCount": "9" * 900000}),
    ],
    ids=range(10),
)
def test_what_is_no_watchdog_info(text: str) -> None:
    with pytest.raises(PcpError, match="cannot be understood"):
        watchdog_info_of(reply_to(ask_watchdog_info(-1), one("w", text)))


@pytest.mark.parametrize(
    "answer",
    [
        one("l"),
        one("l", ""),
        one("l", "two"),
        rows("l", "NodeInfo"),
        message("l", strings("Something")),
        one("i", "2"),
        message("l"),
        message("l", b"CommandComplete\x002"),
    ],
)
def test_what_is_no_count(answer: bytes) -> None:
    with pytest.raises(PcpError) as caught:
        node_count_of(reply_to(ask_node_count(), answer))
    assert caught.value.sqlstate == "08P01"


@pytest.mark.parametrize("answer", [one("n"), one("n", 2, 48), one("n", 1, "x")])
def test_what_are_no_pids(answer: bytes) -> None:
    with pytest.raises(PcpError, match="cannot be understood"):
        child_pids_of(reply_to(ask_child_pids(), answer))
