"""A running primary is replaced: there are never two, and catch-up is enough to bring it back.

The tests build on each other: each one leaves its cluster to the next.
"""

from collections.abc import Iterator
from dataclasses import replace

import pytest

from tests.harness.pgpool_configuration import PgpoolSettings
from tests.harness.product import Product
from tests.harness.site import assert_recovered, slot_of
from tests.harness.workspace import Workspace
from tests.hooks.site import (
    PLAN,
    call,
    hook_lines,
    last_run,
    log_since,
    site_with_hooks,
    wait_for_primary,
    wait_until_said,
)
from tests.operator.site import Site

pytestmark = pytest.mark.in_order


@pytest.fixture(scope="module")
def site(workspace: Workspace, product: Product, namespaces: None) -> Iterator[Site]:
    pgpool = PgpoolSettings(extra={"search_primary_node_timeout": "5"})
    with site_with_hooks(workspace, product, replace(PLAN, pgpool=pgpool)) as site:
        yield site


def test_primary_that_lives_is_not_stopped_where_that_is_refused(site: Site) -> None:
    """Pgpool-II then finds no primary, until the old one is attached again."""
    cluster = site.cluster
    site.write_settings('[failover]\nrunning_primary = "refuse"\n')
    before = len(cluster.pgpool.log_text())
    cluster.pgpool.detach_node(0)
    wait_until_said(site, "so no other node is promoted", before)
    wait_until_said(site, "failover done", before)
    site.write_settings()
    assert cluster.node(1).is_in_recovery
    assert cluster.node(2).is_in_recovery
    attached = site.run("attach", 0)
    assert attached.returncode == 0, attached.output
    assert cluster.primary.node_id == 0


def test_switchover(site: Site) -> None:
    """Everything that was written before is kept, and the old primary needs no rewind."""
    cluster = site.cluster
    for node_id, slot in ((2, 2), (2, 0)):  # Leftover slots.
        name = slot_of(slot)
        cluster.node(node_id).execute(f"SELECT pg_create_physical_replication_slot('{name}', true)")
    before = len(cluster.pgpool.log_text())
    load = cluster.load(name="over")
    with load:
        load.wait_for_commits(50)
        done = site.run("promote", 2, "--switchover", "--yes")
        assert done.returncode == 0, done.output
        wait_until_said(site, "follow_primary: node 0 is back", before)
        early = site.run("promote", 0, "--switchover", "--yes")
        wait_until_said(site, "follow_primary: node 1 is back", before)
        load.wait_for_commits(50)
    assert early.returncode == 6, early.output
    assert "node 0 cannot be promoted now: Pgpool-II is making other nodes follow" in early.output
    said = "\n".join(hook_lines(log_since(site, before)))
    assert "node 0 still accepts writes; it is stopped so that there is only one primary" in said
    assert "promoting node 2 (10.77.0.13:5432)" in said
    assert "node 0 was stopped by the failover and is brought back" in said
    assert load.lost_numbers(cluster.node(2)) == []
    assert last_run(site, 0)["method"] == "catch-up"
    assert_recovered(cluster, 0)
    assert_recovered(cluster, 1)
    assert slot_of(2) not in cluster.slots(2)


def test_primary_that_was_stopped_by_hand_stays_down(site: Site) -> None:
    """It is not started again unasked; its slots of a primary are dropped when it comes back."""
    cluster = site.cluster
    before = len(cluster.pgpool.log_text())
    cluster.node(2).stop()
    wait_for_primary(site, 0)
    wait_until_said(site, "follow_primary: node 1 is back", before)
    wait_until_said(site, "ERROR:  node 2 is left alone: its server does not answer", before)
    assert not cluster.node(2).is_running
    back = site.run("recover", 2)
    assert back.returncode == 0, back.output
    assert "plan: catch-up" in back.stdout
    assert "dropped replication slot pgpool_node_1 of node 2" in back.stdout
    assert cluster.slots(2) == {}
    assert_recovered(cluster, 2)


def test_host_of_the_primary_vanishes_and_returns(site: Site) -> None:
    """It could not be stopped, so it comes back as a second primary, which is left alone."""
    cluster, pgpool = site.cluster, site.cluster.pgpool
    before = len(pgpool.log_text())
    cluster.host(0).cut()
    wait_for_primary(site, 1)
    wait_until_said(site, "follow_primary: node 2 is back", before)
    cluster.host(0).mend()
    left = call(site, "follow_primary", down=0, new=1, old=0)
    assert left.returncode == 4, left.output
    assert "node 0 is left alone: it accepts writes, as node 1 does" in left.stderr
    cluster.node(0).stop()
    back = site.run("recover", 0, "--yes")
    assert back.returncode == 0, back.output
    assert "plan: rewind" in back.stdout
    assert_recovered(cluster, 0)
