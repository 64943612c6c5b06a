"""The proof that a node equals its primary: each part finds its differences and cleans up."""

from collections.abc import Iterator

import pytest

from tests.harness.cluster import Cluster, ClusterPlan
from tests.harness.cluster_site import cluster_on_hosts
from tests.harness.page import BLOCK_BYTES
from tests.harness.proof import assert_equal
from tests.harness.relation import read_catalog
from tests.harness.workspace import Workspace
from tests.harness_selftest.standby_files import Stopped, change, kept, tuple_offsets

TABLES = """
CREATE TABLE plain (id int PRIMARY KEY, word text);
INSERT INTO plain SELECT n, md5(n::text) FROM generate_series(1, 1000) AS n;
CREATE TABLE dead AS SELECT n AS id FROM generate_series(1, 1000) AS n;
VACUUM dead;
DELETE FROM dead WHERE id = 7;
"""


@pytest.fixture(scope="module")
def cluster(workspace: Workspace, namespaces: None) -> Iterator[Cluster]:
    with cluster_on_hosts(workspace, ClusterPlan(ssh=False, standbys=2)) as made:
        made.primary.execute(TABLES)
        yield made


def test_equal_nodes_and_the_cluster_as_it_was(cluster: Cluster) -> None:
    cluster.pgpool.detach_node(2)
    with cluster.load() as load:
        load.wait_for_commits(50)
    assert load.stop().failures == ()
    assert_equal(cluster, 1)
    assert [cluster.pgpool.node_info(n).is_attached for n in range(3)] == [True, True, False]
    assert cluster.primary is cluster.node(0)
    cluster.pgpool.attach_node(2)
    assert_equal(cluster, 2)
    with cluster.load(name="later") as load:
        load.wait_for_commits(10)


def test_every_part_finds_what_it_is_for(cluster: Cluster) -> None:
    """Each part of the proof finds the damage that it is meant to find.

    A row, an index entry and a bit of a visibility map are changed while the node is stopped.
    """
    node = cluster.node(1)
    cluster.pgpool.detach_node(1)
    catalog = read_catalog(cluster.primary)
    node.stop()
    stopped = Stopped(cluster.primary, node, catalog)
    row = stopped.file("public.plain")
    index = stopped.file("public.plain_pkey")
    bits = stopped.file("public.dead", "vm")
    with kept(row), kept(index), kept(bits):
        change(row, tuple_offsets(row)[0] + 30)
        change(index, BLOCK_BYTES + tuple_offsets(index, block=1)[5] + 8)
        change(bits, 24, 0x01)
        node.start()
        with pytest.raises(AssertionError, match="node1 does not equal node0") as caught:
            assert_equal(cluster, 1)
        node.stop()
    node.start()
    found = str(caught.value).splitlines()
    assert [line for line in found if line.strip().startswith("postgres.public.plain: node0 has")]
    assert [line for line in found if "pg_amcheck" in line and "plain_pkey" in line]
    assert [line for line in found if "dead: row (0,7) is not all-visible" in line]
    pages = [line for line in found if "block" in line and "offset" in line]
    assert {line.split()[1] for line in pages if line.strip().startswith("postgres: ")} >= {
        "public.plain",
        "public.plain_pkey",
        "public.dead",
    }
    assert not cluster.pgpool.node_info(1).is_attached
    assert_equal(cluster, 1)
