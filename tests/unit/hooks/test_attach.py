"""Attach in the time after a failover, when Pgpool-II refuses orders or does not answer."""

from pathlib import Path

import pytest

from pgpool_recovery.domain.error import Busy
from pgpool_recovery.domain.node import NodeId
from pgpool_recovery.hooks.follow import attach
from pgpool_recovery.pcp.pool import Pool
from tests.unit.pcp.byte_server import Client, answering, byte_server
from tests.unit.pcp.node_streams import NODE_STREAMS
from tests.unit.pcp.stream import one, rows, said

DOWN = NODE_STREAMS[-1].fields
UP = (*DOWN[:2], "1", *DOWN[3:])
IN_PROGRESS = said("failed to process PCP request at the moment", detail="failover is in progress")


def ends(client: Client) -> None:
    """A turn of a PCP process that ends with what it was asked."""
    client.let_in()
    client.request()


def test_attached_as_soon_as_pgpool_takes_orders(tmp_path: Path) -> None:
    turns = [
        answering("C", b"1\0", IN_PROGRESS),
        ends,
        answering("C", b"1\0", one("c")),
        answering("I", b"1\0", rows("i", "NodeInfo", UP)),
    ]
    with byte_server(tmp_path, *turns) as server:
        attach(Pool(server, sleep=lambda _: None), NodeId(1), within_s=60)


def test_it_is_not_tried_for_ever(tmp_path: Path) -> None:
    times = iter([0.0, 59.0, 61.0])
    turns = [answering("C", b"1\0", IN_PROGRESS), answering("C", b"1\0", IN_PROGRESS)]
    with byte_server(tmp_path, *turns) as server:
        pool = Pool(server, clock=lambda: next(times), sleep=lambda _: None)
        with pytest.raises(Busy, match="failed to process PCP request"):
            attach(pool, NodeId(1), within_s=60)
