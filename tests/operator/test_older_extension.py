"""The commands when the extension on the primary has no plan, no check and no record.

Pgpool-II runs the recovery, so its messages are all that is known of it.
"""

from collections.abc import Iterator

import pytest

from tests.harness.cluster import Cluster, ClusterPlan
from tests.harness.product import Product
from tests.harness.site import assert_recovered, settings, slot_of
from tests.harness.until import until
from tests.harness.workspace import Workspace
from tests.majors import needs_postgresql
from tests.operator.site import SLOW_COPY, Site, site_on_hosts

pytestmark = needs_postgresql(17)

FORGET = """
ALTER VIEW pgpool_recovery_progress RENAME TO later_progress;
ALTER VIEW pgpool_recovery_history RENAME TO later_history;
ALTER TABLE pgpool_recovery_event RENAME TO later_event;
ALTER TABLE pgpool_recovery_run RENAME TO later_run;
ALTER FUNCTION pgpool_recovery_plan(text, text, text, integer, text, text) RENAME TO later_plan;
DO $$
BEGIN
    IF to_regprocedure('pgpool_recovery_check(jsonb)') IS NOT NULL THEN
        ALTER FUNCTION pgpool_recovery_check(jsonb) RENAME TO later_check;
    END IF;
END
$$
"""


@pytest.fixture(scope="module")
def site(workspace: Workspace, product: Product, namespaces: None) -> Iterator[Site]:
    with site_on_hosts(workspace, product, ClusterPlan(postgresql_major=17)) as site:
        for database in ("postgres", "template1"):
            site.cluster.node(0).execute(FORGET, database=database)
        yield site


def drop_former_slot(cluster: Cluster) -> None:
    """Drop the slot that the node used before, as the log says.

    Without a record the remote start does not know the node id, so the slot's name does not show
    that it was made for this node.
    """
    former = cluster.node(1).slot
    if former in cluster.slots(0):
        statement = f"SELECT pg_drop_replication_slot('{former}')"
        assert statement in cluster.pgpool.log_text()
        cluster.node(0).execute(statement)


def test_status(site: Site) -> None:
    shown = site.run("status")
    assert shown.returncode == 0
    assert "running recoveries cannot be shown" in shown.stdout


@pytest.mark.parametrize("words", [("plan", 1), ("check",), ("history",), ("watch",)])
def test_what_cannot_be_answered(site: Site, words: tuple[object, ...]) -> None:
    refused = site.run(*words)
    assert refused.returncode == 4
    assert "the extension pgpool_recovery on the primary (node 0) has no" in refused.stderr
    assert "ALTER EXTENSION pgpool_recovery UPDATE" in refused.stderr


def test_recovery_goes_on_with_the_messages_of_pgpool(site: Site) -> None:
    """Without a plan that says that no data is lost, the recovery has to be confirmed."""
    site.take_down(1)
    refused = site.run("recover", 1)
    assert refused.returncode == 4
    assert "has no function pgpool_recovery_plan" in refused.stdout
    assert "--yes" in refused.stderr
    done = site.run("recover", 1, "--yes")
    assert done.returncode == 0, done.output
    assert "starting recovering node 1" in done.stdout
    assert "node 1 is back: up in Pgpool-II and streaming" in done.stdout
    drop_former_slot(site.cluster)
    assert_recovered(site.cluster, 1)


def test_failure_says_where_the_cause_is(site: Site) -> None:
    """The node stays down for the next test."""
    site.take_down(1)
    with site.without_ssh_to(1):
        failed = site.run("recover", 1, "--yes")
    assert failed.returncode == 8
    assert "server log of the primary (node 0)" in failed.stderr


def test_cancel(site: Site) -> None:
    with settings(site.cluster, SLOW_COPY):
        client = site.spawn("recover", 1, "--yes", log=site.log("cancelled.log"))
        until(lambda: site.is_copying, within_s=20, what="the copy to begin")
        cancelled = site.run("cancel", 1)
        assert cancelled.returncode == 0, cancelled.output
        assert "the recovery of node 1 has ended" in cancelled.stdout
        assert client.wait(timeout_s=20) == 8
    until(lambda: not site.is_copying, within_s=10, what="the copy to end")
    assert slot_of(1) in site.cluster.slots(0), "it belongs to the previous recovery"
    none = site.run("cancel", 1)
    assert none.returncode == 4
    done = site.run("recover", 1, "--yes")
    assert done.returncode == 0, done.output
    drop_former_slot(site.cluster)
    assert_recovered(site.cluster, 1)
