"""The command as one file: it starts with each system's Python, and recovers nodes."""

import shutil
from dataclasses import dataclass
from pathlib import Path

import pytest

from packages import one_file
from pgpool_recovery import __version__
from tests.harness.cluster import ClusterPlan
from tests.harness.host import Host
from tests.harness.product import Product
from tests.harness.site import on_hosts, on_one_host, streams
from tests.harness.switch import NetworkAddress
from tests.harness.system import OWN_SYSTEM, System, system_with
from tests.harness.until import until
from tests.harness.workspace import Workspace
from tests.majors import in_whole_matrix, needs_postgresql


@dataclass(frozen=True)
class OneFile(Product):
    """The one file, which every system runs with its own Python."""

    def command_on(self, system: System) -> Path:  # noqa: ARG002 - it is the same everywhere
        return self.workspace.directory / "one-file" / "pgpool-recovery"


@pytest.fixture(scope="module")
def archive(workspace: Workspace, product: Product) -> OneFile:
    one = OneFile(workspace)
    command = one.command_on(OWN_SYSTEM)
    workspace.make(command.parent.name)
    shutil.move(one_file.build(workspace.directory / "wheels", command.parent), command)
    return one


@pytest.mark.parametrize(
    "major",
    [pytest.param(major, marks=needs_postgresql(major)) for major in (15, 17, 18)],
)
def test_each_system_runs_it(archive: OneFile, major: int, namespaces: None) -> None:
    with Host("reader", NetworkAddress(1), system=system_with(major)) as host:
        host.boot()
        said = host.run([str(archive.command), "--version"], user="postgres").stdout
        assert said == f"{__version__}\n"
        # What it installs is in the zip file, too.
        pg_config = f"/usr/lib/postgresql/{major}/bin/pg_config"
        install = [str(archive.command), "install", "--pg-config", pg_config]
        said = host.run(install, user="root").stdout
        installed = Path("/usr/share/postgresql", str(major), "extension/pgpool_recovery--2.0.sql")
        assert f"{installed} installed" in said
        assert host.run(["head", "-n", "1", str(installed)]).stdout.startswith("-- Part of pgpool-")


@pytest.mark.parametrize(
    ("major", "is_one_host"),
    [
        pytest.param(None, False, id="over ssh"),
        pytest.param(None, True, id="on one host"),
        pytest.param(17, False, id="over ssh, 17", marks=in_whole_matrix(17)),
        pytest.param(18, False, id="over ssh, 18", marks=in_whole_matrix(18)),
    ],
)
def test_recovery_with_it(
    workspace: Workspace,
    archive: OneFile,
    namespaces: None,
    major: int | None,
    is_one_host: bool,  # noqa: FBT001 - a parameter of the test
) -> None:
    site = on_one_host if is_one_host else on_hosts
    with site(workspace, archive, ClusterPlan(postgresql_major=major)) as cluster:
        node = cluster.node(1)
        stage = node.machine.run(["cat", str(node.data_directory / "recovery_1st_stage")]).stdout
        assert f'\nexec {archive.command} recovery_1st_stage "$@"\n' in stage
        node.lose()
        cluster.pgpool.wait_for_node(1, "down")
        done = cluster.recover(1)
        assert done.returncode == 0, done.output
        until(lambda: streams(cluster.primary, 1), within_s=30, what="node 1 to stream")
        assert cluster.contents_equal(0, 1)
