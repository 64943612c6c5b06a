"""The real pcp_recovery_node brings a node back with a command of the user's."""

from collections.abc import Iterator

import pytest

from tests.cluster.test_ladder import lose_wal, methods
from tests.command.recipe import install_program, program_of, settings_of
from tests.harness.cluster import Cluster, ClusterPlan, RecoveryError
from tests.harness.product import Product
from tests.harness.site import assert_recovered, left_over, on_hosts, settings
from tests.harness.workspace import Workspace
from tests.majors import in_whole_matrix

ONLY = '[policy]\nmethods = ["attach", "command"]\n'
BASE_BACKUP = """\
#!/bin/sh
# What it is given by arguments, where user pgbackup of the cluster would be another choice.
set -eu
map=$(echo "$PGPOOL_RECOVERY_TABLESPACES" | cut -d= -f2)
exec "$1/pg_basebackup" --dbname="$2" --pgdata="$3" --checkpoint=fast --wal-method=none \\
    --no-password --tablespace-mapping="$SPACE=$map"
"""

STRANGER = """\
#!/bin/sh
# Another cluster, with the tablespaces that are expected.
set -eu
bin=$PGPOOL_RECOVERY_BIN_DIRECTORY
"$bin/initdb" --no-sync -D "$PGPOOL_RECOVERY_DIRECTORY" >/dev/null
catalog=$("$bin/pg_controldata" . | sed -n 's/^Catalog version number: *//p')
echo "$PGPOOL_RECOVERY_TABLESPACES" | while IFS='=' read -r oid location; do
    mkdir -p "$location/PG_$(cat PG_VERSION)_$catalog"
    ln -s "$location" "pg_tblspc/$oid"
done
"""


@pytest.fixture(
    scope="module",
    params=[pytest.param(None, id="own"), pytest.param(16, marks=in_whole_matrix(16))],
)
def cluster(
    request: pytest.FixtureRequest, workspace: Workspace, product: Product, namespaces: None
) -> Iterator[Cluster]:
    with on_hosts(workspace, product, ClusterPlan(postgresql_major=request.param)) as made:
        primary = made.primary
        space = primary.data_directory.parent / "ts"
        primary.create_tablespace("ts", space, also_on=[made.node(1)])
        primary.execute(
            "CREATE TABLE filler TABLESPACE ts AS"
            " SELECT g, repeat('x', 500) t FROM generate_series(1, 20000) g"
        )
        yield made


def go_stale(cluster: Cluster) -> None:
    """Stop node 1, and let the primary forget the WAL that it lacks."""
    node, primary = cluster.node(1), cluster.primary
    node.set(work_mem="7MB")
    node.stop()
    cluster.pgpool.wait_for_node(1, "down")
    primary.execute("UPDATE filler SET t = 'changed' WHERE g % 100 = 0")
    lose_wal(primary, node)


def recover(cluster: Cluster, text: str) -> str:
    """Recover node 1 under load with these settings, and return what was logged."""
    before = len(cluster.pgpool.log_text())
    with (
        settings(cluster, ONLY + text),
        cluster.load(name=f"load_{before}", through_pgpool=False) as load,
    ):
        cluster.recover(1)
        load.wait_for_commits(20)
    assert_recovered(cluster, 1, load)
    assert cluster.node(1).sql("SHOW work_mem") == [("7MB",)]
    assert left_over(cluster.node(1)) == []
    return cluster.pgpool.log_text()[before:]


def refused(cluster: Cluster, text: str) -> str:
    """Return what was logged of a recovery of node 1 with these settings, which fails."""
    before = len(cluster.pgpool.log_text())
    with settings(cluster, ONLY + text), pytest.raises(RecoveryError):
        cluster.recover(1)
    return cluster.pgpool.log_text()[before:]


def test_rsync_onto_the_old_data(cluster: Cluster) -> None:
    go_stale(cluster)
    install_program(cluster, "node-by-rsync", program_of("rsync"))
    log = recover(cluster, settings_of("rsync"))
    assert methods(log) == ["command"], log
    assert "the data directory is modified in place" in log


def test_what_cannot_be_used_leaves_the_old_data_and_the_next_command_follows(
    cluster: Cluster,
) -> None:
    """A new cluster, a copy of the running primary without a label, and then a base backup."""
    node = cluster.node(1)
    go_stale(cluster)
    space = node.data_directory.parent / "ts"
    copy = program_of("rsync")
    install_program(cluster, "stranger", STRANGER)
    install_program(cluster, "torn", copy)
    install_program(cluster, "base-backup", BASE_BACKUP.replace("$SPACE", str(space)))
    before = node.controldata()
    bad = '[method.stranger]\ncommand = ["/usr/local/bin/stranger"]\n'
    bad += '[method.torn]\ncommand = ["/usr/local/bin/torn"]\n'
    log = refused(cluster, bad)
    assert "what method stranger has made is of another cluster" in log
    assert "what method torn has made is neither a base backup nor of a server" in log
    assert "command stranger failed; looking for another method" in log
    assert node.controldata() == before
    assert left_over(node) == []
    good = (
        '[method.copy]\ncommand = ["/usr/local/bin/base-backup", "{bin_directory}", '
        '"{primary_conninfo}", "{directory}"]\n'
    )
    log = recover(cluster, bad + good)
    assert methods(log)[-1] == "command", log
    assert "not command torn: " in log
    assert "the old data stays until the new server runs" in log


def test_command_that_failed_half_way_in_place_is_followed_by_one_that_completes_it(
    cluster: Cluster,
) -> None:
    node = cluster.node(1)
    go_stale(cluster)
    breaks = '#!/bin/sh\nrm -r base/1\necho "the tape is torn"\nexit 1\n'
    install_program(cluster, "breaks", breaks)
    install_program(cluster, "node-by-rsync", program_of("rsync"))
    text = '[method.breaks]\ncommand = ["/usr/local/bin/breaks"]\nkeep_data = true\n'
    log = refused(cluster, text)
    assert "the tape is torn" in log
    assert "The target is incomplete." in log
    assert left_over(node) != []
    assert methods(recover(cluster, settings_of("rsync"))) == ["command"]
