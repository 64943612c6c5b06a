"""A process that makes machines, reports what it made, and waits to be killed.

Usage: victim.py network|cluster DIRECTORY REPORT. The report is JSON: process ids, network
namespaces and the workspace.
"""

import json
import os
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from tests.harness.cluster import ClusterPlan
from tests.harness.cluster_site import cluster_on_this_machine
from tests.harness.machine import Machine
from tests.harness.network import Network
from tests.harness.process_table import descendants, read_processes
from tests.harness.workspace import Workspace


def main() -> None:
    kind, directory, report = sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3])
    with Workspace(directory) as workspace:
        if kind == "network":
            with Network(["alpha", "beta"], disk=workspace) as network:
                daemon = "setsid nohup sleep 600 >/dev/null 2>&1 &"
                network.host("alpha").run(["sh", "-c", daemon])
                tell_and_wait(workspace, network.hosts, report)
        else:
            with cluster_on_this_machine(workspace, ClusterPlan()) as cluster:
                tell_and_wait(workspace, [cluster.client], report)


def tell_and_wait(workspace: Workspace, machines: Sequence[Machine], report: Path) -> None:
    made = descendants(read_processes(Path("/proc")), os.getpid())
    report.with_suffix(".new").write_text(
        json.dumps(
            {
                "pids": [process.pid for process in made],
                "commands": [" ".join(process.argv) for process in made],
                "namespaces": [
                    str(Path(f"/proc/{machine.keeper.pid}/ns/net").readlink())
                    for machine in machines
                ],
                "workspace": str(workspace.directory),
            }
        )
    )
    report.with_suffix(".new").rename(report)
    time.sleep(600)


if __name__ == "__main__":
    main()
