"""Parse the watchdog cluster as one of its nodes sees it, from the JSON of the answer."""

import json
from typing import Any, Dict, List, NamedTuple, Optional

from .field import integer_of
from .pcp_error import malformed
from .reply import Reply

QUORUMS = {1: "exists", 0: "on the edge", -1: "absent", -2: "no leader"}


class WatchdogNode(NamedTuple):
    """A Pgpool-II of the watchdog cluster; its membership is reported from 4.3 on."""

    node_id: int
    name: str
    host: str
    delegate_ip: str
    wd_port: int
    pgpool_port: int
    state: int
    state_name: str
    priority: int
    membership: Optional[int]
    membership_name: Optional[str]


class WatchdogInfo(NamedTuple):
    """The watchdog cluster; `quorum` is exists, on the edge, absent or no leader, else a number."""

    node_count: int
    remote_node_count: int
    alive_node_count: int
    quorum: str
    is_escalated: bool
    leader_name: str
    leader_host: str
    member_remote_node_count: Optional[int]
    nodes_required_for_quorum: Optional[int]
    nodes: List[WatchdogNode]


def watchdog_info_of(reply: Reply) -> WatchdogInfo:
    """Return the watchdog cluster in an answer, of any release."""
    [row] = reply.rows
    if len(row) != 1:
        raise malformed("The watchdog information has %d fields instead of one." % len(row))
    try:
        top = json.loads(row[0], parse_int=_short_number)
        nodes = [_watchdog_node(node) for node in top["WatchdogNodes"]]
        return _watchdog_info(top, nodes)
    except (ValueError, KeyError, TypeError, OverflowError, RecursionError):
        raise malformed("The watchdog information is not the expected JSON.") from None


def _watchdog_info(top: Dict[str, Any], nodes: List[WatchdogNode]) -> WatchdogInfo:
    leader = "Leader" if "LeaderNodeName" in top else "Master"  # Until 4.1.
    return WatchdogInfo(
        node_count=_number(top["NodeCount"]),
        remote_node_count=_number(top["RemoteNodeCount"]),
        alive_node_count=_number(top["AliveNodeCount"]),
        quorum=QUORUMS.get(_number(top["QuorumStatus"]), str(top["QuorumStatus"])),
        is_escalated=_number(top["Escalated"]) == 1,
        leader_name=str(top[leader + "NodeName"]),
        leader_host=str(top[leader + "HostName"]),
        member_remote_node_count=_integer_if_there(top, "MemberRemoteNodeCount"),
        nodes_required_for_quorum=_integer_if_there(top, "NodesRequireForQuorum"),
        nodes=nodes,
    )


def _watchdog_node(node: Dict[str, Any]) -> WatchdogNode:
    membership_name = node.get("MembershipString")
    return WatchdogNode(
        node_id=_number(node["ID"]),
        name=str(node["NodeName"]),
        host=str(node["HostName"]),
        delegate_ip=str(node["DelegateIP"]),
        wd_port=_number(node["WdPort"]),
        pgpool_port=_number(node["PgpoolPort"]),
        state=_number(node["State"]),
        state_name=str(node["StateName"]),
        priority=_number(node["Priority"]),
        membership=_integer_if_there(node, "Membership"),
        membership_name=None if membership_name is None else str(membership_name),
    )


def _number(value: Any) -> int:
    """Return a number, which may also be written as text."""
    return value if isinstance(value, int) else _short_number(str(value))


def _short_number(digits: str) -> int:
    """Return a number; a million digits are refused, since before Python 3.11 they take minutes."""
    return integer_of(digits, "number")


def _integer_if_there(found: Dict[str, Any], key: str) -> Optional[int]:
    return None if key not in found else _number(found[key])
