"""The life of the packages on a running cluster of each Debian release, from install to purge.

The stock extension is in the databases when ours are installed. Everything is done with what the
packages contain: the hosts see nothing of the checkout. At the end, the disks are as before.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.harness.cluster import ClusterPlan
from tests.harness.command import CommandError
from tests.harness.host import Host
from tests.harness.postgresql import Server
from tests.harness.product import create_extension
from tests.harness.site import assert_recovered
from tests.harness.system import built_system, why_no_system
from tests.harness.workspace import Workspace
from tests.packages.built import COMMAND, Packages
from tests.packages.debian import (
    apt,
    complaints,
    contents,
    difference,
    diversions,
    files,
    version_of,
)
from tests.packages.site import LAUNCHER, DebianSite, debian_site
from tests.packages.stock import CHANGED, install_file, repacked

pytestmark = pytest.mark.in_order

DATABASES = ("template1", "postgres")
EXTENSIONS = ("pgpool_adm", "pgpool_recovery", "pgpool_regclass")
FIRST_STAGE = "recovery_1st_stage"
GONE = f"exec: {LAUNCHER}: not found"
INSTALL_AGAIN = "The pgpool-recovery that the stage commands here call has gone"
NEW = "99.0-1"
DPKG = Path("/var/lib/dpkg/info")
SYSTEMD = Path("/var/lib/systemd")


@dataclass(frozen=True)
class Before:
    """What a host was like before anything of ours came."""

    files: dict[str, str]
    diversions: list[str]
    control_files: dict[str, bytes]


@dataclass(frozen=True)
class Life:
    """A site, and what its hosts were like at the beginning."""

    site: DebianSite
    before: dict[str, Before]
    packages: Packages


SYSTEMS = [
    "bookworm",
    *(pytest.param(suite, marks=pytest.mark.whole_matrix) for suite in ("trixie", "sid")),
]


@pytest.fixture(scope="module", params=SYSTEMS)
def life(
    workspace: Workspace, packages: Packages, namespaces: None, request: pytest.FixtureRequest
) -> Iterator[Life]:
    reason = why_no_system(request.param)
    if reason is not None:
        pytest.skip(reason)
    plan = ClusterPlan(layout="debian", system=built_system(request.param))
    with debian_site(workspace, plan) as site:
        create_extension(site.cluster.node(0))
        site.cluster.node(0).execute("CREATE EXTENSION pgpool_adm")
        yield Life(site, {host.name: before(site, host) for host in site.hosts}, packages)


def before(site: DebianSite, host: Host) -> Before:
    return Before(files(host), diversions(host), control_files(site, host))


def control_files(site: DebianSite, host: Host) -> dict[str, bytes]:
    return {
        name: host.path(site.extension_directory / f"{name}.control").read_bytes()
        for name in EXTENSIONS
    }


def saved(site: DebianSite, host: Host, name: str) -> Path:
    """Return where the stock control file is while ours has its place."""
    return host.path(site.extension_directory / f"{name}.control.before-pgpool-recovery")


def installed(server: Server, database: str = "postgres") -> dict[str, str]:
    rows = server.sql("SELECT extname, extversion FROM pg_extension", database=database)
    return {name: version for name, version in rows if name.startswith("pgpool_")}


def default_version(server: Server, name: str) -> str:
    query = f"SELECT default_version FROM pg_available_extensions WHERE name = '{name}'"
    [[version]] = server.sql(query)
    return version


def created(server: Server) -> str:
    """Return the version that CREATE EXTENSION gives in a new database."""
    server.execute("CREATE DATABASE fresh TEMPLATE template0")
    try:
        server.execute("CREATE EXTENSION pgpool_recovery", database="fresh")
        return installed(server, "fresh")["pgpool_recovery"]
    finally:
        server.execute("DROP DATABASE fresh")


def test_they_are_installed_while_the_server_runs(life: Life) -> None:
    """What calls the stock functions goes on working; new databases get ours."""
    site, primary = life.site, life.site.cluster.node(0)
    for host in site.hosts:
        site.install(host, life.packages)
        assert version_of(host, COMMAND) == f"{life.packages.version}-1"
    assert installed(primary)["pgpool_recovery"] == "1.4"
    with pytest.raises(CommandError, match="pgpool_recovery failed") as refused:
        primary.execute("SELECT pgpool_recovery('no_script', 'h', '/d', '1', 1, '2', 'h')")
    assert "DETAIL" not in str(refused.value), "the stock function gives none"
    assert default_version(primary, "pgpool_recovery") == "2.0"
    assert created(primary) == "2.0"
    for host in site.database_hosts:
        stock = life.before[host.name].control_files
        assert {name: saved(site, host, name).read_bytes() for name in EXTENSIONS} == stock
        assert complaints(host, COMMAND, site.extension_package, site.stock_package) == []


def test_databases_are_updated(life: Life) -> None:
    primary = life.site.cluster.node(0)
    for database in DATABASES:
        primary.execute("ALTER EXTENSION pgpool_recovery UPDATE", database=database)
    primary.execute("ALTER EXTENSION pgpool_adm UPDATE")
    assert installed(primary) == {"pgpool_recovery": "2.0", "pgpool_adm": "2.0"}


def test_lost_standby_comes_back(life: Life) -> None:
    """By pcp_recovery_node, with stage commands that the package's command installs."""
    site = life.site
    for node_id, host in enumerate(site.database_hosts):
        assert f"{FIRST_STAGE} installed" in site.install_stages(node_id)
        stage = site.cluster.node(node_id).data_directory / FIRST_STAGE
        assert f"exec {LAUNCHER} {FIRST_STAGE} " in host.path(stage).read_text()
    site.lose(1)
    site.cluster.recover(1)
    assert_recovered(site.cluster, 1)


def test_everything_of_ours_belongs_to_a_package(life: Life) -> None:
    """So no other copy of the command can have been at work."""
    site = life.site
    for host in site.hosts:
        packages = [one for one in (COMMAND, site.extension_package) if version_of(host, one)]
        theirs = contents(host, *packages)
        for path in map(Path, difference(life.before[host.name].files, files(host))):
            is_compiled = path.name == "__pycache__" or path.parent.name == "__pycache__"
            is_known = path.parent == DPKG and path.stem in packages
            is_saved = path.name.endswith(".before-pgpool-recovery")
            is_unit = SYSTEMD in path.parents or path == SYSTEMD  # deb-systemd-helper's record
            expected = is_compiled or is_known or is_saved or is_unit
            assert str(path) in theirs or expected, path
        argv = ["find", "/", "-xdev", "-type", "d", "-name", "pgpool_recovery"]
        found = host.run(argv, user="root").stdout.split()
        assert found == ["/usr/lib/pgpool-recovery/pgpool_recovery"]


def test_commands_on_the_host_of_pgpool(life: Life) -> None:
    site = life.site
    assert site.node_status(1)["node_id"] == 1
    checked = site.run("check", "--json")
    found = json.loads(checked.stdout)["findings"]
    assert [one for one in found if one["severity"] == "error"] == []
    site.take_down(1)
    recovered = site.run("recover", 1, "--yes")
    assert "node 1 is back" in recovered.stdout, recovered.output
    assert_recovered(site.cluster, 1)


def test_stock_package_is_updated_removed_and_installed_again(life: Life) -> None:
    """What it brings goes beside ours, which stays in force."""
    site, host, primary = life.site, life.site.database_hosts[0], life.site.cluster.node(0)
    ours = control_files(site, host)
    was = version_of(host, site.stock_package)
    assert was is not None
    for_later = repacked(host, site.stock_package, was)
    newer = repacked(host, site.stock_package, NEW, CHANGED)
    install_file(host, newer)
    assert version_of(host, site.stock_package) == NEW
    assert control_files(site, host) == ours
    assert CHANGED in saved(site, host, "pgpool_recovery").read_text()
    assert created(primary) == "2.0"
    install_file(host, newer, "--reinstall")
    assert control_files(site, host) == ours
    apt(host, "remove", site.stock_package)
    assert control_files(site, host) == ours
    assert not saved(site, host, "pgpool_recovery").exists()
    assert created(primary) == "2.0"
    install_file(host, for_later)
    assert version_of(host, site.stock_package) == was
    assert control_files(site, host) == ours


def test_removal_in_use_is_told_by_everything_that_needs_it(life: Life) -> None:
    """The stage commands stay in the data directories, and call what is not there."""
    site, host = life.site, life.site.database_hosts[0]
    removed = apt(host, "remove", COMMAND)
    directory = site.cluster.node(0).data_directory
    assert f"the stage commands in {directory} call what is removed now" in removed.output
    assert version_of(host, site.extension_package) is None
    site.take_down(1)
    said = site.cluster.pgpool.recovery_node(1).output
    assert "execution of command failed" in said
    log = site.cluster.pgpool.log_text()
    assert GONE in log
    assert f"HINT:  {INSTALL_AGAIN}" in log
    for words in (("recover", 1, "--yes"), ("check",)):
        refused = site.run(*words)
        assert refused.returncode != 0
        assert GONE in refused.output
        assert f"HINT:  {INSTALL_AGAIN}" in refused.output
    site.install(host, life.packages)
    site.cluster.recover(1)
    assert_recovered(site.cluster, 1)


def test_check_names_the_node_where_it_is_missing(life: Life) -> None:
    """Before a failover makes that node the primary."""
    site = life.site
    stage = site.cluster.node(1).data_directory / FIRST_STAGE
    path = site.database_hosts[1].path(stage)
    text = path.read_text()
    try:
        path.write_text(text.replace(str(LAUNCHER), "/opt/pgpool-recovery/bin/pgpool-recovery"))
        found = site.run("check").stdout
    finally:
        path.write_text(text)
    assert "it calls /opt/pgpool-recovery/bin/pgpool-recovery, which does not exist" in found
    assert "pgpool-recovery install --data-directory" in found


def test_purge_leaves_nothing(life: Life) -> None:
    """The way back of the guide: the stage commands, the extensions, the packages."""
    site, primary = life.site, life.site.cluster.node(0)
    for server in site.cluster.servers:
        argv = [str(LAUNCHER), "uninstall", "--data-directory", str(server.data_directory)]
        server.machine.run(argv)
        assert not server.machine.path(server.data_directory / FIRST_STAGE).exists()
    for database in DATABASES:
        primary.execute("DROP EXTENSION pgpool_recovery", database=database)
    primary.execute("DROP EXTENSION pgpool_adm")
    for host in site.hosts:
        site.purge(host)
        was = life.before[host.name]
        assert diversions(host) == was.diversions
        changed = difference(was.files, files(host))
        if host is site.database_hosts[0]:
            # There, another test has installed the stock package again.
            again = contents(host, site.stock_package)
            changed = {path: how for path, how in changed.items() if path not in again}
            known = [path for path in changed if Path(path).stem == site.stock_package]
            changed = {path: how for path, how in changed.items() if path not in known}
        assert changed == {}
        assert host.run(["dpkg", "--audit"]).stdout == ""
    for host in site.database_hosts:
        assert control_files(site, host) == life.before[host.name].control_files
    assert created(primary) == "1.4"
