"""Files at which a copy, a rewind or the keeping of own files would fail, and logs that are kept.

In this cluster the owner's group may read the data, and both servers' logs have the same name.
"""

from collections.abc import Iterator

import pytest

from tests.cluster.test_ladder import methods
from tests.harness.cluster import Cluster, ClusterPlan
from tests.harness.postgresql import Server
from tests.harness.product import Product
from tests.harness.site import FULL_COPY, assert_recovered, on_hosts, settings, write_settings
from tests.harness.workspace import Workspace

pytestmark = pytest.mark.in_order

LOG, KEY, LARGE = "log/postgresql.log", "server.key", "log/postgresql-2026-11-01.log.gz"
MARKER = "PANIC: this is why it crashed"
NEVER_KEEPS = f'{FULL_COPY}keep_old = "never"\n'


@pytest.fixture(scope="module")
def cluster(workspace: Workspace, product: Product, namespaces: None) -> Iterator[Cluster]:
    plan = ClusterPlan(
        settings={
            "wal_log_hints": "on",
            "logging_collector": "on",
            "log_directory": "log",
            "log_filename": "postgresql.log",
            "log_file_mode": "0640",
        },
        initdb_options=("--allow-group-access",),
    )
    with on_hosts(workspace, product, plan) as made:
        write_settings(made, "")
        yield made


def shell(server: Server, text: str, *, user: str = "postgres") -> None:
    server.machine.run(["sh", "-c", text], user=user, cwd=server.data_directory)


def mode_of(server: Server, name: str) -> int:
    return server.machine.path(server.data_directory / name).stat().st_mode & 0o777


def text_of(server: Server, name: str) -> str:
    return server.machine.path(server.data_directory / name).read_text()


def refusal(cluster: Cluster, node: Server) -> str:
    """Assert that a recovery fails; return what it has written to pgpool.log."""
    if node.is_running:
        node.stop()
    cluster.pgpool.wait_for_node(node.node_id, "down")
    before = len(cluster.pgpool.log_text())
    said = cluster.pgpool.recovery_node(node.node_id)
    assert "Successful" not in said.output
    log = cluster.pgpool.log_text()[before:]
    assert "untouched" in log
    assert node.machine.path(node.data_directory / "PG_VERSION").exists()
    return log


def recover(cluster: Cluster, node: Server) -> list[str]:
    """Recover a node, and return the methods that were tried."""
    before = len(cluster.pgpool.log_text())
    cluster.recover(node.node_id)
    assert_recovered(cluster, node.node_id)
    return methods(cluster.pgpool.log_text()[before:])


def test_file_of_root_on_the_primary_is_named_before_anything_is_removed(cluster: Cluster) -> None:
    primary, node = cluster.primary, cluster.standby
    shell(primary, "echo x > server.key.bak; chmod 600 server.key.bak", user="root")
    with settings(cluster, NEVER_KEEPS):
        log = refusal(cluster, node)
    file = f"{primary.data_directory}/server.key.bak"
    assert f"{file} of the primary cannot be read" in log
    assert "belongs to root, with mode 0600" in log
    assert f"chown -R postgres {file}" in log
    shell(primary, "rm server.key.bak", user="root")


def test_own_file_of_root_is_named_before_anything_is_removed(cluster: Cluster) -> None:
    node = cluster.standby
    shell(
        node, "echo x > log/postgresql-Mon.log.1; chmod 600 log/postgresql-Mon.log.1", user="root"
    )
    with settings(cluster, NEVER_KEEPS):
        log = refusal(cluster, node)
    assert f"{node.data_directory}/log/postgresql-Mon.log.1 of node" in log
    assert "None" not in log
    shell(node, "rm log/postgresql-Mon.log.1", user="root")
    with settings(cluster, NEVER_KEEPS):
        assert recover(cluster, node) == ["basebackup"]


def test_log_of_a_crash_and_a_read_only_key_survive_a_rewind(
    cluster: Cluster,
) -> None:
    old, new = cluster.primary, cluster.standby
    for node in (old, new):
        shell(node, f"echo {node.name} > {KEY}; chmod 400 {KEY}")
        shell(node, f"head -c 1000000 /dev/zero | tr '\\0' 'x' > {LOG}.1")
    old.execute("CREATE TABLE t AS SELECT generate_series(1, 1000) g")
    cluster.fail_over().execute("INSERT INTO t SELECT 1")
    shell(old, f"echo '{MARKER} {old.name}' >> {LOG}; echo '{MARKER} {old.name}' >> {LOG}.1")
    assert recover(cluster, old) == ["rewind"]
    for name in (LOG, f"{LOG}.1"):
        assert f"{MARKER} {old.name}" in text_of(old, name)
    assert (text_of(old, KEY), mode_of(old, KEY)) == (f"{old.name}\n", 0o400)
    assert MARKER not in text_of(new, LOG)


def test_modes_stay_what_the_cluster_has(cluster: Cluster) -> None:
    standby = cluster.standby
    assert mode_of(standby, ".") == 0o750
    for name in ("standby.signal", "postgresql.auto.conf", "PG_VERSION", "backup_label.old", LOG):
        assert mode_of(standby, name) == 0o640, name
    wal = standby.machine.path(standby.data_directory / "pg_wal")
    assert {file.stat().st_mode & 0o777 for file in wal.iterdir() if file.is_file()} == {0o640}


def test_large_own_files_need_no_room_and_make_none(cluster: Cluster) -> None:
    """On a disk with room for one copy, they are renamed, and stay when the old data is removed."""
    node = cluster.standby
    node.stop()
    cluster.pgpool.wait_for_node(node.node_id, "down")
    data, saved = node.data_directory, node.machine.home / "saved"
    node.machine.run(["cp", "-a", str(data), str(saved)])
    node.machine.run(["rm", "-rf", str(data)])
    cluster.host(node.node_id).small_filesystem(data.parent, 560)
    node.machine.run(["cp", "-a", str(saved), str(data)])
    node.machine.run(["rm", "-rf", str(saved)])
    shell(node, f"head -c 250000000 /dev/urandom > {LARGE}; sha256sum {LARGE} > {LARGE}.sum")
    with settings(cluster, FULL_COPY):
        assert recover(cluster, node) == ["basebackup"]
    shell(node, f"sha256sum -c {LARGE}.sum")
