"""Clusters that lack something, or are different: setup adds it, and takes it back.

Each begins with a stock cluster of its own, so only `make test-all` runs them.
"""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.harness.cluster import Cluster
from tests.harness.workspace import Workspace
from tests.majors import needs_postgresql

from .plan import SERVERS, StockPlan
from .stock import StockPgpool, stock_cluster
from .stranger import Stranger
from .test_story import is_of_a_recovery
from .trace import differences, trace_of

pytestmark = [pytest.mark.whole_matrix, pytest.mark.timeout(1200)]

LACKING = {
    "no ssh among the hosts": StockPlan(ssh=False),
    "no line in pg_hba.conf": StockPlan(replication_line=False),
    "no extension": StockPlan(extension=False),
    "another place": StockPlan(moved=2),
    "PL/Python is there": StockPlan(plpython=True),
    "root by key": StockPlan(login="root"),
}


@contextmanager
def stranger_on(workspace: Workspace, debs: Path, plan: StockPlan) -> Iterator[Stranger]:
    with stock_cluster(workspace, plan) as cluster:
        user = "root" if plan.login == "root" else "admin"
        yield Stranger(cluster, debs, user)


@pytest.mark.parametrize(
    "plan",
    [
        *(pytest.param(plan, id=what) for what, plan in LACKING.items()),
        pytest.param(StockPlan(17, login="root"), marks=needs_postgresql(17), id="4.6"),
        pytest.param(StockPlan(18, login="root"), marks=needs_postgresql(18), id="4.7"),
    ],
)
def test_added_and_taken_back(
    workspace: Workspace, namespaces: None, debs: Path, plan: StockPlan
) -> None:
    with stranger_on(workspace, debs, plan) as stranger:
        before = trace_of(stranger.cluster)
        stranger.install()
        document = json.loads(stranger.setup("--yes", "--json").stdout)
        assert document["exit_status"] == 0
        kinds = {item["kind"] for item in document["items"]}
        assert "missing" not in kinds
        assert document["done"]
        recover_by_catch_up(stranger.cluster)
        stranger.setup("--undo", "--yes")
        remove(stranger)
        after = differences(before, trace_of(stranger.cluster))
        assert [line for line in after if not is_of_a_recovery(line)] == []


def test_recovery_user_is_left_to_the_user(
    workspace: Workspace, namespaces: None, debs: Path
) -> None:
    with stranger_on(workspace, debs, StockPlan(recovery_user="")) as stranger:
        stranger.install()
        completed = stranger.setup("--yes", "--json", check=False)
        items = json.loads(completed.stdout)["items"]
        assert completed.returncode != 0
        [advice] = [item for item in items if item["kind"] == "advice" and item["is_needed"]]
        assert advice["name"] == "recovery_user"
        pgpool = stranger.cluster.pgpool
        assert isinstance(pgpool, StockPgpool)
        pgpool.set(recovery_user="postgres")
        pgpool.reload()
        assert "0 errors" in stranger.setup("--yes").output
        recover_by_catch_up(stranger.cluster)


def test_node_that_is_down(workspace: Workspace, namespaces: None, debs: Path) -> None:
    """Its server is not asked, but its host is set up; then it can be recovered."""
    with stranger_on(workspace, debs, StockPlan(down=(2,))) as stranger:
        stranger.install()
        stranger.setup("--yes")
        stranger.cluster.recover(2)
        document = json.loads(stranger.setup("--yes", "--json").stdout)
        assert document["exit_status"] == 0
        assert document["done"] == []


@pytest.mark.parametrize("login", ["no sudo", "none"])
def test_scripts_for_hosts_where_it_may_not(
    workspace: Workspace, namespaces: None, debs: Path, login: str
) -> None:
    plan = StockPlan(login="no sudo" if login == "no sudo" else "none")
    with stranger_on(workspace, debs, plan) as stranger:
        stranger.install()
        assert stranger.setup("--yes", check=False).returncode != 0
        run_scripts(stranger)
        accept_host_keys(stranger.cluster)
        document = json.loads(stranger.setup("--dry-run", "--json", check=False).stdout)
        recover_by_catch_up(stranger.cluster)
        assert document["exit_status"] != 0, "it cannot say that all is well"


def recover_by_catch_up(cluster: Cluster) -> None:
    cluster.node(1).stop()
    cluster.recover(1)
    assert "plan: catch-up" in cluster.primary.log_text()
    assert cluster.contents_equal(0, 1)


def remove(stranger: Stranger) -> None:
    sudo = "" if stranger.user == "root" else "sudo "
    stranger.types(f"{sudo}apt-get purge --yes pgpool-recovery")


def accept_host_keys(cluster: Cluster) -> None:
    """What docs/how-to/set-up.md leaves to the user where setup could not ask the hosts."""
    for server in cluster.servers:
        keyscan = f"ssh-keyscan {' '.join(SERVERS)} >>~/.ssh/known_hosts"
        server.machine.run(["sh", "-c", keyscan])


def run_scripts(stranger: Stranger) -> None:
    """Carry each script, with the packages, to its host, and run it there as root."""
    stranger.setup("--script", "/root/do.sh")  # Root writes only where nobody can redirect it.
    for server in stranger.cluster.servers:
        host = stranger.cluster.host(server.node_id)
        place = f"/root/{stranger.debs.name}"
        host.run(["cp", "-r", stranger.debs, place], user="root")
        written = stranger.cluster.pgpool.machine.path(f"/root/do-{host.name}.sh")
        host.write_file(f"{place}/do.sh", written.read_text(), owner="root", mode=0o700)
        host.run(["./do.sh"], user="root", cwd=place, timeout_s=300)
