"""The screens of setup: what it found, what it would do, and what it would undo."""

from pgpool_recovery.cli.render.setup import found_lines, plan_lines, undo_lines
from pgpool_recovery.setup.decide import decide
from pgpool_recovery.setup.need import needs_of
from pgpool_recovery.setup.probe import unanswered
from pgpool_recovery.setup.undo import InUse, in_order, kept
from tests.unit.cli.golden import assert_golden
from tests.unit.setup.stock import BACKENDS, around, host, node, ready
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
