"""A rehearsal tries what a failover needs, as Pgpool-II's user, and finds what was forgotten."""

from collections.abc import Iterator

import pytest

from tests.harness.cluster import ClusterPlan
from tests.harness.product import Product
from tests.harness.template import PASSWORDS, SUPERUSER
from tests.harness.until import until
from tests.harness.workspace import Workspace
from tests.hooks.site import site_with_hooks
from tests.operator.site import Site


@pytest.fixture(scope="module")
def site(workspace: Workspace, product: Product, namespaces: None) -> Iterator[Site]:
    plan = ClusterPlan(standbys=2, authentication="scram-sha-256")
    with site_with_hooks(workspace, product, plan) as site:
        yield site


def test_all_is_well(site: Site) -> None:
    rehearsed = site.run("failover", "--rehearse")
    assert rehearsed.returncode == 0, rehearsed.output
    assert "0 errors, 0 warnings" in rehearsed.stdout
    assert "if node 0 were lost now, node 1 would be promoted; should that fail, node 2" in (
        rehearsed.stdout
    )
    assert "if it were only detached, node 1 could take its place" in rehearsed.stdout
    for node in site.cluster.servers:
        assert f"node {node.node_id}   a failover can log in to it" in rehearsed.stdout


def test_line_of_the_password_file_is_missing(site: Site) -> None:
    """The rehearsal, the check and the end of an installation report it and show the line."""
    machine = site.cluster.pgpool.machine
    passfile = machine.home / ".pgpass"
    stood = machine.path(passfile).read_text()
    lines = [
        f"{node.machine.address}:{node.port}:*:{SUPERUSER}:{PASSWORDS[SUPERUSER]}\n"
        for node in site.cluster.servers
    ]
    machine.write_file(passfile, lines[0])
    found = {node["node_id"]: node for node in site.read("failover", "--rehearse")["findings"]}
    checked = site.run("check")
    conf = site.cluster.pgpool.place.directory / "pgpool.conf"
    installed = site.run("install", "--pgpool-conf", conf, "--yes")
    site.run("uninstall", "--pgpool-conf", conf)
    machine.write_file(passfile, stood)
    assert [found[node]["severity"] for node in (1, 2)] == ["error", "error"]
    assert "no password supplied" in found[1]["fact"]
    assert "10.77.0.12:5432:*:postgres:PASSWORD" in found[1]["advice"]
    assert checked.returncode == 4, checked.output
    for said in (checked.stdout, installed.stdout):
        assert "10.77.0.13:5432:*:postgres:PASSWORD" in said
        assert "if node 0 were lost now, no node would be promoted" in said
    assert installed.returncode == 0, installed.output


def test_another_user_learns_whose_logins_they_are(site: Site) -> None:
    machine = site.cluster.pgpool.machine
    argv = [site.command, "check", "-H", machine.address, "-U", "pgpool"]
    env = {
        "PCPPASSFILE": str(site.cluster.pgpool.place.pcppass),
        "PGPASSFILE": str(machine.home / ".pgpass"),
    }
    said = machine.run(argv, user="root", env=env, check=False).stdout
    assert "the logins of failover_command were not tried" in said
    assert f"Run as postgres: {site.command} failover --rehearse" in said


def test_standby_that_is_not_fit_is_reported(site: Site) -> None:
    node = site.cluster.node(1)
    node.execute("ALTER SYSTEM SET recovery_target_lsn = 'F/0'")
    node.restart()
    until(
        lambda: "its recovery target" in site.run("failover", "--rehearse").stdout,
        within_s=30,
        what="the target to be reported",
    )
    said = site.run("failover", "--rehearse").stdout
    assert "node 0 were lost now, node 2 would be promoted" in said
    assert "node 1, Pgpool-II's choice, is not promoted" in said
