"""Data directories as users have them: with tablespaces, WAL elsewhere, mount points and links."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from pgpool_recovery.agent.directory.setting_home import SAMPLES_FILE
from tests.cluster.test_ladder import methods
from tests.harness.cluster import Cluster, ClusterPlan, RecoveryError
from tests.harness.product import Product
from tests.harness.site import (
    FULL_COPY,
    assert_recovered,
    left_over,
    on_hosts,
    settings,
    write_settings,
)
from tests.harness.workspace import Workspace

WAL = Path("/var/lib/postgresql/wal/main")
SPACES = {"fast": Path("/var/lib/postgresql/ts/fast"), "eq=al": Path("/var/lib/postgresql/ts/e=q")}


@pytest.fixture(scope="module")
def cluster(workspace: Workspace, product: Product, namespaces: None) -> Iterator[Cluster]:
    """Yield a cluster with two tablespaces; node 1 has its WAL outside the data directory."""
    with on_hosts(workspace, product, ClusterPlan()) as made:
        primary, standby = made.node(0), made.node(1)
        for name, location in SPACES.items():
            primary.create_tablespace(f'"{name}"', location, also_on=[standby])
            primary.execute(
                f'CREATE TABLE "in_{name}" TABLESPACE "{name}" AS SELECT generate_series(1, 5000) g'
            )
        made.contents_equal(0, 1)
        standby.stop()
        pg_wal = standby.data_directory / "pg_wal"
        standby.machine.make_directory(WAL.parent)
        standby.machine.run(["mv", str(pg_wal), str(WAL)])
        standby.machine.run(["ln", "-s", str(WAL), str(pg_wal)])
        standby.start()
        write_settings(made, FULL_COPY)
        yield made


def links(cluster: Cluster) -> dict[str, str]:
    """Return the targets of node 1's links."""
    data = cluster.node(1).machine.path(cluster.node(1).data_directory)
    found = {entry.name: str(entry.readlink()) for entry in (data / "pg_tblspc").iterdir()}
    return found | {"pg_wal": str((data / "pg_wal").readlink())}


def workspaces(cluster: Cluster) -> list[str]:
    """Return everything that a recovery may have left anywhere on node 1."""
    find = ["find", "/var/lib/postgresql", "-type", "d", "-name", "*pgpool_recovery*"]
    return cluster.node(1).machine.run(find).stdout.split()


def recover(cluster: Cluster) -> None:
    with cluster.load(name=f"load_{len(cluster.pgpool.log_text())}", through_pgpool=False) as load:
        cluster.recover(1)
        load.wait_for_commits(20)
    assert_recovered(cluster, 1, load)


def test_tablespaces_and_wal_directory_stay_where_they_are(cluster: Cluster) -> None:
    before = links(cluster)
    cluster.node(1).stop()
    recover(cluster)
    assert links(cluster) == before
    assert before["pg_wal"] == str(WAL)
    assert workspaces(cluster) == []


def test_tablespace_that_is_new_on_the_primary(cluster: Cluster) -> None:
    """Its directory does not exist on the target."""
    cluster.node(1).stop()
    cluster.pgpool.wait_for_node(1, "down")
    location = Path("/var/lib/postgresql/ts/new")
    cluster.node(0).create_tablespace("new", location)
    cluster.node(0).execute("CREATE TABLE in_new TABLESPACE new AS SELECT 1")
    recover(cluster)
    assert str(location) in links(cluster).values()


def test_tablespace_that_is_gone_from_the_primary(cluster: Cluster) -> None:
    cluster.node(1).stop()
    cluster.pgpool.wait_for_node(1, "down")
    cluster.node(0).execute("DROP TABLE in_new; DROP TABLESPACE new")
    recover(cluster)
    assert "/var/lib/postgresql/ts/new" not in links(cluster).values()


def test_tablespace_mapping_of_the_settings(cluster: Cluster) -> None:
    cluster.node(1).stop()
    mapped = "/var/lib/postgresql/ts/mapped"
    mapping = f'[node.1.tablespace_mapping]\n"{SPACES["fast"]}" = "{mapped}"\n'
    with settings(cluster, FULL_COPY + mapping, FULL_COPY):
        recover(cluster)
    assert mapped in links(cluster).values()
    before = links(cluster)
    cluster.node(1).stop()
    recover(cluster)
    assert links(cluster) == before, "the node's own link decides without the settings"


def test_data_directory_that_is_a_link(cluster: Cluster) -> None:
    node = cluster.node(1)
    real = node.data_directory.with_name("real")
    node.stop()
    node.machine.run(["mv", str(node.data_directory), str(real)])
    node.machine.run(["ln", "-s", str(real), str(node.data_directory)])
    recover(cluster)
    link = node.machine.path(node.data_directory)
    assert link.is_symlink()
    assert str(link.readlink()) == str(real)
    # Its settings are in a file whose path goes through the link, as in Pgpool-II's samples.
    include = f"include_if_exists = '{node.data_directory / SAMPLES_FILE}'"
    change = f"s|^include_if_exists.*|{include}|"
    node.machine.run(["sed", "-i", change, str(real / "postgresql.conf")])
    node.stop()
    began = len(cluster.pgpool.log_text())
    with settings(cluster, "", FULL_COPY):
        recover(cluster)
    assert methods(cluster.pgpool.log_text()[began:]) == ["catch-up"]
    files = node.sql("SELECT sourcefile FROM pg_settings WHERE name = 'primary_conninfo'")
    assert files == [(str(node.data_directory / SAMPLES_FILE),)]
    node.stop()
    node.machine.run(["rm", str(node.data_directory)])
    node.machine.run(["mv", str(real), str(node.data_directory)])
    recover(cluster)


def test_data_directory_that_is_a_mount_point(cluster: Cluster) -> None:
    """It cannot be renamed, so its contents are swapped inside it, and the workspace is inside."""
    node, host = cluster.node(1), cluster.host(1)
    node.set(work_mem="11MB")
    node.stop()
    node.machine.run(["cp", "-a", str(node.data_directory), "/var/lib/postgresql/saved"])
    host.small_filesystem(node.data_directory, 700, owner="postgres", mode=0o700)
    node.machine.run(["sh", "-c", f"cp -a /var/lib/postgresql/saved/. {node.data_directory}"])
    node.machine.run(["rm", "-rf", "/var/lib/postgresql/saved"])
    recover(cluster)
    assert node.sql("SHOW work_mem") == [("11MB",)]
    assert workspaces(cluster) == []
    assert left_over(node) == []
    # Recover once more into the empty mount point, as on a new disk. No links to the tablespaces
    # are left there, so it is not known which node those belong to.
    node.kill()
    node.machine.run(["find", str(node.data_directory), "-mindepth", "1", "-delete"])
    with pytest.raises(RecoveryError) as caught:
        cluster.recover(1)
    assert "that is not known to be the node's own" in "".join(caught.value.__notes__)
    for location in SPACES.values():
        node.machine.run(["find", str(location), "-mindepth", "1", "-delete"])
    recover(cluster)
    assert workspaces(cluster) == []
