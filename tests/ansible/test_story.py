"""Ansible's way onto a running stock cluster: the playbook of `setup`, and then the collection.

The inventory and the playbooks are those of the guide.
"""

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.harness.cluster import Cluster
from tests.harness.workspace import Workspace
from tests.setup.plan import ACCOUNTS, ADMIN, PGPOOL, SERVERS, StockPlan
from tests.setup.stock import stock_cluster
from tests.setup.stranger import Stranger
from tests.setup.test_lacking import accept_host_keys
from tests.setup.trace import differences, trace_of

from .controller import HOME, Controller, changed
from .galaxy import REPOSITORY, install_collection

pytestmark = [pytest.mark.whole_matrix, pytest.mark.in_order, pytest.mark.timeout(1200)]

GUIDE = REPOSITORY / "docs" / "how-to" / "ansible.md"
FILES = ("inventory.yml", "cluster.yml", "recover.yml")
SETTINGS = Path("/etc/pgpool-recovery.toml")
NOTHING = dict.fromkeys((*SERVERS, PGPOOL), 0)
OWN_FILES = re.compile(rf"[-+~] (\w+:{HOME}/|{PGPOOL}:/root/|\w+:/root/\.rpmdb|\w+:/srv/)")
"""What the person and Ansible leave, which asks rpm where there is one when it gathers facts; and
/srv is the machine's own, where others write."""


@pytest.fixture(scope="module")
def cluster(workspace: Workspace, namespaces: None) -> Iterator[Cluster]:
    with stock_cluster(workspace, StockPlan()) as cluster:
        yield cluster


@pytest.fixture(scope="module")
def stranger(cluster: Cluster, debs: Path) -> Stranger:
    return Stranger(cluster, debs)


@pytest.fixture(scope="module")
def controller(workspace: Workspace, cluster: Cluster, place: Path) -> Controller:
    collections = install_collection(workspace, place)
    controller = Controller(cluster.pgpool.machine, place, collections)
    blocks = re.findall(r"^```yaml\n(.*?)^```", GUIDE.read_text(), re.MULTILINE | re.DOTALL)
    for name, text in zip(FILES, blocks, strict=True):
        controller.write(name, text)
    return controller


def test_playbook_of_setup(cluster: Cluster, stranger: Stranger, controller: Controller) -> None:
    """It does what setup would, can be run again, and setup --undo takes it back."""
    before = trace_of(cluster)
    stranger.install()
    # Root writes only where nobody can redirect it.
    stranger.setup("--playbook", "/root/setup.yml")
    copy = ["install", "-o", ADMIN, "-m", "0600", "/root/setup.yml", f"{HOME}/setup.yml"]
    cluster.pgpool.machine.run(copy, user="root")
    assert min(changed(controller.play("setup.yml")).values()) > 0
    assert changed(controller.play("setup.yml")) == dict.fromkeys(SERVERS, 0)
    document = json.loads(stranger.setup("--yes", "--json").stdout)
    assert (document["done"], document["exit_status"]) == ([], 0)
    stranger.setup("--undo", "--yes")
    stranger.types("sudo apt-get purge --yes pgpool-recovery")
    assert left(differences(before, trace_of(cluster))) == []


def test_check_mode_changes_nothing(cluster: Cluster, controller: Controller) -> None:
    before = trace_of(cluster)
    assert min(changed(controller.play("cluster.yml", "--check")).values()) > 0
    assert left(differences(before, trace_of(cluster))) == []


def test_wrong_settings_are_not_written(cluster: Cluster, controller: Controller) -> None:
    """The packages are installed by then; the file, and what comes after it, is not."""
    wrong = '{"host_settings": {"replication": {"usr": "repl"}}}'
    completed = controller.play("cluster.yml", "-e", wrong, check=False)
    assert completed.returncode != 0
    assert "unknown setting" in completed.stdout
    assert not cluster.host(0).path(SETTINGS).exists()


def test_roles(cluster: Cluster, controller: Controller) -> None:
    assert min(changed(controller.play("cluster.yml")).values()) > 0
    assert changed(controller.play("cluster.yml")) == NOTHING
    assert changed(controller.play("cluster.yml", "--check")) == NOTHING
    for database in ("template1", "postgres"):
        query = "SELECT extversion FROM pg_extension WHERE extname = 'pgpool_recovery'"
        assert cluster.primary.sql(query, database=database) == [("2.0",)]
    for server in cluster.servers:
        host = cluster.host(server.node_id)
        assert 'user = "repl"' in host.path(SETTINGS).read_text()
        stage = host.path(server.data_directory / "recovery_1st_stage").read_text()
        assert "Part of pgpool-recovery." in stage


def test_check_tells_what_is_missing(cluster: Cluster, controller: Controller) -> None:
    """The sample scripts do not look at host keys, so a stock cluster has none."""
    result = controller.call("check")
    assert (result["failed"], result["changed"], result["exit_status"]) == (True, False, 4)
    assert "the check has found 2 errors" in result["msg"]
    assert "No ED25519 host key is known for server2" in result["detail"]
    assert "known_hosts of postgres on server1" in result["hint"]
    accept_host_keys(cluster)
    result = controller.call("check", strict=True)
    assert not result["failed"]
    assert not result["changed"]
    assert {found["severity"] for found in result["findings"]} <= {"ok", "info"}


def test_nothing_to_recover(controller: Controller) -> None:
    result = controller.call("recover", all_down=True)
    assert (result["failed"], result["changed"], result["recoveries"]) == (False, False, [])
    result = controller.call("recover", nodes=[1])
    assert (result["failed"], result["changed"]) == (True, False)
    assert "node 1" in result["msg"]
    result = controller.call("recover", "--check", nodes=[1])
    assert (result["failed"], result["changed"]) == (True, False)
    assert "in use" in result["msg"]
    assert controller.call("recover", nodes=[1], all_down=True)["failed"]


def test_plan(controller: Controller) -> None:
    result = controller.call("plan", node=2)
    assert (result["failed"], result["changed"]) == (False, False)
    assert result["plan"]["possible"]
    result = controller.call("plan", node=0)
    assert (result["failed"], result["changed"]) == (True, False)
    assert "primary" in result["msg"]


def test_recover(cluster: Cluster, controller: Controller) -> None:
    cluster.node(1).stop()
    cluster.pgpool.wait_for_node(1, "down")
    result = controller.call("recover", "--check", all_down=True)
    assert result["changed"]
    assert [plan["method"] for plan in result["plans"]] == ["catch-up"]
    assert not cluster.node(1).is_running
    assert changed(controller.play("recover.yml")) == {PGPOOL: 1}
    assert cluster.node(1).is_running
    assert cluster.contents_equal(0, 1)
    assert changed(controller.play("recover.yml")) == {PGPOOL: 0}


def test_refused_without_agreement(cluster: Cluster, controller: Controller) -> None:
    cluster.node(2).lose()
    cluster.pgpool.wait_for_node(2, "down")
    result = controller.call("recover", nodes=[2], at_most="catch-up")
    assert (result["failed"], result["changed"], result["exit_status"]) == (True, False, 4)
    result = controller.call("recover", nodes=[2], agree=True)
    assert (result["failed"], result["changed"]) == (False, True)
    assert [one["method"] for one in result["recoveries"]] == ["basebackup"]
    assert cluster.contents_equal(0, 2)


def test_no_password_is_shown(controller: Controller) -> None:
    shown = controller.play("recover.yml", "-vvv").output
    assert '"module_args"' in shown
    assert [password for password in ACCOUNTS.values() if password in shown] == []


def left(lines: list[str]) -> list[str]:
    return [line for line in lines if OWN_FILES.match(line) is None]
