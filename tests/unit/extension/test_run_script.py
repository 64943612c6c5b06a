"""What a script of ours hands on goes to the next one of ours in the session, once."""

import json
from types import SimpleNamespace
from typing import Any

import pytest
from pgpool_recovery_server import run_script as module
from pgpool_recovery_server.run_script import HANDED_ON, HANDS_ON, MAX_HANDED_ON, run_script
from pgpool_recovery_server.supervised_run import Ended


class Session:
    """Calls of one session; each script ends as is said, and tells its environment."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.is_ours = True
        self._memory: dict[str, Any] = {}
        self._ended = Ended(0, [], None, None)
        self.given: dict[str, str] = {}
        server = SimpleNamespace(
            facts={"data_directory": "/data"},
            refuse_on_standby=lambda _name: None,
            connection_environment=dict,
            caller=lambda: "",
            warn=lambda _cause: None,
            shown=lambda cause: cause,
        )
        monkeypatch.setattr(module, "Server", lambda *_, **__: server)
        monkeypatch.setattr(module, "find_script", lambda *_: self._script())
        monkeypatch.setattr(module, "SupervisedRun", lambda *_: SimpleNamespace(run=self._run))

    def call(self, status: int = 0, says: str | None = None) -> str | None:
        """Call a function; return what its script was handed on."""
        self._ended = Ended(status, [], None, says)
        plpy: Any = SimpleNamespace(SPIError=ZeroDivisionError, Error=ZeroDivisionError)
        words: list[Any] = [lambda: "", False, "function", "script", []]
        run_script(plpy, self._memory, *words)
        return self.given.get(HANDED_ON)

    def _script(self) -> Any:
        return SimpleNamespace(path="/data/script", identity=(1, 2), is_ours=self.is_ours)

    def _run(self, _argv: object, environment: dict[str, str], _identity: object) -> Ended:
        self.given = environment
        return self._ended


@pytest.fixture
def session(monkeypatch: pytest.MonkeyPatch) -> Session:
    return Session(monkeypatch)


def test_next_script_gets_it_once(session: Session) -> None:
    assert session.call(says='{"x": 1}') is None
    assert session.call() == '{"x": 1}'
    assert session.call() is None


def test_what_is_handed_on_fits_into_any_environment(session: Session) -> None:
    """In a database of locale C, PL/Python encodes an environment as ASCII."""
    session.call(says='{"x": "caf\u00e9"}')
    handed_on = session.call()
    assert handed_on is not None
    assert handed_on.isascii()
    assert json.loads(handed_on) == {"x": "caf\u00e9"}


def test_only_a_script_of_ours_is_told_that_it_hands_on(
    session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(HANDS_ON, "on")
    session.call()
    assert session.given[HANDS_ON] == "on"
    session.is_ours = False
    session.call()
    assert HANDS_ON not in session.given


def test_script_of_somebody_else_gets_nothing_and_it_is_gone(session: Session) -> None:
    session.call(says="{}")
    session.is_ours = False
    assert session.call() is None
    session.is_ours = True
    assert session.call() is None


def test_script_that_failed_hands_nothing_on(session: Session) -> None:
    session.call(status=1, says="{}")
    assert session.call() is None


def test_failure_in_between_takes_it_away(session: Session) -> None:
    session.call(says="{}")
    session.call(status=1)
    assert session.call() is None


def test_no_more_is_kept_than_a_process_can_be_given(session: Session) -> None:
    session.call(says='{"x": "%s"}' % ("x" * MAX_HANDED_ON))
    assert session.call() is None
