"""What is agreed to: when it is asked, what a yes allows, and when it cannot be enforced."""

from dataclasses import replace
from typing import Any

import pytest

from pgpool_recovery.cli.render.question import question_text
from pgpool_recovery.control.consent import NO_PLAN, OLDER_BUILD, OWN_STAGE, ConsentQuestion, agree
from pgpool_recovery.control.plan import PlannedRecovery
from pgpool_recovery.domain.error import Refused
from pgpool_recovery.facts.policy import Method
from pgpool_recovery.plan.harm import Harm, Loss, Old, Reach, up_to
from tests.unit.cli import facts

NODE = facts.NODES[2]
CATCH_UP = {
    "method": "catch-up",
    "harm": "wal kept",
    "binds": True,
    "point_of_no_return": None,
    "old_data": "the data directory stays where it is, and nothing in it is replaced",
}
COPY = {"method": "basebackup", "harm": "copy goes", "binds": True, "old_bytes": 380 * 2**20}


def asked(plan: PlannedRecovery | None, **words: Any) -> tuple[Harm | None, ConsentQuestion]:
    """Return what was agreed to, and the question, which is always answered with yes."""
    questions: list[ConsentQuestion] = []
    at_most = words.pop("at_most", None)
    agreed = agree(NODE, plan, questions.append, at_most, **words)
    [question] = questions
    return agreed, question


def test_no_question_about_a_plan_that_destroys_nothing() -> None:
    agreed, question = asked(facts.plan(**CATCH_UP))
    assert not question.is_needed
    assert agreed == Harm(Reach.WAL, Old.KEPT), "and that is the limit"


def test_a_yes_allows_what_is_shown() -> None:
    agreed, question = asked(facts.plan(**COPY))
    assert question.is_needed
    assert agreed == Harm(Reach.COPY, Old.GOES)


def test_limit_is_given_with_the_command() -> None:
    agreed, question = asked(facts.plan(**CATCH_UP), at_most=up_to(Method.REWIND))
    assert agreed == up_to(Method.REWIND)
    assert not question.is_needed
    _, question = asked(facts.plan(**COPY), at_most=up_to(Method.BASEBACKUP))
    assert not question.is_needed, "without asking again up to it"


def test_plan_beyond_the_limit() -> None:
    with pytest.raises(Refused, match="the plan for node 2 does more than --at-most allows") as no:
        asked(facts.plan(**COPY), at_most=up_to(Method.REWIND))
    assert "basebackup: all data is copied again" in (no.value.detail or "")


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"harm": None}, "is an older version"),
        ({"harm": "wal eaten"}, "is an older version"),
        ({"binds": False, "unbound": "nobody hears it"}, "nobody hears it"),
    ],
)
def test_primary_that_cannot_enforce_the_agreement(changes: dict[str, Any], why: str) -> None:
    """Then a harmless plan is asked about as well, because the recovery may do more."""
    agreed, question = asked(facts.plan(**CATCH_UP | changes))
    assert agreed is None
    assert question.is_needed
    assert why in question_text(question)


def test_older_build_on_the_primary() -> None:
    """Its plan says nothing about harm."""
    agreed, question = asked(facts.plan(old_data_is="kept", point_of_no_return=None))
    assert (agreed, question.is_needed) == (None, True)
    assert "older version" in question_text(question)


def test_own_first_stage_and_no_plan() -> None:
    agreed, question = asked(facts.plan(**CATCH_UP), is_own_stage=True)
    assert (agreed, question.is_needed) == (None, True)
    agreed, question = asked(None)
    assert (agreed, question.is_needed) == (None, True)


@pytest.mark.parametrize(
    ("plan", "is_own_stage", "why"),
    [
        (facts.plan(**CATCH_UP | {"harm": None}), False, OLDER_BUILD),
        (facts.plan(**CATCH_UP | {"binds": False, "unbound": "nobody hears it"}), False, "nobody"),
        (facts.plan(**CATCH_UP), True, OWN_STAGE),
        (None, False, NO_PLAN),
    ],
)
def test_limit_that_cannot_be_enforced(
    plan: PlannedRecovery | None, why: str, *, is_own_stage: bool
) -> None:
    """There is no question, because a yes, typed or given with --yes, would lift the limit."""
    asked: list[ConsentQuestion] = []
    with pytest.raises(Refused, match="node 2 cannot be limited by --at-most") as no:
        agree(NODE, plan, asked.append, up_to(Method.BASEBACKUP), is_own_stage=is_own_stage)
    assert asked == []
    assert why.lower() in (no.value.detail or "").lower()


def test_other_directory_and_changed_plan_are_asked_about() -> None:
    elsewhere = "node 2 was at server2:/data in recovery 158"
    _, question = asked(facts.plan(**CATCH_UP), elsewhere=elsewhere)
    assert question.is_needed
    _, question = asked(
        facts.plan(**CATCH_UP), elsewhere="it was elsewhere", at_most=up_to(Method.BASEBACKUP)
    )
    assert question.is_needed, "a limit does not cover the place"
    _, question = asked(facts.plan(**CATCH_UP), is_again=True)
    assert question.is_needed


NEEDS = [{"path": "/data", "needed_bytes": 516 * 2**20, "free_bytes": 472 * 2**20}]


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        (
            COPY | {"needs": NEEDS},
            (
                "Node 2 loses its data (380 MB) before the new copy exists (472 MB free, 516 MB "
                "needed); if the copy fails, it has no data. Continue?"
            ),
        ),
        (
            COPY | {"harm": "copy stays"},
            "Node 2 loses its data (380 MB) as soon as the new server is running. Continue?",
        ),
        (
            {
                "harm": "blocks changed wal",
                "binds": True,
                "gives_up": "node 2 gives up what it has after 0/25EBE8A0, about 14 kB of WAL",
            },
            (
                "The only copy of node 2's data is changed; if that fails, no server can run there "
                "until a recovery succeeds. "
                "Node 2 gives up what it has after 0/25EBE8A0, about 14 kB of WAL. Continue?"
            ),
        ),
        (
            {"harm": "wal kept stop", "binds": True, "method": "catch-up"},
            (
                "Node 2 is recovered by catch-up, and none of its data is replaced. The running "
                "server of node 2 is stopped. Continue?"
            ),
        ),
    ],
)
def test_question_says_what_is_lost(changes: dict[str, Any], expected: str) -> None:
    assert question_text(ConsentQuestion(NODE, facts.plan(**changes))) == expected


def test_question_without_a_plan() -> None:
    text = question_text(ConsentQuestion(NODE, None, "there is no plan"))
    assert text == "There is no plan: the recovery of node 2 may replace its data. Continue?"
    text = question_text(ConsentQuestion(NODE, facts.plan(**CATCH_UP), "nobody hears it"))
    assert text.startswith(
        "The recovery cannot be limited to this plan and may do more: nobody hears it. Node 2 is "
    )


def test_limits_rise_with_the_ladder() -> None:
    assert up_to(Method.DELTA) == up_to(Method.INCREMENTAL)  # It comes later, and takes no more.
    found = [up_to(method) for method in Method if method is not Method.DELTA]
    assert [harm.reach for harm in found] == sorted(harm.reach for harm in found)
    assert Loss.STOP not in up_to(Method.REPOINT).losses, "its server goes on running"
    assert up_to(Method.REWIND) == up_to(Method.INCREMENTAL)
    assert up_to(Method.RESTORE).old is Old.CHANGED


def test_plan_of_a_node_that_streams_is_for_now() -> None:
    now = {"possible": True, "method": "attach", "harm": "nothing kept"}
    plan = facts.plan(now=now)
    assert plan.now.document.method == "attach"
    assert facts.plan().now == replace(facts.plan())
