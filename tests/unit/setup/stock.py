"""Facts of a stock cluster of three nodes, as Pgpool-II's manual has it, and hosts that record."""

from collections.abc import Callable
from typing import Any

from pgpool_recovery.domain.record import field, record, replace
from pgpool_recovery.setup.access import Ran
from pgpool_recovery.setup.facts import (
    ABSENT,
    APT,
    SAMPLE,
    Backend,
    ClusterState,
    HostState,
    NodeState,
    PackageFiles,
    PoolState,
)

DATA = "/var/lib/postgresql/15/main"
NAMES = ("server1", "server2", "server3")
BACKENDS = tuple(Backend(number, name, 5432, DATA) for number, name in enumerate(NAMES))
KEY = "ssh-rsa AAAA{}"
FILES = PackageFiles(
    "/root",
    (
        "pgpool-recovery_2.0.0-1_all.deb",
        "postgresql-15-pgpool-recovery_2.0.0-1_all.deb",
        "postgresql-17-pgpool-recovery_2.0.0-1_all.deb",
    ),
)
UNKNOWN = "Host key verification failed."
POOL = PoolState(
    "/etc/pgpool2/pgpool.conf",
    "/usr/sbin/pgpool",
    (4, 3),
    is_running=True,
    database="template1",
    backends=BACKENDS,
    parameters={"recovery_user": "postgres", "recovery_1st_stage_command": "recovery_1st_stage"},
)


def node(number: int, **changes: Any) -> NodeState:
    others = [one for one in range(3) if one != number]
    facts: dict[str, Any] = {
        "state": "running",
        "home": "/var/lib/postgresql",
        "major": 15,
        "bindir": "/usr/lib/postgresql/15/bin",
        "socket": "/var/run/postgresql",
        "port": 5432,
        "role": "standby" if number else "primary",
        "control": "1.4",
        "scripts": {
            "recovery_1st_stage": SAMPLE,
            "recovery_2nd_stage": ABSENT,
            "pgpool_remote_start": SAMPLE,
            "pgpool_recovery_plan": ABSENT,
            "pgpool_recovery_check": ABSENT,
        },
        "settings": {
            "hba_file": "/etc/postgresql/15/main/pg_hba.conf",
            "wal_log_hints": "on",
            "data_checksums": "off",
        },
        "extensions": {"template1": ("1.4", "public"), "postgres": ("1.4", "public")},
        "recovery_user": "superuser",
        "key": KEY.format(number),
        "authorized": tuple(f"{KEY.format(one)} postgres@x" for one in range(3)),
        "addresses": {one: (f"192.0.2.{one}",) for one in others},
        "ssh": dict.fromkeys(others, UNKNOWN),
        "replication": dict.fromkeys(others, "ok repl"),
    }
    return replace(NodeState(BACKENDS[number]), **{**facts, **changes})


def host(number: int, *nodes: NodeState, **changes: Any) -> HostState:
    made = HostState(
        NAMES[number],
        nodes or (node(number),),
        way="ssh as root",
        system="Debian GNU/Linux 12 (bookworm)",
        manager=APT,
        host_keys=(f"ssh-ed25519 HOST{number}",),
        installed={"postgresql-15": "15.1"},
    )
    return replace(made, **changes)


def ready_node(number: int, **changes: Any) -> NodeState:
    """A node that lacks nothing."""
    others = [one for one in range(3) if one != number]
    facts: dict[str, Any] = {
        "control": "2.0",
        "has_plpython": True,
        "scripts": dict.fromkeys(node(0).scripts, "ours"),
        "extensions": {"template1": ("2.0", "public"), "postgres": ("2.0", "public")},
        "ssh": dict.fromkeys(others),
    }
    return node(number, **{**facts, **changes})


def around(*hosts: HostState, **changes: Any) -> ClusterState:
    made = ClusterState(
        POOL, hosts or tuple(host(number) for number in range(3)), FILES, "2.0.0", "2.0"
    )
    return replace(made, **changes)


def ready(number: int, **changes: Any) -> HostState:
    """A host that lacks nothing."""
    facts: dict[str, Any] = {"command": "/usr/bin/pgpool-recovery", "version": "2.0.0"}
    return host(number, ready_node(number, **changes), **facts)


@record
class Recorder:
    """A shell that records the scripts, and answers each as told."""

    answer: Callable[[str], Ran] = lambda _script: Ran(0, "")
    scripts: list[str] = field(default_factory=list)
    copied: dict[str, bytes] = field(default_factory=dict)
    way: str = "test"

    def run(self, script: str, *, within_s: float) -> Ran:
        assert within_s > 0
        self.scripts.append(script)
        return self.answer(script)

    def copy(self, data: bytes, path: str, *, within_s: float) -> Ran:
        assert within_s > 0
        self.copied[path] = data
        return Ran(0, "")
