"""Several nodes at once: all plans, then all questions, then as many as may run."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from pgpool_recovery.cli.commands.recover import gravest
from pgpool_recovery.config.settings import Settings
from pgpool_recovery.control import together
from pgpool_recovery.control.consent import ConsentQuestion
from pgpool_recovery.control.event import Asked, OperatorEvent, Outcome, PlanRead, Remarked
from pgpool_recovery.control.extension import Primary
from pgpool_recovery.control.job import Desk, Job
from pgpool_recovery.control.together import recover_together
from pgpool_recovery.domain.error import (
    Cancelled,
    Incomplete,
    RecoveryError,
    Refused,
    Unreachable,
)
from pgpool_recovery.domain.node import NodeId
from pgpool_recovery.plan.harm import Harm, Old, Reach
from tests.unit.cli import facts

COPY = Harm(Reach.COPY, Old.STAYS)
NEEDED = {"method": "basebackup", "harm": COPY.words(), "sentences": ["plan: basebackup: all"]}
ONE, TWO = NodeId(1), NodeId(2)


class Running:
    """A recovery that ends after some looks, and how."""

    def __init__(self, looks: int, failure: RecoveryError | None) -> None:
        self.looks, self.failure = looks, failure

    def start(self) -> None:
        pass

    def has_ended(self, *, within_s: float) -> bool:
        assert within_s > 0
        self.looks -= 1
        return self.looks < 0

    def lines(self) -> list[str]:
        return []

    def result(self) -> None:
        if self.failure is not None:
            raise self.failure


class Followed:
    """A fake of our Follower: nothing on record but what more was needed."""

    def __init__(self, needed: dict[str, Any] | None) -> None:
        self.needed = needed
        self.run_id = None

    def look(self) -> None:
        pass

    def ended_run(self) -> None:
        return None


class Story:
    """A cluster without a Pgpool-II, and how the recovery of each node ends, one after another."""

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        self.told: list[OperatorEvent] = []
        self.ends: dict[NodeId, list[tuple[RecoveryError | None, dict[str, Any] | None]]] = {}
        self.unprepared: dict[NodeId, RecoveryError] = {}
        self.questions: list[ConsentQuestion] = []
        self.no_to: NodeId | None = None
        self.free: int | None = 10
        self.has_standbys = True
        for name, part in {
            "job_in_turn": self.job,
            "why_not_by_sql": lambda _primary: None,
            "was_elsewhere": lambda *_: None,
            "following": self.following,
            "verify": lambda _job: None,
            "tidy_up": lambda *_: None,
            "free_wal_senders": lambda _primary: self.free,
            "cause": lambda error, *_: error,
            "show_plan": self.show_plan,
        }.items():
            patch.setattr(together, name, part)
        patch.setattr(Job, "running", lambda job, _agreed=None: self.running(job))

    def job(self, node_id: NodeId, *_: object) -> Job:
        if node_id in self.unprepared:
            raise self.unprepared[node_id]
        primary = Primary(facts.NODES[0], facts.cluster().login, ())
        return Job(facts.NODES[node_id], facts.cluster(), primary, None, Settings())

    def show_plan(self, job: Job, desk: Desk) -> Any:
        plan = facts.plan(binds=True, harm=COPY.words())
        desk.tell(PlanRead(job.node.node_id, plan))
        return plan

    @contextmanager
    def following(self, job: Job, _desk: Desk) -> Iterator[Followed]:
        ends = self.ends.get(job.node.node_id)
        yield Followed(ends[0][1] if ends else None)

    def running(self, job: Job) -> Running:
        node_id = job.node.node_id
        ends = self.ends.get(node_id)
        failure = ends.pop(0)[0] if ends else None
        return Running(2 if node_id == ONE else 1, failure)

    def ask(self, question: ConsentQuestion) -> None:
        self.told.append(Remarked(f"asks about {question.node.name}"))
        self.questions.append(question)
        if question.node.node_id == self.no_to:
            raise Cancelled("not confirmed")

    def run(self, *, at_once: int = 2, is_there: bool = True) -> list[Outcome]:
        desk = Desk(self.told.append, self.ask, is_there=is_there)
        return recover_together([ONE, TWO], None, Settings(), desk, at_once=at_once)

    def kinds(self) -> list[str]:
        """Return what was told, in short."""
        return [
            one.sentence if isinstance(one, Remarked) else f"{type(one).__name__} {one.node_id}"  # type: ignore[union-attr]
            for one in self.told
        ]


@pytest.fixture
def story(monkeypatch: pytest.MonkeyPatch) -> Story:
    return Story(monkeypatch)


def test_all_plans_then_all_questions_then_both(story: Story) -> None:
    outcomes = story.run()
    assert [one.node_id for one in outcomes] == [1, 2], "in the order that was asked for"
    assert [one.failure for one in outcomes] == [None, None]
    assert story.kinds() == [
        "PlanRead 1",
        "PlanRead 2",
        "asks about node 1",
        "asks about node 2",
        "Asked 1",
        "Asked 2",
        "Outcome 2",
        "Outcome 1",
    ]


def test_failure_of_one_does_not_end_the_other(story: Story) -> None:
    story.ends[ONE] = [(Incomplete("the disk is gone"), None)]
    first, second = story.run()
    assert first.failure is not None
    assert first.failure.message == "node 1: the disk is gone"
    assert second.failure is None


def test_node_that_cannot_be_begun_leaves_the_other(story: Story) -> None:
    story.unprepared[ONE] = Refused("node 1 is the primary")
    first, second = story.run()
    assert isinstance(first.failure, Refused)
    assert second.failure is None
    assert "asks about node 1" not in story.kinds()


def test_no_to_one_plan_is_no_to_that_one(story: Story) -> None:
    story.no_to = ONE
    first, second = story.run()
    assert isinstance(first.failure, Cancelled)
    assert second.failure is None
    assert "Asked 1" not in story.kinds()


def test_as_many_as_there_are_wal_senders(story: Story) -> None:
    story.free = 3
    story.run()
    said = story.kinds()
    assert said.index("Outcome 1") < said.index("Asked 2")
    assert any("1 at once: the primary has 3 free WAL senders" in one for one in said)


def test_at_least_one_if_none_seems_free(story: Story) -> None:
    """The run itself knows better, and says so."""
    story.free = 0
    assert [one.failure for one in story.run()] == [None, None]


def test_asked_again_once_the_others_have_ended(story: Story) -> None:
    changed = Refused("the plan of node 1 has changed")
    story.ends[ONE] = [(changed, NEEDED), (None, None)]
    first, _ = story.run()
    assert first.failure is None
    assert [question.is_again for question in story.questions] == [False, False, True]
    said = story.kinds()
    assert said.index("Outcome 2") < len(said) - 1 - said[::-1].index("asks about node 1")


def test_without_a_person_nothing_is_asked_again(story: Story) -> None:
    story.ends[ONE] = [(Refused("the plan of node 1 has changed"), NEEDED)]
    first, _ = story.run(is_there=False)
    assert isinstance(first.failure, Refused)


@pytest.mark.parametrize(
    ("failures", "status"),
    [
        ([None, None], 0),
        ([Cancelled("no"), None], 10),
        ([Refused("x"), Incomplete("x")], 8),
        ([Cancelled("no"), Unreachable("x")], 5),
    ],
)
def test_exit_status_is_that_of_the_gravest(
    failures: list[RecoveryError | None], status: int
) -> None:
    outcomes = [Outcome(ONE, "node 1", 1.0, failure) for failure in failures]
    assert gravest(outcomes) == status


def test_asked_of_the_primary(story: Story) -> None:
    story.run()
    asked = [one for one in story.told if isinstance(one, Asked)]
    assert {one.of for one in asked} == {"the primary"}
