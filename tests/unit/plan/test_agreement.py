"""The refusal when a plan needs more than was agreed to, and what lets a run go on."""

from dataclasses import replace

import pytest

from pgpool_recovery.domain.error import PlanChanged, Refused, error_of_record
from pgpool_recovery.domain.node import NodeId, Target
from pgpool_recovery.domain.target_state import TargetState
from pgpool_recovery.facts.facts import Facts
from pgpool_recovery.facts.policy import KeepOld, Method, Policy, Unattended
from pgpool_recovery.facts.rejection import Rejection
from pgpool_recovery.plan.agreement import (
    AGREED,
    CALLS,
    Agreement,
    place_of,
    read_name,
    session_name,
    unattended,
)
from pgpool_recovery.plan.harm import ANYTHING, Harm, Loss, Old, Reach, harm_of, up_to
from pgpool_recovery.plan.ladder import make_plan
from pgpool_recovery.plan.plan import PassedOver, Plan
from tests.unit.plan.case import read_case
from tests.unit.plan.situation import TARGET, facts, primary, wal
from tests.unit.plan.test_cases import CASES

WAL_IS_GONE = facts(primary=primary(wal=wal(oldest_segment=60)))
COPY = Policy(methods=(Method.CATCH_UP, Method.BASEBACKUP))
CATCH_UP = Agreement(Harm(Reach.WAL, Old.KEPT), "postgres")


def plan_of(situation: Facts, policy: Policy | None = None) -> Plan:
    made = make_plan(TARGET, situation, policy or Policy())
    assert isinstance(made, Plan)
    return made


def test_plan_has_changed() -> None:
    failed = PassedOver(Method.CATCH_UP, (Rejection("it cannot be caught up"),))
    refusal = CATCH_UP.refusal(plan_of(WAL_IS_GONE, COPY), (failed,))
    assert refusal is not None
    assert refusal.message == "the plan of node 1 has changed"
    assert (refusal.detail or "").split("\n") == [
        "Agreed to: only WAL is moved; nothing in the data directory is replaced.",
        (
            "Needed beyond that: basebackup: all data is copied again; the old data stays until "
            "the new server runs."
        ),
        "catch-up has failed: it cannot be caught up.",
    ]
    assert "--at-most basebackup" in (refusal.hint or "")
    assert (refusal.exit_status, refusal.target) == (4, TargetState.UNTOUCHED)
    assert refusal.data["method"] == "basebackup"
    assert refusal.data["harm"] == "copy stays"
    assert refusal.data["sentences"][0].startswith("plan: basebackup")


@pytest.mark.parametrize("name", ["finished_rewind", "finished_incremental"])
def test_what_an_earlier_run_finished_is_not_nothing(name: str) -> None:
    """To put it into place, and to start a server on it, is a catch-up like any other."""
    case = read_case(CASES / "interrupted" / f"{name}.toml")
    made = make_plan(case.target, case.facts, case.policy)
    assert isinstance(made, Plan)
    assert harm_of(made) == Harm(Reach.WAL, Old.KEPT)


def test_what_goes_on_record_stays_with_the_failure() -> None:
    """Adding the state of the target or the name of the node makes it a different one."""
    refusal = CATCH_UP.refusal(plan_of(WAL_IS_GONE))
    assert refusal is not None
    later = refusal.with_target(TargetState.INCOMPLETE).with_more("More.").about("node 7")
    assert later.data == refusal.data
    assert isinstance(later, PlanChanged)
    assert later.target is TargetState.INCOMPLETE
    assert isinstance(error_of_record(later.as_record()), Refused)


def test_what_was_agreed_to_goes_on() -> None:
    copy = plan_of(WAL_IS_GONE)
    assert Agreement(harm_of(copy), "postgres").refusal(copy) is None
    assert Agreement(harm_of(copy), "postgres").refusal(plan_of(facts())) is None, "less"
    assert CATCH_UP.refusal(plan_of(facts())) is None


def test_same_method_may_do_more_harm() -> None:
    """The method's name is the same; there was room when it was agreed to."""
    kept = plan_of(WAL_IS_GONE, COPY)
    removed = plan_of(WAL_IS_GONE, replace(COPY, keep_old=KeepOld.NEVER))
    assert kept.method is removed.method is Method.BASEBACKUP
    refusal = Agreement(harm_of(kept), "postgres").refusal(removed)
    assert refusal is not None
    assert "the old data is deleted before the new data exists" in (refusal.detail or "")
    assert Agreement(harm_of(removed), "postgres").refusal(kept) is None


def test_server_that_would_have_to_be_stopped() -> None:
    refusal = CATCH_UP.refusal(plan_of(facts()), stops=True)
    assert refusal is not None
    assert "the server that is running there is stopped" in (refusal.detail or "")
    may_stop = Agreement(Harm(Reach.WAL, Old.KEPT, frozenset({Loss.STOP})), "postgres")
    assert may_stop.refusal(plan_of(facts()), stops=True) is None


@pytest.mark.parametrize(
    ("policy", "allows_copy", "allows_removal"),
    [
        (Unattended.ANYTHING, True, True),
        (Unattended.KEEP_OLD, True, False),
        (Unattended.REPLACE_NOTHING, False, False),
        (Unattended.NOTHING, False, False),
    ],
)
def test_nobody_was_asked(policy: Unattended, *, allows_copy: bool, allows_removal: bool) -> None:
    agreement = unattended(Policy(unattended=policy))
    removal = plan_of(WAL_IS_GONE, replace(COPY, keep_old=KeepOld.NEVER))
    refusal = agreement.refusal(plan_of(WAL_IS_GONE, COPY))
    assert (refusal is None) is allows_copy
    assert (agreement.refusal(removal) is None) is allows_removal
    if refusal is not None:
        assert refusal.message == "the recovery of node 1 needs more than may be done unattended"
        assert f'policy.unattended = "{policy}"' in (refusal.detail or "")


def test_today_is_the_default() -> None:
    assert unattended(Policy()).harm == ANYTHING


def test_node_that_streams_needs_no_agreement() -> None:
    nothing = unattended(Policy(unattended=Unattended.NOTHING))
    attach = replace(plan_of(facts()), method=Method.ATTACH, steps=())
    assert nothing.refusal(attach) is None
    assert nothing.refusal(plan_of(facts())) is not None, "a catch-up changes the node"


def test_name_of_a_session_is_for_one_directory_and_one_use() -> None:
    harm = up_to(Method.REWIND)
    name = session_name(AGREED, TARGET, harm)
    assert read_name(name, AGREED, TARGET) == harm
    assert read_name(name, CALLS, TARGET) is None
    elsewhere = Target(TARGET.host, "/elsewhere", NodeId(1), 5432)
    assert read_name(name, AGREED, elsewhere) is None
    assert place_of(elsewhere) != place_of(TARGET)
    assert read_name(session_name(AGREED, TARGET), AGREED, TARGET) is None
