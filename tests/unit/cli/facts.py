"""Facts of a cluster, as the screens get them."""

from datetime import UTC, datetime, timedelta
from typing import Any

from pgpool_recovery.control.cluster import Cluster, Node, SqlLogin
from pgpool_recovery.control.plan import PlannedRecovery
from pgpool_recovery.control.primary import ServerAnswer
from pgpool_recovery.control.record import RecordedEvent, RecordedRun, RunProgress
from pgpool_recovery.domain.node import NodeId
from pgpool_recovery.pcp.client.node_info import NodeInfo
from pgpool_recovery.plan.document import PlanDocument

BEGAN = datetime(2026, 11, 24, 3, 0, 7, tzinfo=UTC)
NODES = tuple(
    Node(NodeId(number), f"server{number}", 5432, "/var/lib/pgsql/17/data") for number in range(3)
)


def info(node_id: int, status: str, role: str) -> NodeInfo:
    return NodeInfo(
        node_id=node_id,
        hostname=f"server{node_id}",
        port=5432,
        status=status,
        role=role,
        weight=0.3,
        pg_status=None,
        pg_role=None,
        lag_bytes=None,
        lag_s=None,
        replication_state=None,
        replication_sync_state=None,
        status_changed_at=1795489200,
    )


def cluster(*infos: NodeInfo) -> Cluster:
    return Cluster(NODES, SqlLogin("postgres", ("postgres",), 10, 30), infos)


def answer(node_id: int, **facts: Any) -> ServerAnswer:
    known: dict[str, Any] = {
        "is_in_recovery": True,
        "version": "17.6 (Debian)",
        "position": "0/3000000",
        "receiver": "streaming",
        "slot_name": f"pgpool_node_{node_id}",
        "sender": "server0:5432",
        "application_name": f"server{node_id}",
    }
    return ServerAnswer(NODES[node_id], known | facts)


def stream(node_id: int, **columns: Any) -> dict[str, Any]:
    known: dict[str, Any] = {
        "application_name": f"server{node_id}",
        "state": "streaming",
        "sync_state": "async",
        "slot_name": f"pgpool_node_{node_id}",
        "lag_bytes": 8192,
        "lag_s": 0.01,
    }
    return known | columns


def slot(name: str, **columns: Any) -> dict[str, Any]:
    known = {"name": name, "is_active": True, "wal_status": "reserved", "kept_bytes": 16384}
    return known | columns


def running(**changes: Any) -> RunProgress:
    values: dict[str, Any] = {
        "id": 7,
        "node_id": 2,
        "host": "server2",
        "data_directory": "/var/lib/pgsql/17/data",
        "state": "running",
        "method": "basebackup",
        "step": 3,
        "steps": 6,
        "sentence": "copy about 120 GB, checking each file against the manifest",
        "done_bytes": 30 * 2**30,
        "total_bytes": 120 * 2**30,
        "bytes_per_s": 110 * 2.0**20,
        "seconds_left": 838.0,
        "run_seconds_left": 902.0,
        "started_at": BEGAN,
        "elapsed_s": 285.0,
        "backend_pid": 4711,
    }
    return RunProgress(**(values | changes))


def run(**changes: Any) -> RecordedRun:
    values: dict[str, Any] = {
        "id": 7,
        "node_id": 2,
        "host": "server2",
        "data_directory": "/var/lib/pgsql/17/data",
        "state": "recovered",
        "method": "incremental",
        "started_at": BEGAN,
        "ended_at": BEGAN + timedelta(seconds=42),
        "duration_s": 42.0,
        "moved_bytes": 300 * 2**20,
        "target_state": "started",
        "exit_status": 0,
    }
    return RecordedRun(**(values | changes))


FAILED = run(
    id=6,
    state="failed",
    method="basebackup",
    duration_s=83.0,
    message="node 2: could not copy about 120 GB, checking each file against the manifest: "
    'could not write "/data/base/1/1259": No space left on device',
    detail="The filesystem is full.",
    hint="Make room in /var/lib/pgsql on server2.",
    target_state="restored",
    exit_status=7,
)

EVENTS = [
    RecordedEvent(
        1, BEGAN + timedelta(seconds=0.2), "plan_made", "plan: basebackup: a full copy", {}
    ),
    RecordedEvent(2, BEGAN + timedelta(seconds=0.3), "step_started", "step 1 of 6: reserve it", {}),
    RecordedEvent(3, BEGAN + timedelta(seconds=82.9), "undoing", "undo what was done", {}),
]

PLAN: dict[str, Any] = {
    "version": 1,
    "node_id": 2,
    "possible": True,
    "method": "incremental",
    "sentences": [
        "plan: incremental: changed blocks since 0/5000028, about 300 MB",
        "it takes about 47 s (as the last incremental base backup of node 2: 8400 kB/s)",
        "not attach: the server of node 2 is not running",
        "the data directory is modified in place; there is no other copy",
        "it cannot be undone from step 4 on",
    ],
    "moved_bytes": 300 * 2**20,
    "old_data": "the data directory is modified in place; there is no other copy",
    "steps": [
        {"number": 1, "sentence": "reserve /var/lib/pgsql/17/data", "touches": "target"},
        {"number": 2, "sentence": "create replication slot pgpool_node_2", "touches": "primary"},
    ],
    "point_of_no_return": 4,
    "passed_over": [],
    "notes": [],
}
IMPOSSIBLE: dict[str, Any] = {
    "version": 1,
    "node_id": 2,
    "possible": False,
    "exit_status": 4,
    "reasons": [
        {
            "message": "node 2 belongs to another cluster",
            "detail": "Its system identifier is 1, the primary's is 2.",
            "hint": "Check backend_data_directory2 in pgpool.conf.",
        },
        {"message": "there is no free replication slot", "detail": None, "hint": None},
    ],
}


def plan(**changes: Any) -> PlannedRecovery:
    return PlannedRecovery(NODES[2], PlanDocument(PLAN | changes))
