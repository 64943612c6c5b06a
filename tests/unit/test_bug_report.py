"""A bug is told with its kind and its places, and never with a value, whichever way it is told."""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from pgpool_recovery.cli import app, hook, stage
from pgpool_recovery.cli.log import RECORD_SECRET
from pgpool_recovery.domain.error import Bug, as_failure
from pgpool_recovery.files.text import text_of
from pgpool_recovery.talk.conversation import converse
from pgpool_recovery.talk.request.directory import IsTidy

SECRET = "passw0rd-of-somebody"
RAISING = {
    "KeyError": f"{{}}['{SECRET}']",
    "json.decoder.JSONDecodeError": f"json.loads('{SECRET}')",
    "UnicodeDecodeError": f"b'{SECRET}\\xe9'.decode()",
    "UnicodeEncodeError": f"'{SECRET}\\udce9'.encode()",
    "ValueError": f"int('{SECRET}')",
    "FileNotFoundError (ENOENT)": f"open('/nonexistent/{SECRET}')",
}
WAYS = pytest.mark.parametrize("kind", RAISING)


def bug_of(kind: str) -> Exception:
    try:
        eval(RAISING[kind], {"json": json})  # noqa: S307 - words of this file
    except Exception as error:  # noqa: BLE001 - whatever it is
        return error
    raise AssertionError(kind)


def raiser(kind: str) -> Callable[..., None]:
    def fails(*_words: object, **_options: object) -> None:
        raise bug_of(kind)

    return fails


def check(said: str, kind: str, whose: str = "pgpool-recovery") -> None:
    assert SECRET not in said
    assert f"bug in {whose}: {kind}\n" in said
    assert "test_bug_report.py:" in said or "<string>:" in said


def text_of_failure(bug: BaseException) -> str:
    assert isinstance(bug, Bug)
    return f"{bug.message}\n{bug.detail}"


@WAYS
def test_failure_of_a_bug(kind: str) -> None:
    bug = as_failure(bug_of(kind))
    check(text_of_failure(bug), kind)
    assert SECRET not in json.dumps(bug.as_record())


def test_what_it_came_of_is_named_without_value() -> None:
    try:
        try:
            raise bug_of("KeyError")
        except KeyError as error:
            raise RuntimeError(SECRET) from error
    except RuntimeError as error:
        said = text_of_failure(as_failure(error))
    check(said, "RuntimeError")
    assert "Caused by KeyError. Call stack:\n" in said


def test_circle_of_causes_has_an_end() -> None:
    error = ValueError(SECRET)
    error.__cause__ = KeyError(SECRET)
    error.__cause__.__cause__ = error
    assert SECRET not in text_of_failure(as_failure(error))


def test_deep_recursion_is_told_in_short() -> None:
    def deeper() -> None:
        deeper()

    with pytest.raises(RecursionError) as caught:
        deeper()
    assert len(text_of_failure(as_failure(caught.value)).split("\n")) < 30


def test_what_python_cannot_load_is_said() -> None:
    """That libpq is not there is nothing of somebody's, and has to be known."""
    said = as_failure(ImportError("no pq wrapper available"))
    assert str(said) == "bug in pgpool-recovery: ImportError: no pq wrapper available"


@WAYS
def test_stage(
    kind: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(stage, "_first_stage", raiser(kind))
    monkeypatch.setattr(stage, "_cancel_by_signal", lambda: None)
    assert stage.run_stage("recovery_1st_stage", []) == 1
    check("".join(capsys.readouterr()), kind)
    monkeypatch.setenv(RECORD_SECRET, "mark")
    stage.run_stage("recovery_1st_stage", [])
    assert SECRET not in "".join(capsys.readouterr())


@WAYS
def test_hook(
    kind: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(hook, "_run", raiser(kind))
    assert hook.run_hook("failover", []) == 1
    check("".join(capsys.readouterr()), kind)


@WAYS
@pytest.mark.parametrize("words", [["status"], ["status", "--json"]])
def test_command(
    kind: str,
    words: list[str],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(app, "_run", raiser(kind))
    assert app.run_app(words) == 1
    said = "".join(capsys.readouterr())
    assert SECRET not in said
    assert f"bug in pgpool-recovery: {kind}" in said


PROCESS = """
import json, os, sys, threading
from pgpool_recovery.agent import serve
from pgpool_recovery.agent.answers import answers
from pgpool_recovery.cli.main import main
def fails(*_words):
    {raising}
if sys.argv[-1] == "in a request":
    serve.Agent._do = fails
elif sys.argv[-1] == "in a thread":
    serve.Agent._read = fails
elif sys.argv[-1] == "at the end":
    answers.Answers.take_back = fails
else:
    serve.main = fails
os.geteuid = lambda: 1
sys.argv = ["pgpool-recovery", "agent"]
sys.exit(main())
"""


def agent(kind: str, where: str) -> list[str]:
    return [sys.executable, "-c", PROCESS.format(raising=RAISING[kind]), where]


@pytest.mark.parametrize("kind", [kind for kind in RAISING if "ENOENT" not in kind])
def test_agent_tells_its_runner(kind: str, tmp_path: Path) -> None:
    """What the system refuses is no bug there, and is told with the name of the file."""
    argv = agent(kind, "in a request")
    with (
        converse(argv, "node 1", lambda _event: None, timeout_s=60) as held,
        pytest.raises(Bug) as caught,
    ):
        held.ask(IsTidy(str(tmp_path)), timeout_s=60)
    check(text_of_failure(caught.value), kind, "the agent")


@WAYS
@pytest.mark.parametrize("where", ["in a thread", "at the end", "in the whole"])
def test_what_nobody_catches_is_told_so_by_python_itself(kind: str, where: str) -> None:
    """It goes to the standard error of an agent, and so to pgpool.log."""
    with subprocess.Popen(
        agent(kind, where), stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        if where == "in a thread":  # Nobody hears any more that the runner has gone.
            assert process.stderr is not None
            said = process.stderr.readline() + process.stderr.readline()
            process.kill()
        else:
            said = process.communicate(b"", timeout=60)[1]
    assert SECRET.encode() not in said
    assert f"ERROR:  bug in pgpool-recovery: {kind}\n" in text_of(said)
