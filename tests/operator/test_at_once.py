"""Several nodes are recovered at the same time by one command."""

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest

from tests.harness.cluster import ClusterPlan
from tests.harness.product import Product
from tests.harness.site import FULL_COPY, assert_recovered, settings, slot_of
from tests.harness.until import until
from tests.harness.workspace import Workspace
from tests.operator.site import Site, site_on_hosts

SLOW = FULL_COPY + 'max_rate = "4M"\ncompress = "none"\n'
"""Copies that last long enough for both to be seen."""


@pytest.fixture(scope="module")
def site(workspace: Workspace, product: Product, namespaces: None) -> Iterator[Site]:
    with site_on_hosts(workspace, product, ClusterPlan(standbys=2)) as site:
        yield site


def copies(site: Site) -> list[str]:
    query = """
        SELECT DISTINCT a.application_name FROM pg_stat_progress_basebackup p
          JOIN pg_stat_activity a USING (pid) ORDER BY 1"""
    return [name for (name,) in site.cluster.node(0).sql(query)]


def lose_both(site: Site) -> None:
    for node_id in (1, 2):
        site.lose(node_id)


def test_two_at_once_and_one_fails(site: Site) -> None:
    """The exit status is that of the one that failed; the other one is not affected."""
    lose_both(site)
    log = site.log("one_fails")
    with settings(site.cluster, SLOW):
        command = site.spawn("recover", 1, 2, "--at-once", 2, "--yes", log=log)
        both = [slot_of(1), slot_of(2)]
        until(lambda: copies(site) == both, within_s=60, what="both copies")
        site.cluster.node(0).execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            f" WHERE application_name = '{slot_of(1)}'"
        )
        status = command.wait(120)
    said = site.cluster.pgpool.machine.path(log).read_text()
    assert status in (7, 8), said
    assert re.search(r"^ERROR: +node 1: ", said, re.MULTILINE), said
    assert "node 2 is back: up in Pgpool-II and streaming (basebackup" in said
    began = [said.index(f"node {n}: asked the primary to recover it") for n in (1, 2)]
    plans = [said.index(f"node {n}: plan: basebackup") for n in (1, 2)]
    assert max(plans) < min(began), "all plans are shown before anything begins"
    known = re.compile("node [12]|ERROR|DETAIL|HINT|TARGET| |$")
    assert [line for line in said.split("\n") if not known.match(line)] == []
    assert_recovered(site.cluster, 2)


def test_all_down_with_events(site: Site) -> None:
    """Both come back, and each event says which node it is about."""
    site.take_down(2)
    done = site.run("recover", "--all-down", "--at-once", 2, "--yes", "--events")
    assert done.returncode == 0, done.output
    events: list[dict[str, Any]] = list(map(json.loads, done.stdout.splitlines()))
    assert {one["node_id"] for one in events} == {1, 2}
    ended = [one for one in events if one["event"] == "ended"]
    assert sorted(one["recovery"]["method"] for one in ended) == ["basebackup", "catch-up"]
    asked = [place for place, one in enumerate(events) if one["event"] == "asked"]
    assert max(asked) < min(place for place, one in enumerate(events) if one in ended)
    for node_id in (1, 2):
        assert_recovered(site.cluster, node_id)
