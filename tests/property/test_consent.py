"""What was agreed to is the limit: what an agreement to one plan allows of any other plan."""

from hypothesis import given, settings
from hypothesis import strategies as st

from pgpool_recovery.facts.policy import Method, Policy, Unattended
from pgpool_recovery.facts.rejection import Rejection
from pgpool_recovery.facts.step.moving import (
    Clone,
    DiscardWaiting,
    PutInPlace,
    PutOldBack,
    RemoveOld,
    SwapIn,
)
from pgpool_recovery.facts.step.standby import Repoint, RepointRunning
from pgpool_recovery.facts.step.step import Step
from pgpool_recovery.facts.step.transfer import (
    CopyBaseBackup,
    Delta,
    Incremental,
    RestoreBackup,
    Rewind,
    RunCommand,
)
from pgpool_recovery.plan.agreement import AGREED, Agreement, read_name, session_name, unattended
from pgpool_recovery.plan.harm import Harm, Loss, Old, Reach, excess, harm_of, read_harm, up_to
from pgpool_recovery.plan.ladder import make_plan
from pgpool_recovery.plan.plan import OldData, PassedOver, Plan
from tests.property.test_plan import anything, cases, many, reachable, running
from tests.unit.plan.case import Case
from tests.unit.plan.situation import TARGET

IMPLIES = {
    "full copy": {"from the backup", "blocks", "WAL", "settings"},
    "from the backup": {"blocks", "WAL", "settings"},
    "blocks": {"WAL", "settings"},
    "WAL": {"settings"},
    "removed first": {"only copy", "replaced"},
    "only copy": {"replaced"},
}
"""An agreement to an effect includes these other effects."""
harms = st.builds(
    Harm,
    st.sampled_from(tuple(Reach)),
    st.sampled_from(tuple(Old)),
    st.frozensets(st.sampled_from(tuple(Loss))),
)


DOES: dict[type[Step], str] = {
    RepointRunning: "settings",
    Repoint: "WAL",
    PutInPlace: "WAL",
    Rewind: "blocks",
    Incremental: "blocks",
    Delta: "blocks",
    RestoreBackup: "from the backup",
    RunCommand: "from the backup",
    CopyBaseBackup: "full copy",
    RemoveOld: "removed first",
    DiscardWaiting: "second copy",
    PutOldBack: "second copy",
}
IN_PLACE = (Rewind, Incremental, RestoreBackup)


def does(step: Step) -> set[str]:
    if isinstance(step, Delta) and step.is_whole:
        return {"full copy"}
    return {DOES[type(step)]} if type(step) in DOES else set()


def is_in_place(step: Step) -> bool:
    match step:
        case Delta():
            return not step.is_whole
        case RunCommand():
            return step.method.keep_data
    return isinstance(step, IN_PLACE)


def effects(made: Plan, *, stops: bool) -> set[str]:
    """Return what the steps of a plan do, determined without plan/harm.py."""
    kinds = [type(step) for step in made.steps]
    has_old = made.old_data is not OldData.NONE
    is_changed = any(map(is_in_place, made.steps)) and Clone not in kinds
    others = {
        "stop": stops,
        "WAL of its own": made.gives_up is not None,
        "only copy": has_old and is_changed,
        "replaced": has_old and SwapIn in kinds,
    }
    done = {name for name, is_so in others.items() if is_so}
    return done.union(*map(does, made.steps))


def allowed(found: set[str]) -> set[str]:
    return found.union(*(IMPLIES.get(one, set()) for one in found))


def plans(case: Case) -> list[Plan]:
    """Return the plans that a run would follow if one method after another failed."""
    found: list[Plan] = []
    failed: tuple[PassedOver, ...] = ()
    while isinstance(made := make_plan(case.target, case.facts, case.policy, failed), Plan):
        found.append(made)
        if not made.steps:
            break
        failed = (*failed, PassedOver(made.method, (Rejection("it failed"),)))
    return found


def assert_limited(first: Plan, second: Plan, *, stops: bool, stops_then: bool) -> None:
    agreed = Agreement(harm_of(first, stops=stops), "somebody")
    refusal = agreed.refusal(second, stops=stops_then)
    done = effects(second, stops=stops_then)
    if refusal is None:
        assert done <= allowed(effects(first, stops=stops)), (first, second)
    else:
        assert done, "attach changes nothing, so it needs no agreement"
        assert refusal.exit_status == 4
        assert read_harm(refusal.data["harm"]) == harm_of(second, stops=stops_then)


@settings(many, max_examples=100)
@given(case=cases(anything), other=cases(reachable), stops=st.booleans(), stops_then=st.booleans())
def test_promise_11_no_step_has_an_effect_beyond_what_was_agreed(
    case: Case, other: Case, *, stops: bool, stops_then: bool
) -> None:
    """The run meets another situation than that of the plan, or comes after a failed method."""
    ladder = plans(case)
    for first in ladder:
        for second in (*ladder, *plans(other)):
            assert_limited(first, second, stops=stops, stops_then=stops_then)


@settings(many, max_examples=60)
@given(case=cases(running), other=cases(reachable), stops=st.booleans())
def test_promise_11_server_that_runs(case: Case, other: Case, *, stops: bool) -> None:
    for first in plans(case):
        assert Agreement(harm_of(first), "somebody").refusal(first) is None
        for second in plans(other):
            assert_limited(first, second, stops=False, stops_then=stops)


@settings(many, max_examples=60)
@given(case=cases(anything), stops=st.booleans())
def test_plan_is_within_itself_and_within_its_method(case: Case, *, stops: bool) -> None:
    for made in plans(case):
        harm = harm_of(made, stops=stops)
        assert excess(harm, harm) == ()
        assert Agreement(harm, "somebody").refusal(made, stops=stops) is None
        stopped = stops and made.method not in (Method.ATTACH, Method.REPOINT)
        ends_copy = any(isinstance(step, Delta) and step.is_whole for step in made.steps)
        method = Method.BASEBACKUP if ends_copy else made.method
        assert excess(harm_of(made, stops=stopped), up_to(method)) == ()


@settings(many, max_examples=60)
@given(cases(reachable), st.sampled_from(tuple(Unattended)))
def test_promise_11_unattended_run_is_within_the_policy(case: Case, allows: Unattended) -> None:
    kept = unattended(Policy(unattended=allows))
    for made in plans(case):
        done, refusal = effects(made, stops=False), kept.refusal(made)
        forbidden = {
            Unattended.ANYTHING: set[str](),
            Unattended.KEEP_OLD: {"removed first", "only copy"},
            Unattended.REPLACE_NOTHING: {"full copy", "from the backup", "blocks", "removed first"},
            Unattended.NOTHING: done,
        }[allows]
        assert (refusal is not None) == bool(done & forbidden)


@given(harms, harms, harms)
def test_order(one: Harm, two: Harm, three: Harm) -> None:
    """The order of harms is transitive."""
    assert excess(one, one) == ()
    if not excess(one, two) and not excess(two, three):
        assert excess(one, three) == ()
    if not excess(one, two) and not excess(two, one):
        assert one == two


@given(harms)
def test_harm_travels_in_the_name_of_a_session(harm: Harm) -> None:
    name = session_name(AGREED, TARGET, harm)
    assert len(name) < 64, "NAMEDATALEN cuts it"
    assert read_name(name, AGREED, TARGET) == harm
    assert read_harm(harm.words()) == harm


@given(st.text(max_size=70))
def test_no_other_text_is_an_agreement(text: str) -> None:
    found = read_harm(text)
    assert found is None or found.words().split(" ")[:2] == text.lower().split(" ")[:2]
