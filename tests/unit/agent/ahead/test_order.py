"""A server that must not run is stopped before the calls of the archive are ended."""

import pytest

from pgpool_recovery.agent.answers.server import ServerAnswers
from pgpool_recovery.agent.server import probation
from pgpool_recovery.host.stop import Stop
from pgpool_recovery.talk.request.server import StopAtOnce


class Ending:
    """WAL that is being fetched ahead, and calls that do not end as they should."""

    def __init__(self, done: list[str]) -> None:
        self._done = done

    def end(self) -> None:
        self._done.append("fetching ended")
        raise RuntimeError("a bug")


class Guarding:
    """The guard over a server that was started and is not accepted yet."""

    def __init__(self, done: list[str]) -> None:
        self._done = done

    def settle(self, _connect_s: float) -> bool:
        self._done.append("server stopped")
        return True


@pytest.mark.parametrize("is_asked", [True, False])
def test_server_is_stopped_first(monkeypatch: pytest.MonkeyPatch, *, is_asked: bool) -> None:
    """It may accept writes."""
    done: list[str] = []
    answers = ServerAnswers(Stop(), done.append)
    monkeypatch.setattr(answers, "_ahead", Ending(done))
    vars(answers)["_guard"] = Guarding(done)
    monkeypatch.setattr(probation, "stop_at_once", lambda *_: done.append("server stopped"))
    stop = StopAtOnce("/data", (), 1.0, 0)
    with pytest.raises(RuntimeError, match="a bug"):
        _ = answers.answer(stop, None, 1.0) if is_asked else answers.settle(1.0)
    assert done == ["server stopped", "fetching ended"]
