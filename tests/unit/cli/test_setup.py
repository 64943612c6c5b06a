"""The screens of setup: what it found, what it would do, and what it would undo."""

import json
from collections.abc import Callable

import pytest

from pgpool_recovery.cli.commands.setup import _undo
from pgpool_recovery.cli.render.setup import found_lines, plan_lines, undo_lines
from pgpool_recovery.setup.access import Ran
from pgpool_recovery.setup.decide import decide
from pgpool_recovery.setup.need import needs_of
from pgpool_recovery.setup.probe import unanswered
from pgpool_recovery.setup.undo import InUse, in_order, kept
from tests.unit.cli.golden import assert_golden
from tests.unit.setup.stock import BACKENDS, NAMES, POOL, Recorder, around, host, node, ready
from tests.unit.setup.test_decide import NO_ENTRY
from tests.unit.setup.test_undo import ALL


def text(lines: list[str]) -> str:
    return "\n".join(lines) + "\n"


def test_stock_cluster() -> None:
    found = around()
    items = decide(found)
    assert_golden("setup", text([*found_lines(found, items), "", *plan_lines(needs_of(items))]))


def test_host_that_is_not_reached_and_login_that_is_refused() -> None:
    settings = {**node(1).settings, "wal_log_hints": "off"}
    found = around(
        ready(0, replication={1: NO_ENTRY, 2: "ok repl"}),
        host(1, node(1, settings=settings)),
        unanswered("server3", [BACKENDS[2]], "could not log in to server3 as root"),
    )
    items = decide(found)
    lines = [*found_lines(found, items), "", *plan_lines(needs_of(items))]
    assert_golden("setup_partly", text(lines))


def test_undo() -> None:
    in_use = InUse(replication=True, python=False)
    stays = [(one, why) for one in ALL if (why := kept(one, in_use)) is not None]
    goes = [one for one in in_order(ALL) if kept(one, in_use) is None]
    assert_golden("setup_undo", text(undo_lines(goes, stays)))


COLLATION = "WARNING:  database has a collation version mismatch"
SLOTS = "/var/lib/post gresql/15/main: the replication slots pgpool_node_1 stay, run: SELECT 1"
PACKAGES = "kept, since they are still needed: python3.11"
KEPT = (
    "    server1: 40-replication-role.primary is kept, because a standby streams with this login; "
    "when that is no longer so, run: pgpool-recovery setup --undo"
)


def answers(*said: str, streams: bool) -> Callable[[str], Ran]:
    """Answer as the primary with a login and one more record; undoing it says something."""

    def answer(script: str) -> Ran:
        if "printf 'record" in script:
            role = "record 40-replication-role.primary.undo\n sql\n"
            return Ran(0, (role if streams else "") + "record 10-packages.undo\n undo it\n")
        if "pg_stat_replication" in script:
            return Ran(0, f"{int(streams)}\n0\n")
        return Ran(0, "\n".join(said))

    return answer


def undone(
    monkeypatch: pytest.MonkeyPatch, answer: Callable[[str], Ran], *, as_json: bool = False
) -> None:
    monkeypatch.setattr("pgpool_recovery.setup.observe.observe", lambda *_: around())
    shells = {name: Recorder() for name in (*NAMES, "this host")}
    shells["server1"] = Recorder(answer)
    assert _undo(POOL, dict(shells), yes=True, dry_run=False, as_json=as_json) == 0


def test_last_words_of_undo_have_all_that_is_left(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    undone(monkeypatch, answers(COLLATION, SLOTS, PACKAGES, streams=True))
    _, _, last = capsys.readouterr().out.rpartition("\n\n")
    assert last.splitlines() == [
        "What is left, and what to do about it:",
        f"    server1: {SLOTS}",
        f"    server1: {PACKAGES}",
        KEPT,
        "Everything else that setup did is taken back.",
    ]


def test_last_words_of_undo_if_nothing_is_left(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    undone(monkeypatch, answers(COLLATION, streams=False))
    _, _, last = capsys.readouterr().out.rpartition("\n\n")
    assert last.splitlines() == [
        "Everything that setup did is taken back.",
        "The command itself is removed with the package pgpool-recovery of this host.",
    ]


def test_document_of_undo_has_what_is_left(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    undone(monkeypatch, answers(COLLATION, SLOTS, streams=False), as_json=True)
    document = json.loads(capsys.readouterr().out)
    assert document["undone"] == ["server1: 10-packages"]
    assert document["left"] == [f"server1: {SLOTS}"]
