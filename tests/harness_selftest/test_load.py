"""The client load keeps an exact record of its commits, even when its server goes away."""

import pytest

from tests.harness.cluster import ClusterPlan
from tests.harness.cluster_site import Site, build_servers
from tests.harness.installation import system_installation
from tests.harness.load import ClientLoad
from tests.harness.local_host import LocalHost
from tests.harness.postgresql import Server
from tests.harness.until import until
from tests.harness.workspace import Workspace


@pytest.fixture
def server(local_host: LocalHost, workspace: Workspace) -> Server:
    site = Site([local_host], local_host, local_host, system_installation())
    [server] = build_servers(workspace, ClusterPlan(), site)
    return server


@pytest.fixture
def load(server: Server) -> ClientLoad:
    load = ClientLoad(server.machine, server.conninfo(dbname="postgres"), pause_s=0.001)
    load.create_table(server)
    return load


def test_every_acknowledged_number_is_in_the_table(load: ClientLoad, server: Server) -> None:
    with load:
        load.wait_for_commits(100)
    summary = load.stop()
    assert summary.failures == ()
    assert summary.committed > 100
    assert load.lost_numbers(server) == []
    assert server.sql("SELECT count(*), max(value) FROM load, load_counter") == [
        (str(summary.committed), str(summary.committed))
    ]


def test_a_lost_row_is_found(load: ClientLoad, server: Server) -> None:
    with load:
        load.wait_for_commits(10)
    server.execute("DELETE FROM load WHERE number IN (3, 5)")
    assert load.lost_numbers(server) == [3, 5]


def test_each_attempt_is_booked_once_as_committed_or_failed(
    load: ClientLoad, server: Server
) -> None:
    with load:
        load.wait_for_commits(20)
        server.kill()
        until(lambda: len(load.failures) >= 3, within_s=10, what="three failures")
        assert load.failures[-1].phase == "connect"
        server.start()
        load.wait_for_commits(20)
    summary = load.stop()
    failed = {failure.number for failure in summary.failures}
    unsure = {failure.number for failure in summary.failures if failure.phase == "commit"}
    there = {int(number) for (number,) in server.sql("SELECT number FROM load")}
    attempts = set(range(1, summary.committed + len(failed) + 1))
    assert there - unsure == attempts - failed
    assert load.lost_numbers(server) == []
    assert summary.longest_pause_s > 0.1


def test_errors_of_the_server_keep_their_sqlstate(load: ClientLoad, server: Server) -> None:
    with load:
        server.execute("ALTER TABLE load ADD CHECK (number < 0) NOT VALID")
        until(lambda: load.failures, within_s=10, what="a failure")
    assert {(one.phase, one.sqlstate) for one in load.failures} == {("execute", "23514")}
