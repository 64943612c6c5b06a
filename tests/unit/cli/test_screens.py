"""The screens: facts in, text out."""

import re
from io import StringIO

import pytest
from rich.console import Console

from pgpool_recovery.check.finding import in_order
from pgpool_recovery.cli.interrupt import going_on
from pgpool_recovery.cli.psql import as_psql
from pgpool_recovery.cli.render.check import check_lines
from pgpool_recovery.cli.render.history import cancelled_text, history_lines, run_lines
from pgpool_recovery.cli.render.lines import lines_of, outcome_text, plan_lines
from pgpool_recovery.cli.render.status import status_lines
from pgpool_recovery.cli.screen import LiveTerminal, PlainLines
from pgpool_recovery.control.check import Reported, status_of
from pgpool_recovery.control.event import (
    Asked,
    Happened,
    NodeSaid,
    OperatorEvent,
    Outcome,
    PlanRead,
    Remarked,
    StepMoved,
)
from pgpool_recovery.control.plan import PlannedRecovery
from pgpool_recovery.control.primary import ServerAnswer
from pgpool_recovery.control.record import RecordedEvent
from pgpool_recovery.control.status import Status, node_status
from pgpool_recovery.control.watch import outcome_of
from pgpool_recovery.domain.error import RecoveryError, Refused, Unreachable
from pgpool_recovery.domain.node import NodeId
from pgpool_recovery.plan.document import PlanDocument
from tests.unit.cli import facts
from tests.unit.cli.golden import assert_golden

TARGET = NodeId(2)


def text(lines: list[str]) -> str:
    return "\n".join(lines) + "\n"


def test_status() -> None:
    """A primary, a standby that Pgpool-II does not use, and a node that is being recovered."""
    cluster = facts.cluster(
        facts.info(0, "up", "primary"),
        facts.info(1, "down", "standby"),
        facts.info(2, "down", "standby"),
    )
    no_answer = Unreachable("could not connect to node 2 (server2:5432)", detail="timeout expired")
    answers = (
        facts.answer(0, is_in_recovery=False, receiver=None, slot_name=None),
        facts.answer(1),
        ServerAnswer(facts.NODES[2], None, no_answer),
    )
    streams, slots = [facts.stream(1)], [facts.slot("pgpool_node_1")]
    slots.append(facts.slot("pgpool_node_2", is_active=False, kept_bytes=5 * 2**30))
    nodes = tuple(
        node_status(each, cluster, facts.NODES[0], streams, slots, [facts.running()])
        for each in answers
    )
    assert_golden("status", text(status_lines(Status("the local socket", 0, nodes))))


def test_status_of_what_is_wrong() -> None:
    """There are two primaries; the standby does not stream, and its slot has lost its WAL."""
    cluster = facts.cluster(
        facts.info(0, "up", "primary"),
        facts.info(1, "up", "standby"),
        facts.info(2, "quarantine", "standby"),
    )
    refused = Unreachable("could not connect to node 2 (server2:5432)", detail="no route to host")
    answers = (
        facts.answer(0, is_in_recovery=False, receiver=None, slot_name=None),
        facts.answer(1, is_in_recovery=False, receiver=None, slot_name=None),
        ServerAnswer(facts.NODES[2], None, refused),
    )
    slots = [facts.slot("pgpool_node_2", is_active=False, wal_status="lost", kept_bytes=0)]
    nodes = tuple(node_status(each, cluster, facts.NODES[0], [], slots, []) for each in answers)
    remarks = ("running recoveries cannot be shown: the extension has no record of recoveries",)
    assert_golden("status_wrong", text(status_lines(Status("server9", 0, nodes, remarks))))


def test_plan() -> None:
    assert_golden("plan", text(plan_lines(facts.plan())))


def test_plan_that_is_not_possible() -> None:
    refusal = PlannedRecovery(facts.NODES[2], PlanDocument(facts.IMPOSSIBLE)).refusal()
    assert (type(refusal), refusal.exit_status) == (Refused, 4)
    assert_golden("plan_impossible", text(as_psql(refusal)))


@pytest.mark.parametrize(
    ("changes", "destroys"),
    [
        ({}, True),
        ({"point_of_no_return": None}, True),
        ({"point_of_no_return": None, "old_data": "there is no old data"}, False),
        (
            {
                "point_of_no_return": None,
                "old_data": "the data directory stays where it is, and nothing in it is replaced",
            },
            False,
        ),
        (
            {
                "point_of_no_return": None,
                "old_data": "the old data stays until the new server runs",
            },
            True,
        ),
        ({"point_of_no_return": None, "old_data": "in other words", "old_data_is": "kept"}, False),
        ({"point_of_no_return": None, "old_data_is": "a word of a newer build"}, True),
    ],
)
def test_what_is_asked(changes: dict[str, object], destroys: bool) -> None:  # noqa: FBT001
    assert facts.plan(**changes).document.destroys is destroys


def test_check() -> None:
    findings = in_order(
        [
            Reported("ok", 0, "node 0 would come back by catch-up, at once"),
            Reported("warning", None, "no data checksums", "Without them nothing can be rewound."),
            Reported("error", 2, "ssh from server0 is refused", "Add the key of server0."),
            Reported("warning", 1, "slot pgpool_node_1 keeps 9 GB", None),
        ]
    )
    assert_golden("check", text(check_lines(findings)))
    assert status_of(findings, strict=False) == 4
    assert status_of(findings[1:], strict=False) == 0
    assert status_of(findings[1:], strict=True) == 4


def test_history() -> None:
    assert_golden("history", text(history_lines([facts.run(), facts.FAILED])))
    assert history_lines([]) == ["no recovery is on record"]


def test_one_run() -> None:
    plan = ["plan: basebackup: a full copy, about 120 GB", "there is no old data"]
    assert_golden("history_run", text(run_lines(facts.FAILED, plan, facts.EVENTS)))


def test_cancelled() -> None:
    cancelled = facts.run(state="cancelled", target_state="untouched")
    said = cancelled_text(facts.NODES[2], cancelled)
    assert said == "the recovery of node 2 has ended (cancelled); target untouched"


def test_leaving() -> None:
    own = "a separate process"
    both = (
        going_on(TARGET, "Pgpool-II", without_pgpool=False),
        going_on(TARGET, own, without_pgpool=True),
    )
    assert_golden("leaving", text([line for one in both for line in one]))


ALL: list[OperatorEvent] = [
    PlanRead(TARGET, facts.plan()),
    Remarked("the recovery is not recorded", TARGET),
    Asked(TARGET, "Pgpool-II", is_on_record=True),
    NodeSaid(TARGET, "starting recovering node 2"),
    Happened(
        TARGET,
        7,
        RecordedEvent(
            1,
            facts.BEGAN,
            "plan_made",
            "\n".join(facts.PLAN["sentences"]).replace("300", "301").replace("47 s", "2 min"),
        ),
    ),
    Happened(TARGET, 7, facts.EVENTS[1]),
    StepMoved(facts.running()),
    Happened(TARGET, 7, RecordedEvent(9, facts.BEGAN, "failed", "not told twice", {})),
    Outcome(
        TARGET,
        "node 2",
        83.0,
        None,
        7,
        "incremental",
        300 * 2**20,
        is_attached=True,
        is_streaming=True,
    ),
]


def test_recover_in_plain_lines() -> None:
    """The plan is shown once, progress now and then, and Pgpool-II's own lines not at all."""
    said: list[str] = []
    now = 0.0
    screen = PlainLines(said.append, clock=lambda: now)
    for event in ALL:
        now += 6
        screen.tell(event)
    assert_golden("recover", text(said))


def test_recover_without_record() -> None:
    said: list[str] = []
    screen = PlainLines(said.append, clock=lambda: 0.0)
    screen.tell(Asked(TARGET, "Pgpool-II", is_on_record=False))
    screen.tell(NodeSaid(TARGET, "starting recovering node 2"))
    assert said[-1] == "starting recovering node 2"


def test_failure_on_a_screen(capsys: pytest.CaptureFixture[str]) -> None:
    said: list[str] = []
    failure = facts.FAILED.failure()
    assert failure is not None
    screen = PlainLines(said.append, clock=lambda: 0.0)
    screen.tell(Outcome(TARGET, "node 2", 83.0, failure))
    assert said == []
    assert_golden("recover_failure", capsys.readouterr().err)


def test_summary() -> None:
    outcomes = [
        Outcome(
            NodeId(1),
            "node 1",
            4.0,
            None,
            8,
            "catch-up",
            2**20,
            is_attached=True,
            is_streaming=True,
        ),
        Outcome(TARGET, "node 2", 83.0, facts.FAILED.failure()),
        Outcome(NodeId(3), "node 3", 3.0, is_attached=True, is_streaming=True),
        outcome_of(facts.run()),
    ]
    assert_golden("summary", text(list(map(outcome_text, outcomes))))


@pytest.mark.parametrize("event", ALL, ids=lambda event: type(event).__name__)
def test_every_event_has_a_line(event: OperatorEvent) -> None:
    assert all(lines_of(event))


def test_interrupted() -> None:
    failure = facts.run(state="interrupted").failure()
    assert failure is not None
    assert failure.exit_status == 8
    assert "was interrupted" in failure.message


def test_every_exit_status_comes_back_from_the_record() -> None:
    for status in range(2, 10):
        failure = facts.run(state="failed", exit_status=status, message="m").failure()
        assert isinstance(failure, RecoveryError)
        assert failure.exit_status == status


def test_live_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    """The lines stay, the bar goes, and NO_COLOR is obeyed."""
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.setenv("TERM", "xterm")  # On a dumb one there is no bar.
    written = StringIO()
    console = Console(file=written, force_terminal=True, width=140)
    with LiveTerminal(console) as screen:
        for event in ALL:
            screen.tell(event)
    shown = written.getvalue()
    for line in ("step 1 of 6: reserve it", "node 2 is back: up in Pgpool-II and streaming"):
        assert line in shown
    assert "copy about 120 GB" in shown
    assert not re.search(r"\x1b\[[0-9;]*3[0-9]m", shown), "a colour"
    assert shown.endswith("(incremental, 300 MB moved, 1 min 23 s)\n")


def test_each_line_names_its_node_if_there_are_several() -> None:
    said: list[str] = []
    screen = PlainLines(said.append, clock=lambda: 0.0, are_several=True)
    for event in [*ALL, Remarked("1 at once")]:
        screen.tell(event)
    unnamed = [line for line in said if not line.startswith("node 2")]
    assert unnamed == ["note: 1 at once"], "it is about none of them"
    assert len(said) > len(ALL)


def test_lines_of_a_node_without_a_record_are_shown_while_another_has_one() -> None:
    said: list[str] = []
    screen = PlainLines(said.append, clock=lambda: 0.0, are_several=True)
    screen.tell(Asked(NodeId(1), "the primary", is_on_record=True))
    screen.tell(Asked(NodeId(2), "the primary", is_on_record=False))
    screen.tell(NodeSaid(NodeId(1), "seen elsewhere"))
    screen.tell(NodeSaid(NodeId(2), "copying"))
    assert said[2:] == ["node 2: copying"]
    screen.tell(Outcome(NodeId(2), "node 2", 1.0))
    assert [one.node_id for one in screen.running] == [1]


def test_a_bar_for_each_node(monkeypatch: pytest.MonkeyPatch) -> None:
    """The bar of the one that has ended goes, and the other one stays."""
    monkeypatch.setenv("TERM", "xterm")
    written = StringIO()
    console = Console(file=written, force_terminal=True, width=140, no_color=True)
    with LiveTerminal(console, are_several=True) as screen:
        for node_id in (1, 2):
            screen.tell(StepMoved(facts.running(node_id=node_id)))
        written.truncate(0)
        assert screen._bars is not None
        screen._bars.refresh()
        both = written.getvalue()
        screen.tell(Outcome(NodeId(1), "node 1", 1.0))
        written.truncate(0)
        screen._bars.refresh()
        one = written.getvalue()
    assert "node 1: step 3" in both
    assert "node 2: step 3" in both
    assert "node 1: step 3" not in one
    assert "node 2: step 3" in one


@pytest.mark.parametrize(
    ("whole_s", "left"), [(None, "13 min 58 s left"), (902.0, "15 min 2 s left in all")]
)
@pytest.mark.parametrize("width", [60, 80, 90, 100, 160])
def test_numbers_stay_on_a_narrow_terminal(
    monkeypatch: pytest.MonkeyPatch, width: int, whole_s: float | None, left: str
) -> None:
    """The sentence is truncated; the elapsed time is that of the run, and the node is named."""
    monkeypatch.setenv("TERM", "xterm")
    written = StringIO()
    console = Console(file=written, force_terminal=True, width=width, no_color=True)
    with LiveTerminal(console) as screen:
        sentence = "copy about 120 GB, compressed with zstd, checking each file"
        screen.tell(StepMoved(facts.running(sentence=sentence, run_seconds_left=whole_s)))
    shown = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", written.getvalue())
    assert f"(25 %), 110 MB/s, {left}" in shown
    assert width < 80 or "node 2: step 3" in shown
    assert width < 90 or "4 min 45 s" in shown
