"""What a full copy does, and everything that keeps it from beginning."""

from dataclasses import replace
from typing import Any

import pytest

from pgpool_recovery.domain.error import Busy, Refused, Unreachable
from pgpool_recovery.domain.node import Target
from pgpool_recovery.plan.facts import Facts, FileIdentity, Filesystem
from pgpool_recovery.plan.ladder import make_plan
from pgpool_recovery.plan.plan import OldData, Plan
from pgpool_recovery.plan.policy import KeepOld, Method, Policy
from pgpool_recovery.plan.rejection import as_error
from pgpool_recovery.plan.step import (
    ConfigureStandby,
    CopyBaseBackup,
    CreateSlot,
    DiscardWaiting,
    PutOldBack,
    RemoveOld,
    Reserve,
    SwapIn,
    Touches,
    VerifyBackup,
)
from tests.unit.plan.situation import (
    GB,
    PARAMETERS,
    TARGET,
    control,
    facts,
    login,
    place,
    primary,
    slot,
    tablespace,
    target,
)

ONLY = (Method.BASEBACKUP,)
FULL_COPY = Policy(methods=ONLY)


def plan(situation: Facts, policy: Policy | None = None, node: Target = TARGET) -> Plan:
    made = make_plan(node, situation, policy or FULL_COPY)
    assert isinstance(made, Plan), made
    return made


def messages(situation: Facts, policy: Policy | None = None) -> list[str]:
    made = make_plan(TARGET, situation, policy or FULL_COPY)
    assert not isinstance(made, Plan), "a plan was made"
    assert made, "there is neither a plan nor a reason"
    return [rejection.message for rejection in made]


def kinds(situation: Facts, policy: Policy | None = None) -> list[type]:
    return [type(step) for step in plan(situation, policy).steps]


def test_steps_of_a_stopped_standby() -> None:
    assert kinds(facts()) == [
        Reserve,
        CreateSlot,
        CopyBaseBackup,
        VerifyBackup,
        ConfigureStandby,
        SwapIn,
    ]


def test_new_node_needs_no_configuration_when_the_copy_brings_it() -> None:
    empty = target(
        data=place(exists=False, size_bytes=0),
        is_empty=True,
        is_data_directory=False,
        major=None,
        control=None,
        configuration=None,
    )
    made = plan(facts(target=empty), Policy(methods=ONLY, keep_old=KeepOld.NEVER))
    assert made.old_data is OldData.NONE
    assert RemoveOld not in [type(step) for step in made.steps]
    (configure,) = [step for step in made.steps if isinstance(step, ConfigureStandby)]
    assert configure.port == TARGET.port


def test_own_port_is_written_only_when_it_differs() -> None:
    configuration = target().configuration
    assert configuration is not None
    other = replace(configuration, values=configuration.values | {"port": "5433"})
    for own, written in ((configuration, None), (other, 5432)):
        steps = plan(facts(target=target(configuration=own))).steps
        (configure,) = [step for step in steps if isinstance(step, ConfigureStandby)]
        assert configure.port == written


def test_slot_that_has_its_wal_is_used_again() -> None:
    for status, is_created in (("reserved", False), ("extended", False), ("lost", True)):
        situation = facts(primary=primary(slots=(slot(wal_status=status),)))
        (step,) = [step for step in plan(situation).steps if isinstance(step, CreateSlot)]
        assert step.is_new is is_created, status


def test_tablespaces_and_wal_directory_have_places_of_their_own() -> None:
    situation = facts(
        primary=primary(tablespaces=(tablespace(),)),
        target=target(
            wal=place("/wal/15"),
            tablespaces={16400: place("/ts1/PG_15_202209061", identity=None)},
        ),
    )
    (copy,) = [step for step in plan(situation).steps if isinstance(step, CopyBaseBackup)]
    (space,) = copy.places.tablespaces
    assert space.copy_location == "/ts1/PG_15_202209061.pgpool_recovery/new"
    assert space.place.new == "/ts1/PG_15_202209061.pgpool_recovery/new/PG_15_202209061"
    assert copy.places.wal is not None
    assert copy.places.wal.new == "/wal/15.pgpool_recovery/new"
    assert copy.places.all()[-1] is copy.places.data


def test_mount_point_is_swapped_from_within() -> None:
    situation = facts(target=target(data=place("/pgdata", can_rename=False)))
    (reserve,) = [step for step in plan(situation).steps if isinstance(step, Reserve)]
    assert reserve.places.data.is_inside
    assert reserve.places.data.workspace == "/pgdata/pgpool_recovery"


class TestSpace:
    """Promise 3: the old data stays until the new one runs, unless the policy says otherwise."""

    @pytest.mark.parametrize(
        ("policy", "free_gb", "expected"),
        [
            (KeepOld.ALWAYS, 12, True),
            (KeepOld.WHEN_SPACE_ALLOWS, 12, True),
            (KeepOld.WHEN_SPACE_ALLOWS, 11, False),
            (KeepOld.NEVER, 50, False),
        ],
    )
    def test_promise_3_keeps_old(self, policy: KeepOld, free_gb: int, *, expected: bool) -> None:
        filesystem = Filesystem(device=1, free_bytes=free_gb * GB)
        situation = facts(target=target(data=place(filesystem=filesystem)))
        made = plan(situation, Policy(methods=ONLY, keep_old=policy))
        assert made.old_data is (OldData.STAYS if expected else OldData.GOES)
        assert (made.point_of_no_return is None) is expected
        assert any("stays until" in sentence for sentence in made.sentences()) is expected

    @pytest.mark.parametrize(
        ("policy", "free_gb"),
        [(KeepOld.ALWAYS, 11), (KeepOld.WHEN_SPACE_ALLOWS, 1), (KeepOld.NEVER, 1)],
    )
    def test_too_small(self, policy: KeepOld, free_gb: int) -> None:
        filesystem = Filesystem(device=1, free_bytes=free_gb * GB)
        situation = facts(target=target(data=place(filesystem=filesystem)))
        assert messages(situation, Policy(methods=ONLY, keep_old=policy)) == [
            "not enough space on node 1"
        ]

    def test_each_filesystem_counts_for_itself(self) -> None:
        small = Filesystem(device=2, free_bytes=4 * GB)
        situation = facts(
            primary=primary(tablespaces=(tablespace(),)),
            target=target(
                tablespaces={16400: place("/ts1/PG_15_1", filesystem=small, size_bytes=0)}
            ),
        )
        made = make_plan(TARGET, situation, FULL_COPY)
        assert not isinstance(made, Plan)
        assert "/ts1/PG_15_1 has 4096 MB free, the copy needs about 5376 MB" in (
            made[0].detail or ""
        )


class TestTwoCopies:
    """Promises 3 and 4: of two copies the last good one is known, and only that one counts."""

    @pytest.mark.parametrize(
        "failed",
        [
            {"has_backup_label": True},
            {"control": control(is_consistent=False)},
            {"control": None, "is_data_directory": False, "is_empty": True},
        ],
        ids=["never started", "died before it was consistent", "deleted by hand"],
    )
    @pytest.mark.parametrize(("free_gb", "old_data"), [(2, OldData.STAYS), (1, OldData.GOES)])
    def test_old_data_takes_the_place_of_a_copy_that_never_ran_well(
        self, failed: dict[str, Any], free_gb: int, old_data: OldData
    ) -> None:
        there = place(
            filesystem=Filesystem(device=1, free_bytes=free_gb * GB), waiting_bytes=15 * GB
        )
        made = plan(facts(target=target(data=there, **failed)))
        assert made.old_data is old_data
        kinds_of_steps = [type(step) for step in made.steps]
        assert kinds_of_steps[:2] == [Reserve, PutOldBack]
        assert (RemoveOld in kinds_of_steps) is (old_data is OldData.GOES)

    def test_what_waits_goes_when_the_server_has_run_well_since(self) -> None:
        there = place(filesystem=Filesystem(device=1, free_bytes=0), waiting_bytes=12 * GB)
        made = plan(facts(target=target(data=there)))
        assert made.old_data is OldData.STAYS
        assert [type(step) for step in made.steps][:2] == [Reserve, DiscardWaiting]

    def test_keep_old_always_counts_the_failed_copy_as_free(self) -> None:
        there = place(filesystem=Filesystem(device=1, free_bytes=2 * GB), waiting_bytes=10 * GB)
        situation = facts(target=target(data=there, has_backup_label=True))
        assert (
            plan(situation, Policy(methods=ONLY, keep_old=KeepOld.ALWAYS)).old_data is OldData.STAYS
        )


def test_nothing_touches_the_target_before_it_is_reserved_nor_destroys_before_the_slot() -> None:
    steps = plan(facts(), Policy(methods=ONLY, keep_old=KeepOld.NEVER)).steps
    kinds_of_steps = [type(step) for step in steps]
    assert kinds_of_steps[0] is Reserve
    assert kinds_of_steps.index(RemoveOld) > kinds_of_steps.index(CreateSlot)
    assert [step.touches for step in steps].count(Touches.PRIMARY) == 1


REJECTED: list[tuple[str, dict[str, Any]]] = [
    ("data directory of node 1 is the root directory", {"target": {"data": place("/")}}),
    (
        "data directory /var/lib/pgsql/15/data of node 1 has mount points inside",
        {"target": {"mounts_inside": ("/var/lib/pgsql/15/data/pg_wal",)}},
    ),
    (
        "/var/lib/pgsql/15/data of node 1 cannot be used: it belongs to another user",
        {"target": {"data": place(problem="it belongs to another user")}},
    ),
    (
        "permission denied to replace /var/lib/pgsql/15/data of node 1",
        {"target": {"data": place(can_write=False)}},
    ),
    (
        "/var/lib/pgsql/15/data of node 1 is neither empty nor a data directory",
        {"target": {"is_data_directory": False, "foreign_entries": ("photos",)}},
    ),
    (
        "node 1 is the primary: they have the same data directory",
        {"primary": {"data_directory": place().identity}},
    ),
    ("server of node 1 is running", {"target": {"server_pid": 4711}}),
    ("node 1 is managed by Patroni", {"target": {"managed_by": "Patroni"}}),
    ("another recovery of node 1 is running", {"target": {"is_busy": True}}),
    ("node 1 has a data directory of PostgreSQL 14", {"target": {"major": 14}}),
    (
        "node 1 belongs to another cluster",
        {"target": {"control": control(system_identifier="1")}},
    ),
    ("this server is a standby", {"primary": {"is_in_recovery": True}}),
    ("PostgreSQL 13 is not supported", {"primary": {"version": 130022}, "target": {"major": 13}}),
    ('wal_level of the primary is "minimal"', {"primary": {"wal_level": "minimal"}}),
    ("the primary has not enough free WAL senders", {"primary": {"wal_senders": 9}}),
    (
        "all replication slots of the primary are in use",
        {"primary": {"max_replication_slots": 0}},
    ),
    (
        'replication slot "pgpool_node_1" is a logical one',
        {"primary": {"slots": (slot(is_physical=False),)}},
    ),
    (
        'replication slot "pgpool_node_1" is in use',
        {"primary": {"slots": (slot(is_active=True),)}},
    ),
    ("node 1 has no programs of PostgreSQL 15", {"target": {"bin_directory": None}}),
    (
        "the configuration of node 1 cannot be read",
        {"target": {"configuration": None, "configuration_problem": "syntax error"}},
    ),
    (
        "node 1 has no configuration for /var/lib/pgsql/15/data",
        {"primary": {"is_configuration_inside": False}, "target": {"configuration": None}},
    ),
    (
        "the settings of node 1 are too low for a standby of this primary",
        {"primary": {"standby_parameters": PARAMETERS | {"max_connections": 101}}},
    ),
    (
        "tablespace /ts1 of node 1 is the primary's own",
        {
            "primary": {"tablespaces": (tablespace(),)},
            "target": {"tablespaces": {16400: place("/ts1/x", identity=tablespace().identity)}},
        },
    ),
    (
        "/ts1/x of node 1 holds data that is not known to be the node's own",
        {
            "primary": {"tablespaces": (tablespace(),)},
            "target": {"tablespaces": {16400: place("/ts1/x", is_own=False, identity=None)}},
        },
    ),
    (
        "/wal of node 1 holds data that is not known to be the node's own",
        {"target": {"wal": place("/wal", is_own=False)}},
    ),
    (
        "/var/lib/pgsql/15/data/ts of node 1 lies within /var/lib/pgsql/15/data",
        {
            "primary": {"tablespaces": (tablespace(),)},
            "target": {"tablespaces": {16400: place(f"{place().path}/ts", identity=None)}},
        },
    ),
    (
        "/var/lib/pgsql/15/data of node 1 lies within /var/lib/pgsql",
        {"target": {"wal": place("/var/lib/pgsql")}},
    ),
    (
        "node 1 cannot open a replication connection to the primary",
        {"logins": (login(system_identifier=None, problem="no pg_hba.conf entry"),)},
    ),
    (
        "node 1 cannot open a replication connection to the primary",
        {"logins": (login(system_identifier="1"),)},
    ),
    ("node 1 cannot open a replication connection to the primary", {"logins": ()}),
]


@pytest.mark.parametrize(("message", "changes"), REJECTED, ids=[case[0] for case in REJECTED])
def test_promise_2_refused_before_anything_is_touched(
    message: str, changes: dict[str, Any]
) -> None:
    situation = facts(
        primary=primary(**changes.get("primary", {})),
        target=target(**changes.get("target", {})),
        logins=changes.get("logins", (login(),)),
    )
    assert messages(situation) == [message]


def test_notes_name_what_is_left_behind() -> None:
    others = (
        slot(name="pgpool_node_1"),
        slot(name="used", is_active=True),
        slot(name="orphan", kept_bytes=3 * GB),
    )
    situation = facts(primary=primary(slots=others), target=target(gone_tablespaces=("/ts9",)))
    assert plan(situation).notes == (
        "replication slot orphan of the primary is not in use and keeps 3072 MB of WAL",
        "the old data has a tablespace in /ts9 that the primary has not; it is left",
    )


def test_hot_standby_off_is_refused() -> None:
    configuration = target().configuration
    assert configuration is not None
    off = replace(configuration, values=configuration.values | {"hot_standby": "off"})
    assert messages(facts(target=target(configuration=off))) == ["hot_standby is off on node 1"]


def test_same_inode_on_another_machine_is_another_directory() -> None:
    other = FileIdentity(boot_id="another machine", device=1, inode=1)
    plan(facts(primary=primary(data_directory=other)))


def test_all_complaints_at_once_and_the_kind_of_the_first() -> None:
    situation = facts(target=target(is_busy=True), logins=())
    made = make_plan(TARGET, situation, FULL_COPY)
    assert not isinstance(made, Plan)
    error = as_error(made)
    assert type(error) is Busy
    assert "Also: node 1 cannot open a replication connection" in (error.detail or "")
    assert type(as_error(made[1:])) is Unreachable
    assert Refused.exit_status == 4
