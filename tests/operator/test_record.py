"""recover, watch, cancel and history with a record of recoveries, kept by a first stage of ours.

What is on record is what the commands show, so here each word of it is known before.
"""

import json
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.harness.cluster import ClusterPlan
from tests.harness.product import Product
from tests.harness.until import until
from tests.harness.workspace import Workspace
from tests.operator.site import Site, site_on_hosts

HERE = Path(__file__).parent


@pytest.fixture(scope="module")
def site(workspace: Workspace, product: Product, namespaces: None) -> Iterator[Site]:
    """A cluster whose node 1 is down, and stays so: no recovery here reaches its end."""
    with site_on_hosts(workspace, product, ClusterPlan()) as site:
        primary = site.cluster.node(0)
        if not primary.sql("SELECT 1 WHERE to_regclass('pgpool_recovery_run') IS NOT NULL"):
            primary.execute((HERE / "record.sql").read_text())
        words = {
            "bindir": primary.installation.bindir,
            "sockets": primary.machine.socket_directory,
            "ending": ending_of(site),
        }
        text = (HERE / "recording_stage").read_text()
        for word, value in words.items():
            text = text.replace(f"@{word}@", str(value))
        script = primary.data_directory / "recovery_1st_stage"
        primary.machine.write_file(script, text, mode=0o700)
        site.cluster.node(1).stop()
        site.cluster.pgpool.wait_for_node(1, "down")
        yield site


def ending_of(site: Site) -> Path:
    return site.cluster.node(0).machine.home / "ending"


def ends(site: Site, how: str) -> None:
    site.cluster.node(0).machine.write_file(ending_of(site), how)


def waits_for(site: Site, log: Path, text: str) -> None:
    file = site.cluster.pgpool.machine.path(log)
    until(lambda: text in file.read_text(), within_s=20, what=f'"{text}" in {file.read_text()}')


def test_cause_of_a_failure(site: Site) -> None:
    ends(site, "failed")
    failed = site.run("recover", 1, "--yes")
    assert failed.returncode == 7, failed.output
    assert failed.stderr.splitlines() == [
        "ERROR:  node 1: could not copy: disk full",
        "DETAIL:  No space left on device.",
        "HINT:  Make room.",
        "TARGET:  restored",
    ]
    assert "step 1 of 4: reserve it" in failed.stdout
    assert "starting recovering" not in failed.stdout


def test_failure_as_a_document(site: Site) -> None:
    ends(site, "failed")
    failed = site.run("recover", 1, "--yes", "--json")
    document = json.loads(failed.stdout)
    assert (failed.returncode, document["exit_status"]) == (7, 7)
    [recovery] = document["recoveries"]
    assert recovery["error"]["message"] == "node 1: could not copy: disk full"
    assert recovery["error"]["target"] == "restored"


def test_history(site: Site) -> None:
    runs = site.read("history")["runs"]
    assert runs[0]["state"] == "failed"
    shown = site.run("history")
    assert "node 1: could not copy: disk full" in shown.stdout
    one = site.run("history", runs[0]["id"])
    assert "step 1 of 4: reserve it" in one.stdout
    assert "ERROR:  node 1: could not copy: disk full" in one.stdout
    none = site.run("history", 12345)
    assert none.returncode == 2
    assert "there is no recovery 12345 on record" in none.stderr


def test_nothing_to_watch_or_to_cancel(site: Site) -> None:
    watched = site.run("watch", 1)
    assert (watched.returncode, watched.stdout) == (0, "no recovery of node 1 runs\n")
    cancelled = site.run("cancel", 1)
    assert cancelled.returncode == 4
    assert "no recovery of node 1 runs" in cancelled.stderr


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGHUP, signal.SIGKILL])
def test_client_that_leaves(site: Site, number: signal.Signals) -> None:
    """The recovery goes on; a second one is refused, watch finds it, cancel ends it."""
    ends(site, "waits")
    left, watched = site.path("left.log"), site.path("watched.log")
    for log in (left, watched):
        site.cluster.pgpool.machine.write_file(log, "")
    client = site.spawn("recover", 1, "--yes", log=left)
    waits_for(site, left, "step 1 of 4: reserve it")
    client.signal(number)
    status = client.wait(timeout_s=10)
    if number is not signal.SIGKILL:
        assert status == 128 + number
        waits_for(site, left, "The recovery of node 1 goes on in Pgpool-II")
        waits_for(site, left, "pgpool-recovery watch 1")

    busy = site.run("recover", 1, "--yes")
    assert busy.returncode == 6
    assert "already processing another recovery" in busy.stderr

    [node] = [node for node in site.read("status")["status"]["nodes"] if node["node_id"] == 1]
    assert node["recovery"]["sentence"] == "copy"
    watcher = site.spawn("watch", 1, log=watched)
    waits_for(site, watched, "step 1 of 4: reserve it")
    cancelled = site.run("cancel", 1)
    assert cancelled.returncode == 0, cancelled.output
    assert "the recovery of node 1 has ended (cancelled); target restored" in cancelled.stdout
    assert watcher.wait(timeout_s=10) == 10
    waits_for(site, watched, "ERROR:  the recovery was cancelled")
