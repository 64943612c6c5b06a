"""Nothing is left behind, whether the context ends normally, by an error or by SIGKILL."""

import contextlib
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.harness import local_host
from tests.harness.cluster import ClusterPlan
from tests.harness.cluster_site import cluster_on_this_machine
from tests.harness.command import CommandError
from tests.harness.host import Host
from tests.harness.network import Network
from tests.harness.process_table import descendants, read_processes
from tests.harness.until import until
from tests.harness.workspace import Workspace, remove_abandoned

_VICTIM = Path(__file__).with_name("victim.py")
_CHECKOUT = Path(__file__).parents[2]


@pytest.fixture
def untouched() -> Iterator[None]:
    """Fail a test that leaves a mount, a network link or a process behind.

    Only what can be ours is compared, because other tests may run on the machine at the same time.
    """

    def now() -> tuple[str, str, set[int]]:
        links = subprocess.run(["ip", "-o", "link"], capture_output=True, text=True, check=True)
        children = descendants(read_processes(Path("/proc")), os.getpid())
        mounts = Path("/proc/self/mountinfo").read_text()
        return mounts, links.stdout, {child.pid for child in children}

    before = now()
    yield
    assert now() == before


def _network_namespaces() -> set[str]:
    """Return the network namespaces that some process is in."""
    found = set()
    for process in Path("/proc").iterdir():
        if process.name.isdigit():
            with contextlib.suppress(OSError):  # It has ended, or is not ours.
                found.add(str((process / "ns/net").readlink()))
    return found


def _namespace(host: Host) -> str:
    return str(Path(f"/proc/{host.keeper.pid}/ns/net").readlink())


def _shared_memory_of(pids: list[int]) -> list[int]:
    """Return which of these processes made a System V segment that still exists."""
    rows = [line.split() for line in Path("/proc/sysvipc/shm").read_text().splitlines()]
    creator = rows[0].index("cpid")
    return [int(row[creator]) for row in rows[1:] if int(row[creator]) in pids]


def _left(pids: list[int]) -> list[int]:
    return [pid for pid in pids if Path(f"/proc/{pid}").exists()]


@pytest.mark.usefixtures("namespaces", "untouched")
def test_nothing_is_left_after_the_context() -> None:
    with Network(["alpha", "beta"]) as network:
        network.host("alpha").run(["sh", "-c", "setsid sleep 600 >/dev/null 2>&1 &"])
        made = {_namespace(host) for host in network.hosts}
        assert made <= _network_namespaces()
    assert not made & _network_namespaces()


@pytest.mark.usefixtures("namespaces", "untouched")
def test_nothing_is_left_after_an_error_in_the_context() -> None:
    with pytest.raises(RuntimeError, match="a test fails"), Network(["alpha"]):
        raise RuntimeError("a test fails")


@pytest.mark.usefixtures("namespaces", "untouched")
def test_nothing_is_left_when_a_network_cannot_be_made() -> None:
    with pytest.raises(CommandError, match="the specified hostname is invalid"):
        Network(["alpha", "not a name"])


@pytest.mark.usefixtures("untouched")
@pytest.mark.parametrize("ipc_namespace", [True, False])
def test_a_local_cluster_with_a_killed_server_leaves_nothing(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch, *, ipc_namespace: bool
) -> None:
    if not ipc_namespace:  # As on a machine that permits no namespaces.
        monkeypatch.setattr(local_host, "_private_ipc", list)
    with cluster_on_this_machine(workspace, ClusterPlan()) as cluster:
        pids = [process.pid for process in cluster.client.processes()]
        for pid in pids:
            assert "/dev/shm" not in Path(f"/proc/{pid}/maps").read_text()
        cluster.primary.kill()
        assert _left(pids)
    assert not _left(pids)
    assert not _shared_memory_of(pids)


@pytest.fixture
def directory() -> Iterator[Path]:
    """A directory for workspaces, with a path that is short enough for sockets below it."""
    with tempfile.TemporaryDirectory(dir="/var/tmp", prefix="victim-") as directory:
        Path(directory).chmod(0o755)
        yield Path(directory)


@pytest.mark.usefixtures("namespaces", "untouched")
@pytest.mark.parametrize("kind", ["network", "cluster"])
def test_nothing_is_left_after_sigkill(kind: str, directory: Path, tmp_path: Path) -> None:
    made = _run_and_kill(kind, directory, tmp_path)
    assert len(made["pids"]) > 4, made["commands"]
    until(lambda: not _left(made["pids"]), within_s=15, what="all processes to be gone")
    assert not _shared_memory_of(made["pids"])
    if kind == "network":
        assert not _network_namespaces() & set(made["namespaces"])
    abandoned = Path(made["workspace"])
    until(lambda: remove_abandoned(directory) == [abandoned], within_s=5, what="files to be freed")
    assert not abandoned.exists()


def _run_and_kill(kind: str, directory: Path, tmp_path: Path) -> dict[str, Any]:
    report, log = tmp_path / "report.json", tmp_path / "log"
    with log.open("w") as output:
        victim = subprocess.Popen(
            [sys.executable, _VICTIM, kind, directory, report],
            env=dict(os.environ, PYTHONPATH=str(_CHECKOUT)),
            stdout=output,
            stderr=output,
        )
        try:
            until(
                lambda: report.exists() or victim.poll() is not None,
                within_s=60,
                what="the victim's report",
            )
            assert report.exists(), log.read_text()
            made: dict[str, Any] = json.loads(report.read_text())
            assert _left(made["pids"]) == made["pids"]
            assert remove_abandoned(directory) == []
        finally:
            victim.kill()
            victim.wait(10)
    return made
