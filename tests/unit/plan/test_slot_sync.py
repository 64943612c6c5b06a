"""The database that primary_conninfo names for the worker that synchronises failover slots."""

from dataclasses import replace
from typing import Any

import pytest

from pgpool_recovery.facts.facts import Facts, Login
from pgpool_recovery.facts.policy import Method, Policy
from pgpool_recovery.facts.running import RunningServer
from pgpool_recovery.facts.step.standby import ConfigureStandby, Repoint, RepointRunning
from pgpool_recovery.facts.step.transfer import CopyBaseBackup
from pgpool_recovery.plan.ladder import make_plan
from pgpool_recovery.plan.plan import Plan
from pgpool_recovery.plan.repoint import propose
from pgpool_recovery.plan.situation import Situation
from pgpool_recovery.plan.slot_sync import slot_login_candidates
from tests.unit.plan.situation import (
    CONNINFO,
    SYSTEM,
    TARGET,
    control,
    facts,
    primary,
    slot,
    target,
)

FAILOVER = slot(name="sub", is_physical=False, is_failover=True)
CATCH_UP = Policy(methods=(Method.CATCH_UP,))
FULL_COPY = Policy(methods=(Method.BASEBACKUP,))


def situation(
    version: int = 170002, own: str | None = "off", dbname: str | None = None, **of_primary: Any
) -> Facts:
    """Return a stopped standby; `own` is its sync_replication_slots, `dbname` what it had."""
    configuration = target().configuration
    assert configuration is not None
    changed = replace(
        configuration,
        values=configuration.values | ({} if own is None else {"sync_replication_slots": own}),
        primary_conninfo={} if dbname is None else {"dbname": dbname},
    )
    return facts(
        primary=primary(version=version, **of_primary),
        target=target(configuration=changed, major=version // 10000),
    )


def names(made: Facts) -> list[str]:
    return [one["dbname"] for one in slot_login_candidates(made, dbname="template1")]


@pytest.mark.parametrize(
    ("made", "expected"),
    [
        (situation(own="on"), ["template1"]),
        (situation(own="on", dbname="app"), ["app", "template1"]),
        (situation(own="on", dbname="template1"), ["template1"]),
        (situation(slots=(FAILOVER,)), ["template1"]),
        (situation(), []),
        (situation(syncs_slots=True), []),
        (situation(own="on", dbname="replication"), ["template1"]),
        (situation(own="on", dbname="host=elsewhere"), ["template1"]),
        (situation(own="on", dbname="postgresql://elsewhere"), ["template1"]),
        (situation(version=160004, own="on", dbname="app"), []),
    ],
)
def test_database_is_tried_where_slots_may_be_synchronised(
    made: Facts, expected: list[str]
) -> None:
    assert names(made) == expected


def test_node_without_a_configuration_takes_the_primarys() -> None:
    empty = facts(
        primary=primary(version=180001, syncs_slots=True), target=target(configuration=None)
    )
    assert names(empty) == ["template1"]
    assert names(replace(empty, primary=primary(version=180001))) == []


def login(dbname: str, problem: str | None = None) -> Login:
    return Login({**CONNINFO, "dbname": dbname}, None if problem else SYSTEM, problem)


def planned(made: Facts, policy: Policy) -> Plan:
    plan = make_plan(TARGET, made, policy)
    assert isinstance(plan, Plan), plan
    return plan


def test_standby_is_given_the_database_that_works_and_no_program_is() -> None:
    tried = (login("app", "FATAL: no"), login("postgres"))
    made = replace(situation(own="on"), slot_logins=tried)
    plan = planned(made, FULL_COPY)
    (copy,) = [step for step in plan.steps if isinstance(step, CopyBaseBackup)]
    (configure,) = [step for step in plan.steps if isinstance(step, ConfigureStandby)]
    assert "dbname" not in copy.conninfo
    assert configure.conninfo == {**copy.conninfo, "dbname": "postgres"}
    (repoint,) = [s for s in planned(made, CATCH_UP).steps if isinstance(s, Repoint)]
    assert repoint.conninfo["dbname"] == "postgres"
    assert plan.notes == ()


def test_running_standby_is_given_it_as_well() -> None:
    running = RunningServer(
        login={"host": "/run", "port": "5432", "dbname": "postgres"},
        is_in_recovery=True,
        is_paused=False,
        timeline=control().timeline,
        histories=(),
        receiving=None,
        received=control().redo,
        replayed=control().redo,
        is_torn=False,
        recovery_target_timeline="latest",
        sources=dict.fromkeys(("primary_conninfo", "primary_slot_name"), "configuration file"),
    )
    made = situation(own="on")
    made = replace(
        made,
        slot_logins=(login("app"),),
        running=running,
        target=replace(made.target, server_pid=4711, is_standby=True),
    )
    plan = propose(Situation(TARGET, made, Policy()))
    assert isinstance(plan, Plan), plan
    (step,) = [step for step in plan.steps if isinstance(step, RepointRunning)]
    assert step.conninfo["dbname"] == "app"


def test_login_that_does_not_work_is_told() -> None:
    made = replace(situation(own="on"), slot_logins=(login("app", "FATAL:  no entry\nfor it"),))
    plan = planned(made, CATCH_UP)
    (repoint,) = [step for step in plan.steps if isinstance(step, Repoint)]
    assert repoint.conninfo["dbname"] == "app"
    (note,) = plan.notes
    assert note == (
        "failover slots will not be synchronised to node 1: repl cannot log in to database app of "
        "the primary (FATAL: no entry for it)"
    )


def test_nothing_is_written_where_nothing_is_synchronised() -> None:
    plan = planned(situation(version=160004, own="on"), CATCH_UP)
    (repoint,) = [step for step in plan.steps if isinstance(step, Repoint)]
    assert "dbname" not in repoint.conninfo


def test_slot_that_the_primary_waits_for_and_that_gets_another_name() -> None:
    made = situation(awaited_slots=("node1",))
    own = made.target.configuration
    assert own is not None
    of_old = replace(own, values=own.values | {"primary_slot_name": "node1"})
    renamed = replace(made, target=replace(made.target, configuration=of_old))
    (note,) = planned(renamed, CATCH_UP).notes
    assert note == (
        "synchronized_standby_slots of the primary names node1, but node 1 now uses "
        "pgpool_node_1: logical decoding of failover slots waits until pgpool_node_1 is named "
        "there instead"
    )
    assert planned(made, CATCH_UP).notes == ()
    both = replace(renamed.primary, awaited_slots=("node1", "pgpool_node_1"))
    assert planned(replace(renamed, primary=both), CATCH_UP).notes == ()
