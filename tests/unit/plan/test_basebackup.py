"""What the steps of a full copy contain but do not say; everything else is in cases/."""

from dataclasses import replace

import pytest

from pgpool_recovery.domain.node import Target
from pgpool_recovery.facts.facts import Facts
from pgpool_recovery.facts.policy import Method, Policy
from pgpool_recovery.facts.step.moving import Reserve
from pgpool_recovery.facts.step.standby import ConfigureStandby
from pgpool_recovery.facts.step.transfer import CopyBaseBackup
from pgpool_recovery.plan.ladder import make_plan
from pgpool_recovery.plan.plan import Plan
from tests.unit.plan.situation import (
    TARGET,
    facts,
    place,
    primary,
    tablespace,
    target,
)

FULL_COPY = Policy(methods=(Method.BASEBACKUP,))


def plan(situation: Facts, policy: Policy | None = None, node: Target = TARGET) -> Plan:
    made = make_plan(node, situation, policy or FULL_COPY)
    assert isinstance(made, Plan), made
    return made


def test_own_port_is_written_only_when_it_differs() -> None:
    configuration = target().configuration
    assert configuration is not None
    other = replace(configuration, values=configuration.values | {"port": "5433"})
    for own, written in ((configuration, None), (other, 5432), (None, 5432)):
        steps = plan(facts(target=target(configuration=own))).steps
        (configure,) = [step for step in steps if isinstance(step, ConfigureStandby)]
        assert configure.port == written


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


@pytest.mark.parametrize(
    ("awaited", "expected"),
    [
        ("", True),
        ("server2", True),
        ("*", False),
        ("ANY 1 (server2, *)", False),
        (TARGET.slot_name, False),
    ],
)
def test_no_commit_waits_for_the_copy(awaited: str, *, expected: bool) -> None:
    """A receiver that streams from a slot reports its position, and "*" matches every one."""
    situation = facts(primary=primary(synchronous_standby_names=awaited))
    (copy,) = [step for step in plan(situation).steps if isinstance(step, CopyBaseBackup)]
    assert copy.streams_by_slot is expected
