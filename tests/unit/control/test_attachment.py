"""Attach shortly after a failover, when Pgpool-II refuses requests or does not answer."""

from pathlib import Path

import pytest

from pgpool_recovery.control.attachment import attach
from pgpool_recovery.control.cluster import Node
from pgpool_recovery.domain.error import Busy, Refused
from pgpool_recovery.domain.node import NodeId
from pgpool_recovery.domain.target_state import TargetState
from pgpool_recovery.pcp.pool import Pool
from tests.unit.pcp.byte_server import Client, Serve, answering, byte_server
from tests.unit.pcp.node_streams import NODE_STREAMS
from tests.unit.pcp.stream import one, rows, said

DOWN = NODE_STREAMS[-1].fields
UP = (*DOWN[:2], "1", *DOWN[3:])
IN_PROGRESS = said("failed to process PCP request at the moment", detail="failover is in progress")


def ends(client: Client) -> None:
    """A turn of a PCP process that exits with the request unanswered."""
    client.let_in()
    client.request()


def test_attached_as_soon_as_pgpool_accepts_requests(tmp_path: Path) -> None:
    turns = [
        answering("C", b"1\0", IN_PROGRESS),
        ends,
        answering("C", b"1\0", one("c")),
        answering("I", b"1\0", rows("i", "NodeInfo", UP)),
    ]
    with byte_server(tmp_path, *turns) as server:
        attach(Pool(server, sleep=lambda _: None), NodeId(1), within_s=60)


def test_attempts_have_a_limit(tmp_path: Path) -> None:
    times = iter([0.0, 59.0, 61.0])
    turns = [answering("C", b"1\0", IN_PROGRESS), answering("C", b"1\0", IN_PROGRESS)]
    with byte_server(tmp_path, *turns) as server:
        pool = Pool(server, clock=lambda: next(times), sleep=lambda _: None)
        with pytest.raises(Busy, match="failed to process PCP request"):
            attach(pool, NodeId(1), within_s=60)


def node(role: str, status: str = "2") -> tuple[str, ...]:
    """A node in an answer; role and status as Pgpool-II numbers them."""
    return (*DOWN[:2], status, *DOWN[3:6], role, *DOWN[7:])


STANDBY, PRIMARY = "3", "2"
BEHIND = Node(NodeId(0), "server0", 5432, "/data")


def all_nodes(*nodes: tuple[str, ...]) -> list[Serve]:
    """Return the turns of a question about all nodes."""
    return [
        answering("I", b"0\0", rows("i", "NodeInfo", nodes[0])),
        answering("I", b"-1\0", rows("i", "NodeInfo", *nodes)),
    ]


def test_nothing_is_requested_while_pgpool_has_no_primary(tmp_path: Path) -> None:
    """A failover is in progress; the request would be queued, and carried out as something else."""
    turns = [
        *all_nodes(node(PRIMARY, "3"), node(STANDBY, "3")),
        *all_nodes(node(PRIMARY), node(STANDBY, "3")),
        answering("C", b"1\0", one("c")),
        answering("I", b"1\0", rows("i", "NodeInfo", UP)),
    ]
    with byte_server(tmp_path, *turns) as server:
        attach(Pool(server, sleep=lambda _: None), NodeId(1), within_s=60, behind=BEHIND)


def test_node_that_follows_a_former_primary_is_not_attached(tmp_path: Path) -> None:
    turns = all_nodes(node(PRIMARY, "3"), node(STANDBY, "3"), node(PRIMARY))
    with (
        byte_server(tmp_path, *turns) as server,
        pytest.raises(Refused, match="node 2 is the primary now") as caught,
    ):
        attach(Pool(server), NodeId(1), within_s=60, behind=BEHIND)
    assert caught.value.target is TargetState.STARTED
    assert "recover 1" in str(caught.value.hint)
