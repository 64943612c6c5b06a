"""Asked, done, and asked again when more is needed; and if there is no plan, why."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any, cast

import pytest

from pgpool_recovery.config.settings import Settings
from pgpool_recovery.control import recover
from pgpool_recovery.control.consent import AskPerson, ConsentQuestion
from pgpool_recovery.control.event import OperatorEvent, Outcome, PlanRead, Remarked
from pgpool_recovery.control.extension import Extension, Feature, Primary
from pgpool_recovery.control.job import Desk, Job
from pgpool_recovery.control.keeper import HELD_BEHIND_CHECKPOINT_S, HELD_S
from pgpool_recovery.control.plan import why_no_plan
from pgpool_recovery.control.record import RECOVERED
from pgpool_recovery.control.recover import MAX_QUESTIONS, keeping, recover_nodes, show_plan
from pgpool_recovery.domain.error import Cancelled, Refused, SettingsError, Unreachable
from pgpool_recovery.facts.policy import Method
from pgpool_recovery.plan.harm import Harm, Old, Reach, up_to
from tests.unit.cli import facts

if TYPE_CHECKING:
    from pgpool_recovery.control.keeper import Keeper

NODE = facts.NODES[2]
LOGIN = facts.cluster().login
CATCH_UP, COPY = Harm(Reach.WAL, Old.KEPT), Harm(Reach.COPY, Old.STAYS)
SHOWN = facts.plan(
    method="catch-up",
    harm=CATCH_UP.words(),
    binds=True,
    old_data_is="kept",
    point_of_no_return=None,
)
NEEDED = {"method": "basebackup", "harm": COPY.words(), "sentences": ["plan: basebackup: all"]}
CHANGED = Refused("the plan of node 2 has changed", detail="More is needed.")


class Kept:
    """What was agreed to, in order; a fake of our Keeper."""

    def __init__(self) -> None:
        self.agreed: list[Harm] = []
        self.is_sent = False

    def agree(self, harm: Harm) -> None:
        self.agreed.append(harm)


class Followed:
    """What is on record of the recovery that failed."""

    def __init__(self, needed: dict[str, Any] | None) -> None:
        self.needed = needed


class Story:
    """A person, and recoveries that end one after another as given here."""

    def __init__(self, patch: pytest.MonkeyPatch, *needed: dict[str, Any] | None) -> None:
        self.needed = list(needed)
        self.told: list[OperatorEvent] = []
        self.questions: list[ConsentQuestion] = []
        self.ask: AskPerson = self.questions.append
        self.limits: list[Harm | None] = []
        self.kept = Kept()
        patch.setattr(recover, "following", self.following)
        patch.setattr(recover, "carry_out", self.carry_out)

    @contextmanager
    def following(self, _job: Job, _desk: Desk) -> Iterator[Followed]:
        yield Followed(self.needed[0] if self.needed else None)

    def carry_out(self, _job: Job, _follower: object, _desk: Desk, agreed: Harm | None) -> str:
        self.limits.append(agreed)
        if self.needed:
            self.needed.pop(0)
            raise CHANGED
        return "done"

    def run(self, *, is_there: bool = True, at_most: Harm | None = None, **words: Any) -> object:
        desk = Desk(self.told.append, self.ask, at_most, is_there=is_there)
        job = Job(NODE, facts.cluster(), Primary(facts.NODES[0], LOGIN, ()), _POOL, Settings())
        plan = words.pop("plan", SHOWN)
        keeper = cast("Keeper", self.kept)
        return recover._run_as_agreed(job, desk, plan, keeper, words.pop("elsewhere", None))


_POOL = cast("Any", object())


def test_limit_goes_with_the_run(monkeypatch: pytest.MonkeyPatch) -> None:
    story = Story(monkeypatch)
    assert story.run() == "done"
    assert story.kept.agreed == story.limits == [CATCH_UP]
    assert story.kept.is_sent


def test_asked_again_about_what_is_needed(monkeypatch: pytest.MonkeyPatch) -> None:
    story = Story(monkeypatch, NEEDED)
    assert story.run() == "done"
    assert [question.is_again for question in story.questions] == [False, True]
    assert story.questions[1].is_needed
    assert story.kept.agreed == [CATCH_UP, COPY]
    shown = [event.plan.document.sentences for event in story.told if isinstance(event, PlanRead)]
    assert shown == [("plan: basebackup: all",)]
    assert any(
        isinstance(event, Remarked) and "has changed" in event.sentence for event in story.told
    )


def test_no_to_the_second_question(monkeypatch: pytest.MonkeyPatch) -> None:
    story = Story(monkeypatch, NEEDED)

    def ask(question: ConsentQuestion) -> None:
        if question.is_again:
            raise Cancelled("not confirmed")

    story.ask = ask
    with pytest.raises(Cancelled):
        story.run()
    assert story.limits == [CATCH_UP]


def test_without_a_person_nothing_is_asked_again(monkeypatch: pytest.MonkeyPatch) -> None:
    story = Story(monkeypatch, NEEDED)
    with pytest.raises(Refused, match="the plan of node 2 has changed"):
        story.run(is_there=False)
    assert story.limits == [CATCH_UP]


def test_other_refusal_is_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    story = Story(monkeypatch, None)
    with pytest.raises(Refused):
        story.run()
    assert len(story.questions) == 1


def test_number_of_questions_has_a_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    story = Story(monkeypatch, *[NEEDED] * 20)
    with pytest.raises(Refused):
        story.run()
    assert len(story.questions) == MAX_QUESTIONS


def test_limit_of_the_command_is_for_the_first_plan(monkeypatch: pytest.MonkeyPatch) -> None:
    """Beyond that limit, the person at the terminal decides."""
    story = Story(monkeypatch, NEEDED)
    assert story.run(at_most=up_to(Method.REWIND)) == "done"
    assert story.kept.agreed == [up_to(Method.REWIND), COPY]


def test_primary_that_cannot_be_told_the_agreement(monkeypatch: pytest.MonkeyPatch) -> None:
    story = Story(monkeypatch, NEEDED)
    with pytest.raises(Refused):
        story.run(plan=facts.plan(method="catch-up", old_data_is="kept"))
    assert story.kept.agreed == []
    assert story.limits == [None]


def test_error_of_the_settings_is_the_error(monkeypatch: pytest.MonkeyPatch) -> None:
    """And no question is asked."""
    wrong = SettingsError("server0: settings file /etc/pgpool-recovery.toml has 1 error")

    def read(*_words: object, **_limits: float) -> None:
        raise wrong

    monkeypatch.setattr(recover, "why_no_plan", lambda _primary: None)
    monkeypatch.setattr(recover, "read_plan", read)
    told: list[OperatorEvent] = []
    job = Job(NODE, facts.cluster(), Primary(facts.NODES[0], LOGIN, ()), None, Settings())
    with pytest.raises(SettingsError) as caught:
        show_plan(job, Desk(told.append, lambda _question: None))
    assert caught.value is wrong
    assert told == []


def test_no_extension_is_an_error_and_a_stock_one_is_not() -> None:
    with pytest.raises(Refused, match="does not have the extension"):
        why_no_plan(Primary(facts.NODES[0], LOGIN, ()))
    closed = Unreachable("could not connect to node 0", detail="no password supplied")
    why = why_no_plan(Primary(facts.NODES[0], LOGIN, (), unseen={"template1": closed}))
    assert why is not None
    assert why.startswith("it is not known which version"), "Pgpool-II's role may see it"
    stock = Extension("template1", "1.4", frozenset({Feature.RECOVERY}))
    why = why_no_plan(Primary(facts.NODES[0], LOGIN, (stock,)))
    assert why is not None
    assert "has no function pgpool_recovery_plan" in why


@pytest.mark.parametrize(
    ("has_standbys", "held_s"), [(True, HELD_S), (False, HELD_BEHIND_CHECKPOINT_S)]
)
def test_agreement_is_held_until_the_first_stage_can_have_begun(
    monkeypatch: pytest.MonkeyPatch, *, has_standbys: bool, held_s: float
) -> None:
    """In modes where Pgpool-II writes to all nodes, a CHECKPOINT comes before that stage."""
    seen: list[float] = []

    @contextmanager
    def keeper(_primary: Primary, _node: object, *, held_s: float) -> Iterator[None]:
        seen.append(held_s)
        yield None

    monkeypatch.setattr(recover, "Keeper", keeper)
    planning = Extension("postgres", "2.0", frozenset({Feature.PLAN}))
    primary = Primary(facts.NODES[0], LOGIN, (planning,))
    cluster = replace(facts.cluster(), has_standbys=has_standbys)
    with keeping(Job(NODE, cluster, primary, _POOL, Settings())):
        assert seen == [held_s]


@pytest.mark.parametrize(
    ("state", "done"), [(RECOVERED, "behind"), ("failed", "anew"), ("cancelled", "anew")]
)
def test_node_is_recovered_after_the_wait_unless_it_was(
    monkeypatch: pytest.MonkeyPatch, state: str, done: str
) -> None:
    verified: list[Job] = []
    job = Job(NODE, facts.cluster(), Primary(facts.NODES[0], LOGIN, ()), _POOL, Settings())
    anew = Outcome(NODE.node_id, NODE.name, 1.0, run_id=8)
    monkeypatch.setattr(recover, "_job", lambda *_words: job)
    monkeypatch.setattr(recover, "wait_for_turn", lambda *_words, **_more: facts.run(state=state))
    monkeypatch.setattr(recover, "recover_node", lambda *_words: anew)
    monkeypatch.setattr(recover, "verify", verified.append)
    desk = Desk(lambda _event: None, lambda _question: None, waits=True)
    [outcome] = recover_nodes([NODE.node_id], _POOL, Settings(), desk)
    assert outcome.failure is None
    if done == "anew":
        assert (outcome, verified) == (anew, [])
    else:
        assert (outcome.run_id, verified) == (7, [job]), "it is checked that the node is back"
