"""The first page, word for word: onto a running stock cluster, broken, brought back, and removed.

The standby and the primary that are lost, and the stock recovery at the end, are more than the page
says.
"""

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.harness.cluster import Cluster
from tests.harness.workspace import Workspace

from .plan import StockPlan
from .stock import stock_cluster
from .stranger import Stranger, documented
from .trace import Trace, differences, trace_of

pytestmark = [pytest.mark.in_order, pytest.mark.timeout(900)]


@pytest.fixture(scope="module")
def cluster(workspace: Workspace, namespaces: None) -> Iterator[Cluster]:
    with stock_cluster(workspace, StockPlan()) as cluster:
        yield cluster


@pytest.fixture(scope="module")
def before(cluster: Cluster) -> Trace:
    return trace_of(cluster)


@pytest.fixture(scope="module")
def stranger(cluster: Cluster, debs: Path) -> Stranger:
    return Stranger(cluster, debs)


def test_onto_the_cluster(stranger: Stranger, before: Trace) -> None:
    assert before
    install, setup, *_ = documented()
    stranger.types(install)
    said = stranger.types(setup).output
    assert "0 errors, 0 warnings" in said
    assert "The cluster is set up." in said


def test_without_a_trace_before_anything_was_recovered(
    cluster: Cluster, stranger: Stranger, before: Trace
) -> None:
    *_, undo, purge = documented()
    stranger.types(undo)
    stranger.types(purge)
    assert differences(before, trace_of(cluster)) == []
    install, setup, *_ = documented()
    stranger.types(install)
    stranger.types(setup)


def test_break_it_and_bring_it_back(cluster: Cluster, stranger: Stranger) -> None:
    _, _, stop, status, recover, _, _ = documented()
    stranger.types(stop)
    assert not cluster.node(1).is_running
    cluster.pgpool.wait_for_node(1, "down")
    assert re.search(r"^\W*1\b.*\bdown\b", stranger.types(status).output, re.MULTILINE)
    said = stranger.types(recover).output
    assert "node 1 is back: up in Pgpool-II and streaming (catch-up" in said
    assert cluster.contents_equal(0, 1)


def test_worse_losses(cluster: Cluster, stranger: Stranger) -> None:
    lose_a_standby_and_the_primary(cluster)
    assert_nothing_is_done(stranger)


def test_removed_after_recoveries(cluster: Cluster, stranger: Stranger, before: Trace) -> None:
    """What recoveries and the failover have changed stays; of what setup did, nothing does."""
    *_, undo, purge = documented()
    stranger.types(undo)
    stranger.types(purge)
    left = [line for line in differences(before, trace_of(cluster)) if not is_of_a_recovery(line)]
    assert left == []
    for server in cluster.servers:
        if server.is_in_recovery:
            server.lose()
            cluster.recover(server.node_id)
            assert cluster.contents_equal(cluster.primary.node_id, server.node_id)


def is_of_a_recovery(line: str) -> bool:
    """Return whether a difference is one that a failover and stock recoveries leave as well."""
    names = "(standby.signal|myrecovery.conf|backup_label.old|postgresql.conf|postgresql.auto.conf)"
    of_a_standby = re.match(rf"[-+~] server\d:/\S*/{names}\b", line)
    return bool(of_a_standby or re.match(r"[-+] server\d slot ", line))


def lose_a_standby_and_the_primary(cluster: Cluster) -> None:
    """What the page does not show: a full copy, a failover, and the old primary back."""
    cluster.node(2).lose()
    cluster.recover(2)
    assert cluster.contents_equal(0, 2)
    primary = cluster.fail_over()
    cluster.pgpool.wait_for_node(2, "up", within_s=90)
    cluster.recover(0)
    assert cluster.contents_equal(primary.node_id, 0)
    assert cluster.contents_equal(primary.node_id, 2)


def assert_nothing_is_done(stranger: Stranger) -> None:
    document = json.loads(stranger.setup("--yes", "--json").stdout)
    assert {item["kind"] for item in document["items"]} == {"ok"}
    assert document["done"] == []
