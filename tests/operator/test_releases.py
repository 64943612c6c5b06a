"""The commands with each release of Pgpool-II, since their wire formats differ."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tests.harness.cluster import ClusterPlan
from tests.harness.product import Product
from tests.harness.site import assert_recovered
from tests.harness.until import until
from tests.harness.workspace import Workspace
from tests.majors import EACH_RELEASE, OLDEST_AND_NEWEST_RELEASE, PGPOOL_RELEASES
from tests.operator.site import Site, site_on_hosts


@pytest.fixture(scope="module", params=OLDEST_AND_NEWEST_RELEASE)
def site(
    request: pytest.FixtureRequest, workspace: Workspace, product: Product, namespaces: None
) -> Iterator[Site]:
    with site_on_hosts(workspace, product, ClusterPlan(postgresql_major=request.param)) as site:
        yield site


def test_recovery(site: Site) -> None:
    site.take_down(1)
    assert site.node_status(1)["pool_status"] == "down"
    done = site.run("recover", 1, "--yes")
    assert done.returncode == 0, done.output
    assert "node 1 is back: up in Pgpool-II and streaming (catch-up" in done.stdout
    assert_recovered(site.cluster, 1)
    assert site.node_status(1)["replication_state"] == "streaming"
    [run] = site.read("history")["runs"]
    assert (run["state"], run["method"]) == ("recovered", "catch-up")


def test_check_knows_where_the_functions_are_called(site: Site) -> None:
    """Up to 4.6 that is template1, from 4.7 on recovery_database."""
    checked = site.read("check")
    assert checked["exit_status"] == 0, checked


@contextmanager
def reloaded(site: Site, **parameters: str) -> Iterator[None]:
    """Let Pgpool-II run with other parameters, as far as a reload applies them."""
    extra = site.cluster.pgpool.settings.extra
    assert isinstance(extra, dict)
    extra.update(parameters)
    site.cluster.pgpool.reload()
    try:
        yield
    finally:
        for name in parameters:
            del extra[name]
        site.cluster.pgpool.reload()


def quoted(text: str) -> str:
    return text.replace("'", "''")


def findings(site: Site) -> list[str]:
    return [one["fact"] for one in site.read("check")["findings"] if one["severity"] != "ok"]


def test_node_that_pgpool_conf_has_elsewhere(site: Site) -> None:
    """A reload applies the new directory but not the new host, although they belong together."""
    site.take_down(1)
    directory = f"{site.cluster.node(1).data_directory}/elsewhere"
    with reloaded(site, backend_hostname1="node1", backend_data_directory1=directory):
        until(
            lambda: directory in site.cluster.pgpool.pcp("pcp_pool_status").stdout,
            within_s=20,
            what="the reload",
        )
        for words in (("recover", 1, "--yes"), ("plan", 1)):
            refused = site.run(*words)
            assert refused.returncode == 4, refused.output
            assert "sets backend_hostname1 = 'node1', but '10.77.0.12' is in force" in (
                refused.stderr
            )
            assert "Restart Pgpool-II" in refused.stderr
        assert [one for one in findings(site) if "sets backend_hostname1 = 'node1'" in one]
    until(
        lambda: directory not in site.cluster.pgpool.pcp("pcp_pool_status").stdout,
        within_s=20,
        what="the reload",
    )
    done = site.run("recover", 1, "--yes")
    assert done.returncode == 0, done.output


def test_names_that_pgpool_compares(site: Site) -> None:
    """Pgpool-II compares backend_application_name, and the host in primary_conninfo."""
    assert not [one for one in findings(site) if "auto_failback" in one]
    node = site.cluster.node(1)
    [(conninfo,)] = node.sql("SHOW primary_conninfo")
    other = conninfo.replace("10.77.0.11", "node0")
    assert other != conninfo
    node.execute(f"ALTER SYSTEM SET primary_conninfo = '{quoted(other)}'")
    node.reload()
    names = {"backend_application_name1": "other", "auto_failback": "on"}
    with reloaded(site, **names, detach_false_primary="on"):

        def is_found() -> bool:
            found = "\n".join(findings(site))
            return (
                "backend_application_name1 is 'other': auto_failback never attaches it" in found
                and "node 1 names its primary node0:5432, which is 10.77.0.11:5432" in found
            )

        until(is_found, within_s=60, what="both findings")
    node.execute(f"ALTER SYSTEM SET primary_conninfo = '{quoted(conninfo)}'")
    node.reload()


@pytest.mark.parametrize("site", EACH_RELEASE, indirect=True)  # Each of them does something else.
def test_extension_that_is_not_where_pgpool_calls_it(site: Site) -> None:
    """With Pgpool-II 4.3, our command calls the extension itself, so the recovery works."""
    site.take_down(1)
    release = PGPOOL_RELEASES[site.cluster.node(0).installation.major]
    database = "postgres" if release == "4.7" else "template1"
    primary = site.cluster.node(0)
    primary.execute("DROP EXTENSION pgpool_recovery", database=database)
    try:
        said = site.run("recover", 1, "--yes")
    finally:
        primary.execute("CREATE EXTENSION pgpool_recovery", database=database)
    if release == "4.3":
        assert said.returncode == 0, said.output
        return
    assert said.returncode == 4, said.output
    assert f"database {database} of the primary (node 0)" in said.stderr
    assert f"Run CREATE EXTENSION pgpool_recovery in database {database}." in said.stderr
    assert site.run("recover", 1, "--yes").returncode == 0


def test_detach_and_attach(site: Site) -> None:
    assert site.run("detach", 1).returncode == 0
    assert site.node_status(1)["pool_status"] == "down"
    attached = site.run("attach", 1)
    assert attached.returncode == 0, attached.output
    assert site.node_status(1)["pool_status"] in ("up", "waiting")


def test_smallest_configuration_that_pgpool_starts_with(site: Site) -> None:
    """It then has no weights, no directories and no stages, and no command fails because of that.

    Without sr_check_user it would search for a primary for 300 s before it answered any command.
    This is the last test of the site, since it stops the site's Pgpool-II.
    """
    if PGPOOL_RELEASES[site.cluster.node(0).installation.major] != "4.3":
        pytest.skip("the smallest configuration is known only for Pgpool-II 4.3")
    site.cluster.pgpool.stop()
    place, host = site.cluster.pgpool.place, site.cluster.pgpool.machine
    host.make_directory("/run/pgpool")  # The directory of the default pid_file_name.
    file, log = place.directory / "smallest.conf", place.directory / "smallest.log"
    backends = [
        f"backend_hostname{one.node_id} = '{one.machine.address}'\n"
        f"backend_port{one.node_id} = {one.port}\n"
        for one in site.cluster.servers
    ]
    host.write_file(file, "".join(["sr_check_user = 'postgres'\n", *backends]))
    argv = ["pgpool", "-f", str(file), "-F", f"{place.directory}/pcp.conf", "-D", "-n"]
    child = host.spawn(argv, log=log, cwd=place.directory)
    site.write_settings(sockets=host.socket_directory)  # The default of Debian's packages.
    try:
        address = site.cluster.node(1).machine.address
        until(lambda: address in site.run("status").output, within_s=60, what="Pgpool-II to answer")
        [first, second] = site.read("status")["status"]["nodes"]
        checked = site.run("check")
    finally:
        child.terminate()
        child.wait(timeout_s=30)
    assert [node["pool_role"] for node in (first, second)] == ["primary", "standby"], (
        first,
        second,
    )
    assert "Check backend_data_directory in pgpool.conf" in checked.output
