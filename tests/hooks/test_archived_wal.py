"""A standby whose WAL only an archive has follows the new primary by WAL alone."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.harness.cluster import ClusterPlan
from tests.harness.product import Product
from tests.harness.site import assert_recovered, write_settings
from tests.harness.until import until
from tests.harness.wal import has_segment
from tests.harness.workspace import Workspace
from tests.hooks.site import last_run, log_since, site_with_hooks, wait_for_primary, wait_until_said
from tests.operator.site import Site

SEGMENTS = 3


@pytest.fixture(scope="module")
def archive(workspace: Workspace) -> Path:
    """Return a directory that all hosts share."""
    return workspace.make("archive", owner="postgres")


@pytest.fixture(scope="module")
def site(workspace: Workspace, product: Product, namespaces: None, archive: Path) -> Iterator[Site]:
    keeping = (
        f"test -f {archive}/%f || (cp %p {archive}/%f.new && mv {archive}/%f.new {archive}/%f)"
    )
    settings = {"wal_log_hints": "on", "archive_mode": "on", "archive_command": keeping}
    with site_with_hooks(workspace, product, ClusterPlan(standbys=2, settings=settings)) as site:
        yield site


def test_standby_that_may_be_stopped_gets_its_wal_from_the_archive(
    site: Site, archive: Path
) -> None:
    """It reads no archive itself; the command of the settings becomes its own."""
    cluster, pgpool = site.cluster, site.cluster.pgpool
    old, new, behind = cluster.servers
    command = f"cp {archive}/%f %p"
    write_settings(
        cluster, f"[archive]\nrestore_command = '{command}'\n[policy]\nstop_running = 'standby'\n"
    )
    cluster.host(2).cut(cluster.host(0))
    since = behind.sql("SELECT pg_last_wal_replay_lsn()")[0][0]
    old.execute("CREATE TABLE ledger (told text)")
    for number in range(SEGMENTS):
        old.execute(f"INSERT INTO ledger VALUES ('{number}')")
        old.execute("SELECT pg_switch_wal()")
    old.execute("CHECKPOINT")
    position = old.wal_position()
    has_all = f"SELECT 1 WHERE pg_last_wal_replay_lsn() >= '{position}'"
    until(lambda: new.sql(has_all), within_s=30, what="the other standby to have it all")
    new.execute("CHECKPOINT")
    before = len(pgpool.log_text())
    old.kill()
    wait_for_primary(site, new.node_id)
    cluster.host(2).mend(cluster.host(0))
    assert not has_segment(new, since)
    pgpool.wait_for_node(behind.node_id, "up", within_s=120)
    wait_until_said(site, "follow_primary: node 2 is back", before)
    said = log_since(site, before)
    assert "come from the archive, by restore_command of the settings" in said, said
    followed = last_run(site, behind.node_id)
    assert (followed["state"], followed["method"]) == ("recovered", "catch-up")
    assert behind.sql("SHOW restore_command") == [(command,)]
    assert_recovered(cluster, behind.node_id)
