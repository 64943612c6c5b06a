"""A node is lost under load: the right standby is promoted, the others follow, and it is recorded.

The tests build on each other: each one leaves its cluster to the next.
"""

from collections.abc import Iterator

import pytest

from tests.harness.cluster import ClusterPlan
from tests.harness.product import Product
from tests.harness.site import assert_recovered, slot_of, write_settings
from tests.harness.workspace import Workspace
from tests.hooks.site import (
    call,
    hook_lines,
    last_run,
    log_since,
    site_with_hooks,
    wait_for_primary,
    wait_until_said,
)
from tests.operator.site import SLOW_COPY, Site

ACKNOWLEDGED_BY_ONE = {"synchronous_standby_names": "ANY 1 (*)", "wal_log_hints": "on"}
"""A commit waits for the faster of the standbys, so that one has everything that is committed."""


@pytest.fixture(scope="module")
def site(workspace: Workspace, product: Product, namespaces: None) -> Iterator[Site]:
    plan = ClusterPlan(standbys=2, settings=ACKNOWLEDGED_BY_ONE)
    with site_with_hooks(workspace, product, plan) as site:
        yield site


def test_standby_that_goes_down(site: Site) -> None:
    """No node is promoted, and the standby's slot stays."""
    cluster = site.cluster
    site.take_down(2)
    assert site.run("recover", 2).returncode == 0  # It then uses a slot of ours.
    before = len(cluster.pgpool.log_text())
    site.take_down(2)
    wait_until_said(site, "max_slot_wal_keep_size", before)
    said = hook_lines(log_since(site, before))
    assert said[:2] == ["node 2 is down", "node 0 remains the primary; nothing is promoted"]
    assert said[2].startswith("replication slot pgpool_node_2 of node 0 stays for node 2 and keeps")
    assert said[3].startswith("WARNING: max_slot_wal_keep_size of node 0 is -1")
    assert cluster.node(1).is_in_recovery
    assert slot_of(2) in cluster.slots(0)


def test_slot_that_keeps_too_much(site: Site) -> None:
    """Node 2 is still down; its slot is dropped once it keeps more WAL than the settings allow."""
    cluster = site.cluster
    site.write_settings("[failover]\ndrop_slot_above_mb = 8\n")
    called = {"down": 2, "new": 0, "old": 0}
    kept = call(site, "failover", **called)
    assert kept.returncode == 0
    assert slot_of(2) in cluster.slots(0), kept.output
    cluster.node(0).execute(
        "CREATE TABLE much AS SELECT repeat('x', 800) t FROM generate_series(1, 16000)"
    )
    dropped = call(site, "failover", **called)
    assert dropped.returncode == 0
    assert "more than 8 MB, and is dropped" in dropped.stdout
    assert slot_of(2) not in cluster.slots(0)
    site.write_settings()
    assert site.run("recover", 2, "--yes").returncode == 0
    assert_recovered(cluster, 2)


def test_primary_is_lost_while_the_next_node_lags(site: Site) -> None:
    """Node 1, Pgpool-II's choice, lacks committed WAL; node 2 has it, and becomes the primary."""
    cluster, pgpool = site.cluster, site.cluster.pgpool
    load = cluster.load(name="first")
    with load:
        load.wait_for_commits(50)
        cluster.host(1).cut(cluster.host(0))
        load.wait_for_commits(100)
        before = len(pgpool.log_text())
        cluster.node(0).kill()
        wait_for_primary(site, 2)
        cluster.host(1).mend(cluster.host(0))
        pgpool.wait_for_node(1, "up", within_s=90)
        wait_until_said(site, "follow_primary: node 1 is back", before)
        load.wait_for_commits(50)
    said = "\n".join(hook_lines(log_since(site, before)))
    assert "bytes more WAL than node 1, Pgpool-II's choice" in said
    assert "promoting node 2 (10.77.0.13:5432)" in said
    assert "ERROR:  node 0 is left alone: its server does not answer" in said
    assert load.lost_numbers(cluster.node(2)) == []
    assert cluster.node(1).is_in_recovery
    left = last_run(site, 0)
    assert (left["state"], left["exit_status"]) == ("failed", 5)
    assert "pgpool-recovery recover 0" in left["hint"]
    followed = last_run(site, 1)
    assert (followed["state"], followed["method"]) == ("recovered", "repoint")
    assert_recovered(cluster, 1)


def test_ex_primary_is_recovered(site: Site) -> None:
    done = site.run("recover", 0, "--yes")
    assert done.returncode == 0, done.output
    assert_recovered(site.cluster, 0)
    assert last_run(site, 0)["state"] == "recovered"


def test_called_again_afterwards(site: Site) -> None:
    """Both hooks are called again with the words of the failover that is over."""
    again = call(site, "failover", down=0, new=1, old=0)
    assert again.returncode == 0
    assert "node 2 is already the primary; nothing is promoted" in again.stdout
    follows = call(site, "follow_primary", down=1, new=2, old=0)
    assert follows.returncode == 0
    assert "node 1 is up in Pgpool-II and already streams" in follows.stdout
    wrong = call(site, "follow_primary", down=0, new=1, old=0)
    assert wrong.returncode == 4
    assert "node 1, the new primary, is a standby" in wrong.stderr
    assert site.cluster.node(1).is_in_recovery


def test_new_primary_dies_while_a_standby_follows(site: Site) -> None:
    """The cause is reported, nothing is promoted as no node is left, and all nodes come back."""
    cluster, pgpool = site.cluster, site.cluster.pgpool
    write_settings(cluster, SLOW_COPY + 'stop_running = "standby"\n')
    before = len(pgpool.log_text())
    cluster.node(2).kill()
    wait_until_said(site, "step 3 of 5: copy", before)
    new = cluster.node(0)
    assert not new.is_in_recovery
    new.kill()
    wait_until_said(site, "there is no node left to promote", before)
    lost = "ERROR:  the primary (node 0) was lost while it was recovering node 1"
    wait_until_said(site, lost, before)
    write_settings(cluster, "")
    new.start()
    assert site.run("attach", 0).returncode == 0  # This is what the hint says.
    wait_for_primary(site, 0)
    for node_id in (1, 2):
        done = site.run("recover", node_id, "--yes")
        assert done.returncode == 0, done.output
        assert_recovered(cluster, node_id)
