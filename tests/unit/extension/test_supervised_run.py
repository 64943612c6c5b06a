"""Which of a script's lines are records for the caller, and which are text."""

import json
import os
import signal
from pathlib import Path
from typing import Any

import build
import pytest
from pgpool_recovery_server.outcome import Failure
from pgpool_recovery_server.process_tree import find_processes
from pgpool_recovery_server.run_script import INSTALL_AGAIN, INSTALL_SAME_BUILD, why
from pgpool_recovery_server.supervised_run import (
    MARK_NAME,
    Ended,
    SupervisedRun,
    answer,
    failure_record,
)

from pgpool_recovery.cli.log import RECORD_SECRET
from pgpool_recovery.cli.stage import CALLED_BY_SERVER, fail
from pgpool_recovery.cli.stage import answer as tell_answer
from pgpool_recovery.domain.error import Busy

CALL_ID = "0b9cf9a5-1c2a-4f0e-9a39-2d7b7f8f9a10"
SECRET = "57c1f3f0-7d5e-4c7f-8f0e-1d0a5be0c3a2"


class Server:
    """The part of a server that a run needs for its lines."""

    def __init__(self) -> None:
        self.facts = {"call_id": CALL_ID, "record_secret": SECRET}

    def printable(self, text: str) -> str:
        return text


@pytest.fixture
def run() -> SupervisedRun:
    server: Any = Server()
    return SupervisedRun(server, {}, lambda: "")


def test_record_of_the_stage_command_is_taken(
    run: SupervisedRun, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv(CALLED_BY_SERVER, CALL_ID)
    monkeypatch.setenv(RECORD_SECRET, SECRET)
    failure = Busy("node 1 is busy")
    fail(failure)
    assert not run._keep(capsys.readouterr().out.rstrip("\n"))
    assert run._record == failure.as_record()
    tell_answer({"answer": 1})
    assert not run._keep(capsys.readouterr().out.rstrip("\n"))
    assert run._document == '{"answer": 1}'


@pytest.mark.parametrize("secret", ["another", CALL_ID])
def test_promise_13_record_of_another_call_is_text(
    run: SupervisedRun,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    secret: str,
) -> None:
    """The id of the call makes none either, since it is in the record of recoveries."""
    monkeypatch.setenv(RECORD_SECRET, secret)
    fail(Busy("node 1 is busy"))
    line = capsys.readouterr().out.rstrip("\n")
    assert run._keep(line)
    assert run._record is None
    assert run._lines == [line]


GOOD: dict[str, Any] = {"message": "m", "target": "untouched"}


@pytest.mark.parametrize(
    "text",
    [
        *("", "null", "3", "[]", "{}", '"message"', "{" * 9, "[" * 100000),
        json.dumps({"message": "m"}),
        json.dumps({**GOOD, "message": ["m"], "target": ["t"]}),
        json.dumps({**GOOD, "target": None}),
        json.dumps({**GOOD, "detail": 5}),
        json.dumps({**GOOD, "hint": {}}),
        json.dumps({**GOOD, "sqlstate": "no state"}),
        json.dumps({**GOOD, "sqlstate": "XX00\n"}),
    ],
)
def test_what_is_no_record(text: str) -> None:
    assert failure_record(text) is None
    assert answer(text) is None


def test_parts_may_be_missing() -> None:
    assert failure_record(json.dumps(GOOD)) == GOOD
    whole = {**GOOD, "detail": None, "hint": "h", "sqlstate": "F0000"}
    assert failure_record(json.dumps(whole)) == whole


def test_failure_of_stage_commands_of_an_earlier_build_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """They had no secret; their output is shown like that of any script."""
    monkeypatch.setenv(CALLED_BY_SERVER, CALL_ID)
    monkeypatch.setenv(RECORD_SECRET, SECRET)
    fail(Busy("node 1 is busy"))
    line = capsys.readouterr().out.rstrip("\n").replace(f"{SECRET} ", "")
    failure = why("recovery_1st_stage", Ended(6, ["a line", line], None, None))
    assert failure.message == 'script "recovery_1st_stage" exited with status 6'
    assert failure.hint == INSTALL_SAME_BUILD
    other = why("recovery_1st_stage", Ended(6, ["a line", 'x\x1e{"sqlstate": '], None, None))
    assert other.hint == "The whole output is in the server log."


@pytest.mark.parametrize(
    ("status", "is_ours", "hint"),
    [
        (127, True, INSTALL_AGAIN),
        (126, True, INSTALL_AGAIN),
        (3, True, "The whole output is in the server log."),
        (127, False, "The whole output is in the server log."),
    ],
)
def test_stage_command_whose_program_is_gone_says_what_to_install(
    status: int,
    *,
    is_ours: bool,
    hint: str,
) -> None:
    gone = Ended(status, ["exec: /opt/pgpool-recovery: not found"], None, None)
    assert why("recovery_1st_stage", gone, is_ours=is_ours).hint == hint


class CancellingServer(Server):
    """A session whose statement is cancelled once its script has begun."""

    def __init__(self, directory: Path, session: dict[str, Any]) -> None:
        super().__init__()
        self.facts |= {"data_directory": str(directory), "port": "5432"}
        self._session = session
        self.noticed: list[str] = []

    def script_end_s(self) -> float:
        return 0.5

    def notice(self, text: str) -> None:
        self.noticed.append(text)

    def who_cancelled(self) -> None:
        return None

    def check_for_interrupts(self) -> Failure | None:
        if not self.noticed:
            return None
        # As if it were busy with the output of its script, and received nothing.
        os.kill(self._session["supervisor"]._pid, signal.SIGSTOP)
        return Failure("canceling statement due to user request", sqlstate="57014")


def test_script_ends_with_its_call_even_when_the_supervisor_hears_nothing(tmp_path: Path) -> None:
    session: dict[str, Any] = {}
    server: Any = CancellingServer(tmp_path, session)
    run = SupervisedRun(server, session, build.supervisor_program)
    with pytest.raises(Failure, match="canceling statement"):
        run.run(["/bin/sh", "-c", "echo $$; exec sleep 600"], dict(os.environ))
    (pid,) = server.noticed
    assert not find_processes(f"{MARK_NAME}={CALL_ID}".encode(), int(pid))
    assert session == {}
