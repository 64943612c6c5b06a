"""What is known when Pgpool-II does not answer: the nodes that the call names."""

from pathlib import Path

from pgpool_recovery.config.settings import Settings
from pgpool_recovery.domain.node import NodeId
from pgpool_recovery.hooks.call import Call, CalledPlace
from pgpool_recovery.hooks.observe import known, look
from pgpool_recovery.pcp.client.address import PcpAddress
from pgpool_recovery.pcp.client.commands import PcpServer
from pgpool_recovery.pcp.pool import Pool
from tests.unit.pcp.conversation import PASSWORD


def test_pgpool_and_the_servers_do_not_answer(tmp_path: Path) -> None:
    """A failover goes on with the new main node alone, and reports why."""
    down, new = (
        CalledPlace(str(tmp_path), 5432, "/data/0"),
        CalledPlace(str(tmp_path), 5433, "/data/1"),
    )
    call = Call(NodeId(0), down, NodeId(1), new, NodeId(0), NodeId(0), CalledPlace(down.host, 5432))
    pool = Pool(PcpServer(PcpAddress(str(tmp_path)), "pgpool", PASSWORD))
    nodes = known(call, pool, Settings(), try_for_s=0)
    assert [(node.port, node.data_directory) for node in nodes.cluster.nodes] == [
        (5432, "/data/0"),
        (5433, "/data/1"),
    ]
    scene = look(call, nodes, connect_s=2).scene
    assert scene.attached == {1}
    assert scene.unknown is not None
    assert "could not connect to Pgpool-II" in scene.unknown
    assert sorted(scene.silent) == [0, 1]
    assert "could not connect to node 1" in scene.silent[NodeId(1)]
