"""A host of another system behaves as that system, except for what all hosts share with ours."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.harness.account import read_accounts
from tests.harness.cluster import ClusterPlan
from tests.harness.cluster_site import cluster_on_hosts
from tests.harness.host import Host
from tests.harness.keeper import StartError
from tests.harness.network import Network
from tests.harness.product import install_stock
from tests.harness.system import OWN_SYSTEM, system_with, why_no_postgresql
from tests.harness.workspace import Workspace
from tests.majors import PGPOOL_RELEASES, needs_postgresql

ON_EACH = [pytest.param(major, marks=needs_postgresql(major)) for major in PGPOOL_RELEASES]


@pytest.fixture(scope="module", params=ON_EACH)
def host(request: pytest.FixtureRequest, namespaces: None) -> Iterator[Host]:
    with Network(["alpha"], systems={"alpha": system_with(request.param)}) as network:
        yield network.host("alpha")


def test_programs_and_users_are_the_systems_own(host: Host) -> None:
    etc = host.system.root / "etc"
    assert host.run(["cat", "/etc/debian_version"]).stdout == (etc / "debian_version").read_text()
    numbers = [str(one.uid) for one in read_accounts(etc / "passwd") if one.name == "postgres"]
    assert host.run(["id", "-u"]).stdout.split() == numbers


def test_files_and_processes_belong_to_the_users_of_the_host(host: Host) -> None:
    host.write_file("/srv/file", "text")
    assert host.run(["stat", "-c", "%U %G", "/srv/file"]).stdout == "postgres postgres\n"
    host.spawn(["sleep", "600"], log="/srv/log")
    [process] = [one for one in host.processes() if one.argv == ("sleep", "600")]
    assert process.user == "postgres"


def test_a_program_that_is_not_there_is_named(host: Host) -> None:
    """The keeper names the missing program, although it can no longer read its own Python."""
    with pytest.raises(StartError, match="no-such-program"):
        host.run(["no-such-program"])


def test_what_is_changed_on_a_host_stays_there(host: Host) -> None:
    if host.system != OWN_SYSTEM:
        host.run(["mkdir", "/harness-selftest"], user="root")
    host.run(["rm", "-rf", "/usr/share/doc"], user="root")
    for root in (host.system.root, OWN_SYSTEM.root):
        assert (root / "usr/share/doc").exists()
        assert not (root / "harness-selftest").exists()


def test_var_tmp_is_shared_with_this_machine(host: Host, workspace: Workspace) -> None:
    file = workspace.make_new("shared-") / "file"
    file.write_text("text")
    assert host.run(["cat", file]).stdout == "text"
    assert Path(host.path(file)).samefile(file)


@pytest.mark.parametrize("major", ON_EACH)
def test_pcp_recovery_node_works_with_the_parts_of_the_system(
    workspace: Workspace, namespaces: None, major: int
) -> None:
    with cluster_on_hosts(workspace, ClusterPlan(postgresql_major=major)) as cluster:
        install_stock(cluster.primary, over_ssh=True)
        # Up to 4.6 the functions are called in template1, from 4.7 on in recovery_database.
        release = PGPOOL_RELEASES[major]
        not_called = "template1" if release == "4.7" else "postgres"
        cluster.primary.execute("DROP EXTENSION pgpool_recovery", database=not_called)
        cluster.primary.execute("CREATE TABLE t AS SELECT generate_series(1, 9) AS a")
        cluster.node(1).lose()
        cluster.recover(1)
        assert cluster.contents_equal(0, 1)
        for node_id in (0, 1):
            assert cluster.node(node_id).sql("SHOW server_version_num")[0][0][:2] == str(major)
        version = cluster.pgpool.machine.run(["pgpool", "--version"]).output
        assert f"version {release}." in version


def test_a_major_that_no_system_has_is_named_with_what_builds_it(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PGPOOL_RECOVERY_SYSTEMS", str(tmp_path))
    reason = why_no_postgresql(9)
    assert reason == (
        f"PostgreSQL 9 is neither on this machine nor in a system below {tmp_path}:"
        " run `make systems`"
    )
