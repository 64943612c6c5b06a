"""A plan as JSON: every key exists, whatever the outcome."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from pgpool_recovery.domain.error import Unreachable
from pgpool_recovery.domain.node import NodeId
from pgpool_recovery.facts.facts import Filesystem, Stream
from pgpool_recovery.facts.policy import Method, Policy
from pgpool_recovery.plan.document import PlanDocument, failure_as_json, plan_as_json
from pgpool_recovery.plan.ladder import make_plan
from pgpool_recovery.plan.plan import OldData, Plan
from pgpool_recovery.plan.stop import once_lost
from tests.unit.plan.situation import GB, TARGET, facts, place, primary, slot, target, wal

GOLDEN = Path(__file__).with_name("document.json")
STREAM = Stream("pgpool_node_1", "192.0.2.2", application_name="server2")
RUNNING = target(server_pid=4711)


def test_full_copy_as_a_whole() -> None:
    situation = facts(primary=primary(wal=wal(oldest_segment=60)))
    policy = Policy(methods=tuple(each for each in Method if each is not Method.DELTA))
    made = plan_as_json(TARGET, situation, make_plan(TARGET, situation, policy), is_tidy=True)
    assert json.loads(GOLDEN.read_text()) == made


def test_every_reason_and_the_exit_status_of_the_first() -> None:
    full = place(filesystem=Filesystem(device=1, free_bytes=GB), size_bytes=0)
    situation = facts(target=target(data=full, control=None))
    made = plan_as_json(TARGET, situation, make_plan(TARGET, situation, Policy()), is_tidy=True)
    assert (made["possible"], made["exit_status"]) == (False, 4)
    assert made["reasons"][0]["message"] == "not enough space on node 1"
    assert set(made["reasons"][0]) == {"message", "detail", "hint"}
    busy = facts(target=target(is_busy=True))
    made = plan_as_json(TARGET, busy, make_plan(TARGET, busy, Policy()), is_tidy=True)
    assert made["exit_status"] == 6


def test_what_an_interrupted_recovery_left_is_noted() -> None:
    made = plan_as_json(TARGET, facts(), make_plan(TARGET, facts(), Policy()), is_tidy=False)
    [note] = made["notes"]
    assert note.startswith("an earlier recovery was interrupted")
    assert made["sentences"][-1] == f"note: {note}"


def test_node_that_cannot_be_looked_at() -> None:
    made = failure_as_json(NodeId(1), Unreachable("could not log in", detail="It is off."))
    assert made["reasons"] == [
        {"message": "could not log in", "detail": "It is off.", "hint": None}
    ]
    assert (made["possible"], made["exit_status"], made["target_runs"]) == (False, 5, None)


def test_node_that_runs_is_planned_as_lost_and_its_slot_is_free_then() -> None:
    own = RUNNING.configuration
    assert own is not None
    values = own.values | {"primary_slot_name": "pgpool_node_1"}
    running = facts(
        target=target(server_pid=4711, configuration=replace(own, values=values)),
        primary=primary(slots=(slot(is_active=True),), streams=(STREAM,), wal_senders=9),
    )
    made = make_plan(TARGET, once_lost(running), Policy())
    told = plan_as_json(TARGET, running, made, is_tidy=True)
    assert (told["possible"], told["target_runs"], told["target_streams"]) == (True, True, True)
    assert told["passed_over"][0]["reasons"][0]["message"] == "the server of node 1 is not running"


def test_slot_that_somebody_else_uses_stays_in_use() -> None:
    taken = facts(target=RUNNING, primary=primary(slots=(slot(is_active=True),), streams=(STREAM,)))
    made = plan_as_json(TARGET, taken, make_plan(TARGET, once_lost(taken), Policy()), is_tidy=True)
    assert made["reasons"][0]["message"] == 'replication slot "pgpool_node_1" is in use'


@pytest.mark.parametrize(
    ("old_data", "sentence"),
    [
        (OldData.NONE, "there is no old data"),
        (OldData.KEPT, "the data directory stays where it is, and nothing in it is replaced"),
        (
            OldData.OUT,
            "the data directory, left out of its place by a run that was interrupted, is put back",
        ),
    ],
)
def test_command_line_of_an_older_build_knows_that_no_data_goes(
    old_data: OldData, sentence: str
) -> None:
    """It recognizes harmless plans only by these sentences, word for word."""
    made = make_plan(TARGET, facts(), Policy())
    assert isinstance(made, Plan)
    words = plan_as_json(TARGET, facts(), replace(made, old_data=old_data), is_tidy=True)
    assert words["old_data"] == sentence
    assert words["old_data_is"] == old_data.name.lower()
    assert not PlanDocument(words).destroys
    del words["old_data_is"]
    assert not PlanDocument(words).destroys


def test_what_a_person_agrees_to_is_in_it() -> None:
    made = make_plan(TARGET, facts(), Policy())
    words = plan_as_json(TARGET, facts(), made, is_tidy=True, stops=True, unbound="not heard")
    assert (words["harm"], words["stops_server"]) == ("wal kept stop", True)
    assert (words["binds"], words["unbound"]) == (False, "not heard")
    assert "its server is running and is stopped first" in words["sentences"]
