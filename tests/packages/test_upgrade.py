"""Packages come to a cluster that has a venv in /opt, one host at a time, and newer ones later.

In between, builds are mixed, and nodes are recovered. The venv has this commit's build, which
speaks the same protocol: hosts whose builds speak different ones refuse each other.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePath

import pytest

from tests.earlier_build import THIS_COMMIT, extract
from tests.harness.cluster import ClusterPlan
from tests.harness.host import Host
from tests.harness.pgpool_configuration import PCP_USER
from tests.harness.process_table import ProcessInfo
from tests.harness.product import build_wheels, create_extension
from tests.harness.site import FULL_COPY, assert_recovered, settings
from tests.harness.system import built_system, why_no_system
from tests.harness.until import until
from tests.harness.workspace import Workspace
from tests.packages.built import COMMAND, Packages
from tests.packages.debian import version_of
from tests.packages.site import LAUNCHER, DebianSite, debian_site

SYSTEM = "bookworm"
pytestmark = [
    pytest.mark.in_order,
    pytest.mark.skipif(why_no_system(SYSTEM) is not None, reason=str(why_no_system(SYSTEM))),
]

VENV = Path("/opt/pgpool-recovery")
IN_VENV = VENV / "bin" / COMMAND
LINK = PurePath("/usr/local/bin/pgpool-recovery")
LIBRARY = "/usr/lib/pgpool-recovery"
FIRST_STAGE = "recovery_1st_stage"
LASTS = FULL_COPY + 'max_rate = "4M"\ncompress = "none"\n'
"""A copy that lasts for some seconds, so that it can be made to stand still."""
THREADS = (3, 4)
"""Of the runner: main, the heartbeat, the agent's stderr. Of the agent: main, the requests, what
writes the copy, and what receives the WAL; a few more sync files."""
PCP_LOG = PurePath("/tmp/recovery.log")


@pytest.fixture(scope="module")
def site(workspace: Workspace, namespaces: None) -> Iterator[DebianSite]:
    """Yield a cluster with ours in a venv, as the guide has it for hosts without packages."""
    plan = ClusterPlan(layout="debian", system=built_system(SYSTEM))
    with Workspace() as earlier:
        wheels = build_wheels(earlier, extract(THIS_COMMIT, earlier.make("source")))
        with debian_site(workspace, plan, lambda host: install_venv(host, wheels)) as site:
            for node_id, host in enumerate(site.database_hosts):
                host.run([LINK, "install"], user="root")
                site.install_stages(node_id, LINK)
            create_extension(site.cluster.node(0))
            yield site


def install_venv(host: Host, wheels: Path) -> None:
    """Install the wheels as the guide does, on the hosts of the databases."""
    if host.name == "pgpool":
        return
    pip = [f"{VENV}/bin/pip", "install", "--quiet", "--no-index", "--find-links", str(wheels)]
    [ours] = wheels.glob("pgpool_recovery-*.whl")
    for argv in (
        ["/usr/bin/python3", "-m", "venv", str(VENV)],
        [*pip, "--require-hashes", "-r", f"{wheels}/runtime.txt"],
        [*pip, "--no-deps", str(ours)],
    ):
        host.run(argv, user="root", timeout_s=120)
    link_venv(host)


def link_venv(host: Host) -> None:
    host.run(["ln", "-s", IN_VENV, LINK], user="root")


def unlink_venv(host: Host) -> None:
    host.run(["rm", LINK], user="root")


def running(host: Host, program: str) -> list[ProcessInfo]:
    """Return the processes whose command line has a program as one of its first words."""
    return [
        one for one in host.processes() if program in (PurePath(word).name for word in one.argv[:6])
    ]


def is_of_package(process: ProcessInfo) -> bool:
    return any(word.startswith(LIBRARY) for word in process.argv)


@contextmanager
def in_the_middle(site: DebianSite) -> Iterator[None]:
    """Recover node 1, whose data is lost, by a copy that stands still within the context."""
    cluster, primary = site.cluster, site.database_hosts[0]
    place = cluster.pgpool.place
    where = ["-h", place.machine.address, "-p", str(place.pcp_port), "-U", PCP_USER, "-w"]
    argv = ["pcp_recovery_node", *where, "-n", "1"]
    with settings(cluster, LASTS):
        site.lose(1)
        cluster.pgpool.wait_until_settled()
        child = place.machine.spawn(argv, log=PCP_LOG, env=site.environment)
        [(sender,)] = until(
            lambda: cluster.node(0).sql("SELECT pid FROM pg_stat_progress_basebackup"),
            within_s=60,
            what="the copy to begin",
        )
        primary.run(["kill", "-STOP", str(sender)], user="root")
        try:
            yield
        finally:
            primary.run(["kill", "-CONT", str(sender)], user="root")
        assert child.wait(120) == 0
    said = place.machine.path(PCP_LOG).read_text()
    assert "Command Successful" in said, cluster.pgpool.log_text()[-4000:]
    cluster.pgpool.wait_for_node(1, "up")
    assert_recovered(cluster, 1)


def at_work(site: DebianSite) -> tuple[bool, bool]:
    """Return whether the runner and the agent that run now are those of the packages."""
    first, second = site.database_hosts
    [runner] = running(first, FIRST_STAGE)
    [agent] = running(second, "agent")
    return is_of_package(runner), is_of_package(agent)


def has_loaded_all(site: DebianSite) -> bool:
    """Return whether runner and agent have only the threads that they need in a recovery."""
    first, second = site.database_hosts
    runners, agents = running(first, FIRST_STAGE), running(second, "agent")
    if len(runners) != 1 or len(agents) != 1:
        return False  # A shell that is about to become the agent has its words as well.
    of_runner, of_agent = THREADS
    return threads(first, runners[0]) == of_runner and threads(second, agents[0]) >= of_agent


def threads(host: Host, process: ProcessInfo) -> int:
    return len(list(host.path(f"/proc/{process.pid}/task").iterdir()))


def test_target_has_the_packages_before_the_primary(site: DebianSite, packages: Packages) -> None:
    """The command in /usr/local/bin comes before that of the package, as long as it is there."""
    host = site.database_hosts[1]
    said = site.install(host, packages)
    assert f"{LINK} is another copy" in said
    directory = site.cluster.node(1).data_directory
    assert f"/usr/bin/pgpool-recovery install --data-directory {directory}" in said
    unlink_venv(host)
    with in_the_middle(site):
        assert at_work(site) == (False, True)


def test_venv_is_removed_before_the_stage_commands_are_installed_again(
    site: DebianSite, packages: Packages
) -> None:
    """Those in the data directory still call it; that is told, with what to do."""
    host = site.database_hosts[0]
    site.install(host, packages)
    host.run(["rm", "-r", VENV, LINK], user="root")
    site.take_down(1)
    said = site.cluster.pgpool.recovery_node(1).output
    assert "execution of command failed" in said
    log = site.cluster.pgpool.log_text()
    assert f"exec: {IN_VENV}: not found" in log
    update_extension(site)
    site.cluster.pgpool.recovery_node(1)
    log = site.cluster.pgpool.log_text()
    assert "HINT:  The pgpool-recovery that the stage commands here call has gone" in log
    site.install_stages(0)


def update_extension(site: DebianSite) -> None:
    """Create the extension of the packages: no update leads from 2.0 to 2.0."""
    primary = site.cluster.node(0)
    for database in ("template1", "postgres"):
        primary.execute("DROP EXTENSION pgpool_recovery", database=database)
    create_extension(primary)


def test_primary_has_the_packages_before_the_target(site: DebianSite) -> None:
    host = site.database_hosts[1]
    link_venv(host)
    with in_the_middle(site):
        assert at_work(site) == (True, False)


def test_packages_are_everywhere(site: DebianSite, packages: Packages) -> None:
    host = site.database_hosts[1]
    host.run(["rm", "-r", VENV, LINK], user="root")
    site.install_stages(1)
    site.install(site.pgpool_host, packages)
    checked = site.run("check").stdout
    assert "pgpool-recovery" not in "".join(
        line for line in checked.splitlines() if line.startswith("ERROR")
    )
    with in_the_middle(site):
        assert at_work(site) == (True, True)


def test_newer_packages_come_while_a_recovery_runs(
    site: DebianSite, later_packages: Packages
) -> None:
    """What runs has loaded all of itself; the modules of the newer build would refuse it."""
    with in_the_middle(site):
        until(lambda: has_loaded_all(site), within_s=60, what="runner and agent to be complete")
        for host in site.database_hosts:
            site.install(host, later_packages)
            assert version_of(host, COMMAND) == f"{later_packages.version}-1"
            assert host.run([LAUNCHER, "--version"]).stdout.strip() == later_packages.version
    site.install(site.pgpool_host, later_packages)
    site.take_down(1)
    site.cluster.recover(1)
    assert_recovered(site.cluster, 1)
