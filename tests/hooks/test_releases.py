"""The lines of `install --pgpool-conf`, reloaded by each release of Pgpool-II that is here."""

from collections.abc import Iterator

import pytest

from pgpool_recovery.install.pgpool_conf import EMPTIED, FOLLOW
from tests.harness.cluster import ClusterPlan
from tests.harness.product import Product
from tests.harness.site import assert_recovered
from tests.harness.until import until
from tests.harness.workspace import Workspace
from tests.hooks.site import (
    hook_lines,
    log_since,
    wait_for_primary,
    wait_until_said,
    write_pcppass,
)
from tests.majors import EACH_RELEASE
from tests.operator.site import Site, site_on_hosts


@pytest.fixture(params=EACH_RELEASE)
def site(
    request: pytest.FixtureRequest, workspace: Workspace, product: Product, namespaces: None
) -> Iterator[Site]:
    plan = ClusterPlan(standbys=2, postgresql_major=request.param)
    with site_on_hosts(workspace, product, plan) as site:
        write_pcppass(site)
        yield site


def test_lines_of_install(site: Site) -> None:
    """The lines are written, reloaded and called; after the uninstallation nothing is called.

    follow_primary_command was not in the file before. Up to 4.6, Pgpool-II keeps the old value when
    a line is removed, so the uninstallation sets it to an empty value.
    """
    cluster, pgpool = site.cluster, site.cluster.pgpool
    conf = pgpool.place.directory / "pgpool.conf"
    stood = _without(FOLLOW, pgpool.machine.path(conf).read_text())
    pgpool.machine.write_file(conf, stood)
    refused = site.run("install", "--pgpool-conf", conf)
    assert refused.returncode == 4
    assert pgpool.machine.path(conf).read_text() == stood
    written = site.run("install", "--pgpool-conf", conf, "--yes")
    assert written.returncode == 0, written.output
    _reload_until(site, "failover_command", f"{site.command} failover")
    before = len(pgpool.log_text())
    cluster.node(0).kill()
    wait_for_primary(site, 1)
    wait_until_said(site, "follow_primary: node 2 is back", before)
    said = "\n".join(hook_lines(log_since(site, before)))
    assert "promoting node 1 (10.77.0.12:5432)" in said
    assert "ERROR:  node 0 is left alone" in said
    assert_recovered(cluster, 2)
    removed = site.run("uninstall", "--pgpool-conf", conf)
    assert removed.returncode == 0, removed.output
    emptied = f"{FOLLOW} = ''{EMPTIED}\n"
    assert pgpool.machine.path(conf).read_text() == stood + emptied
    assert f"sets {FOLLOW}, not set before, to ''" in removed.stdout
    _reload_until(site, FOLLOW, "")
    assert "pgpool-recovery" not in dict(_pool_status(site))["failover_command"]


def _without(name: str, text: str) -> str:
    """Return a pgpool.conf without the line of a parameter."""
    return "".join(line for line in text.splitlines(keepends=True) if not line.startswith(name))


def _reload_until(site: Site, name: str, words: str) -> None:
    """Reload until a parameter begins with these words; "" is an empty value.

    One reload is not always enough. Pgpool-II 4.3 passes the signal on to child processes, and one
    that it started in the same moment, as it does after a failback, does not handle signals yet.
    """
    pgpool = site.cluster.pgpool
    command = ["pgpool", "-f", str(pgpool.place.directory / "pgpool.conf"), "reload"]

    def is_read() -> bool:
        pgpool.machine.run(command)
        value = dict(_pool_status(site))[name]
        return value.startswith(words) if words else not value

    until(is_read, within_s=20, what=f"{name} to be read", every_s=0.5)


def _pool_status(site: Site) -> Iterator[tuple[str, str]]:
    """Yield the parameters with which Pgpool-II runs."""
    name = ""
    for line in site.cluster.pgpool.pcp("pcp_pool_status").stdout.splitlines():
        key, _, value = line.partition(":")
        if key.strip() == "name":
            name = value.strip()
        elif key.strip() == "value":
            yield name, value.strip()
