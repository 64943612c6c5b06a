"""Nothing is destroyed without a yes; leaving says what continues."""

import signal
from io import StringIO

import pytest

from pgpool_recovery.cli.commands.recover import _asking
from pgpool_recovery.cli.consent import ask
from pgpool_recovery.cli.interrupt import Left, leave, leaving_by_signal
from pgpool_recovery.control.consent import ConsentQuestion
from pgpool_recovery.control.event import POOL, PRIMARY, Asked
from pgpool_recovery.domain.error import Cancelled, Refused
from pgpool_recovery.domain.node import NodeId
from tests.unit.cli import facts


class Terminal(StringIO):
    """Somebody who types."""

    def isatty(self) -> bool:
        return True


def answer(monkeypatch: pytest.MonkeyPatch, stdin: StringIO, *, yes: bool = False) -> None:
    monkeypatch.setattr("sys.stdin", stdin)
    ask("Recover node 1?", "the recovery of node 1", yes=yes)


@pytest.mark.parametrize("typed", ["y\n", "YES\n", " yes \n"])
def test_yes(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], typed: str
) -> None:
    answer(monkeypatch, Terminal(typed))
    printed = capsys.readouterr()
    assert (printed.out, printed.err) == ("", "Recover node 1? [y/N] ")


@pytest.mark.parametrize("typed", ["", "\n", "n\n", "yep\n"])
def test_anything_else_is_no(monkeypatch: pytest.MonkeyPatch, typed: str) -> None:
    with pytest.raises(Cancelled, match="the recovery of node 1 was not confirmed"):
        answer(monkeypatch, Terminal(typed))


def test_without_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(Refused, match="was not confirmed") as caught:
        answer(monkeypatch, StringIO("y\n"))
    assert "--yes" in str(caught.value.hint)
    answer(monkeypatch, StringIO(), yes=True)


def test_yes_of_the_command_answers_the_plan_that_is_shown_and_no_other(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A changed plan does more than was agreed to, so it is asked about again."""
    put, node = _asking(yes=True), facts.NODES[2]
    plan = facts.plan(method="basebackup", harm="copy goes", binds=True)
    monkeypatch.setattr("sys.stdin", StringIO())
    put(ConsentQuestion(node, plan))
    with pytest.raises(Refused, match="the recovery of node 2 was not confirmed"):
        put(ConsentQuestion(node, plan, is_again=True))
    monkeypatch.setattr("sys.stdin", Terminal("n\n"))
    with pytest.raises(Cancelled):
        put(ConsentQuestion(node, plan, is_again=True))


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_leaving(number: signal.Signals, capsys: pytest.CaptureFixture[str]) -> None:
    before = signal.getsignal(number)
    with pytest.raises(Left) as caught, leaving_by_signal():
        signal.raise_signal(number)
    assert signal.getsignal(number) is before
    for whom, place in ((POOL, "Pgpool-II"), (PRIMARY, "a separate process")):
        asked = Asked(NodeId(1), whom, is_on_record=True)
        other = Asked(NodeId(2), whom, is_on_record=True)
        idle = [NodeId(3)]
        status = leave(caught.value, [asked, other], idle, without_pgpool=False)
        assert status == 128 + number
        said = capsys.readouterr().err
        assert said.count(f"continues in {place}; only") == 2
        assert "The recovery of node 3 was not started." in said
    with pytest.raises(Cancelled) as nothing:
        leave(caught.value, [], without_pgpool=False)
    assert nothing.value.detail == f"By {number.name}. Nothing was started."
