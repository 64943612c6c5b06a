"""A healthy situation; each test changes only the one thing that it is about."""

from dataclasses import replace
from typing import Any

from pgpool_recovery.domain.control_data import ControlData
from pgpool_recovery.domain.node import NodeId, RecoveryRequest, Target
from pgpool_recovery.domain.target_state import TargetState
from pgpool_recovery.domain.wal import History, Lsn, Point, TimelineId
from pgpool_recovery.facts.facts import (
    Configuration,
    Facts,
    FileIdentity,
    Filesystem,
    Login,
    PlaceFacts,
    PrimaryFacts,
    Slot,
    Tablespace,
    TargetFacts,
    Wal,
)

GB = 2**30
SEGMENT = 16 * 2**20
SYSTEM = "7298271828459045235"
TARGET = Target("server2", "/var/lib/pgsql/15/data", NodeId(1), 5432)
REQUEST = RecoveryRequest(TARGET, primary_port=5432, primary_host="server1")
CONNINFO = {"host": "server1", "port": "5432", "user": "repl", "application_name": "server2"}
PARAMETERS = {
    "max_connections": 100,
    "max_worker_processes": 8,
    "max_wal_senders": 10,
    "max_prepared_transactions": 0,
    "max_locks_per_transaction": 64,
}


def place(path: str = "/var/lib/pgsql/15/data", **changes: Any) -> PlaceFacts:
    """Return a directory with 10 GB in it and 50 GB free around it."""
    healthy = PlaceFacts(
        path=path,
        exists=True,
        size_bytes=10 * GB,
        can_write=True,
        can_rename=True,
        filesystem=Filesystem(device=1, free_bytes=50 * GB),
        identity=FileIdentity(boot_id="target", device=1, inode=1),
        waiting_bytes=None,
        is_empty=False,
        is_own=True,
    )
    return replace(healthy, **changes)


def tablespace(**changes: Any) -> Tablespace:
    """Return a tablespace of 5 GB."""
    healthy = Tablespace(
        oid=16400,
        location="/ts1",
        directory="PG_15_202209061",
        size_bytes=5 * GB,
        identity=FileIdentity(boot_id="primary", device=1, inode=7),
    )
    return replace(healthy, **changes)


def slot(**changes: Any) -> Slot:
    """Return the slot of node 1, kept from an earlier recovery."""
    healthy = Slot(
        "pgpool_node_1", is_physical=True, is_active=False, wal_status="reserved", kept_bytes=0
    )
    return replace(healthy, **changes)


def primary(**changes: Any) -> PrimaryFacts:
    """Return a primary of 10 GB with room for one more standby."""
    healthy = PrimaryFacts(
        version=150007,
        system_identifier=SYSTEM,
        is_in_recovery=False,
        data_directory=FileIdentity(boot_id="primary", device=1, inode=1),
        wal_directory=FileIdentity(boot_id="primary", device=1, inode=2),
        is_configuration_inside=True,
        bin_directory="/usr/pgsql-15/bin",
        socket_directories=("/run/postgresql",),
        wal_level="replica",
        max_wal_senders=10,
        wal_senders=1,
        max_replication_slots=10,
        slots=(),
        standby_parameters=PARAMETERS,
        data_bytes=10 * GB,
        wal_bytes=1 * GB,
        tablespaces=(),
        replication_users=("repl", "postgres"),
        rewind_users=("postgres",),
        streams=(),
        compressions=("lz4", "zstd"),
        wal=wal(),
        port=5432,
        asks_clear_text=False,
    )
    return replace(healthy, **changes)


def control(**changes: Any) -> ControlData:
    """Return the control data of a standby that was stopped."""
    healthy = ControlData(
        system_identifier=SYSTEM,
        state="shut down in recovery",
        timeline=TimelineId(1),
        checkpoint=Lsn(50 * SEGMENT + 0x60),
        redo=Lsn(50 * SEGMENT + 0x28),
        minimum_end=Point(TimelineId(1), Lsn(51 * SEGMENT)),
        has_checksums=False,
        has_wal_log_hints=True,
        is_consistent=True,
    )
    return replace(healthy, **changes)


def wal(**changes: Any) -> Wal:
    """Return WAL on timeline 1 that exists from segment 10 on."""
    healthy = Wal(
        history=History(TimelineId(1)),
        written=Lsn(100 * SEGMENT),
        segment_bytes=SEGMENT,
        oldest_segment=10,
        full_page_writes=True,
        is_summarized=False,
    )
    return replace(healthy, **changes)


def target(**changes: Any) -> TargetFacts:
    """Return a standby that was stopped."""
    healthy = TargetFacts(
        hostname="server2",
        user="postgres",
        data=place(),
        wal=None,
        tablespaces={},
        gone_tablespaces=(),
        moved_tablespaces=(),
        linked_tablespaces=(16400,),
        is_empty=False,
        is_data_directory=True,
        foreign_entries=(),
        mounts_inside=(),
        major=15,
        control=control(),
        has_backup_label=False,
        backup_start=None,
        history=None,
        local_wal=None,
        is_away=False,
        changing=None,
        state=TargetState.UNTOUCHED,
        resumable=None,
        can_clone=False,
        has_zstd=True,
        addresses=("192.0.2.2",),
        is_standby=True,
        failed_starts=0,
        server_pid=None,
        managed_by=None,
        is_busy=False,
        bin_directory="/usr/pgsql-15/bin",
        configuration=Configuration(
            file="/var/lib/pgsql/15/data/postgresql.conf",
            is_inside=True,
            values={name: str(value) for name, value in PARAMETERS.items()} | {"port": "5432"},
            primary_conninfo={},
        ),
        configuration_problem=None,
    )
    return replace(healthy, **changes)


def login(**changes: Any) -> Login:
    """Return a replication connection that leads to the primary."""
    return replace(Login(CONNINFO, system_identifier=SYSTEM, problem=None), **changes)


def facts(**changes: Any) -> Facts:
    """Return all facts of a situation in which a full copy is possible."""
    return replace(Facts(primary=primary(), target=target(), logins=(login(),)), **changes)
