"""Our own server must be run by our user, whoever listens at the path of its socket."""

from pathlib import Path

import pytest

from pgpool_recovery.agent.server import independent, running
from pgpool_recovery.config.settings import Settings
from pgpool_recovery.domain.error import Unreachable
from pgpool_recovery.facts.running import Silent
from pgpool_recovery.host.pidfile import PidFile
from pgpool_recovery.host.stop import Stop
from pgpool_recovery.run.own_server import own_server
from pgpool_recovery.talk.request.server import AskRunning, MakeIndependent
from tests.unit.other_server import NOBODY, listener, received

pytestmark = pytest.mark.usefixtures("as_root")
REASON = 'requirepeer specifies "root", but actual peer user name is "nobody"'


def test_runner_sends_nothing_to_another_user(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PGHOST", str(tmp_path))
    monkeypatch.setenv("PGPORT", "5432")
    with listener(tmp_path / ".s.PGSQL.5432", NOBODY) as process:
        with pytest.raises(Unreachable) as caught, own_server(Settings()):
            pass
        assert REASON in (caught.value.detail or "")
        assert received(process) == "b''\n"


def test_agent_sends_nothing_to_another_user(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(running, "read_pid_file", lambda _data: _server(tmp_path))
    asked = AskRunning(str(tmp_path), "postgres", None)
    with listener(tmp_path / ".s.PGSQL.5432", NOBODY) as process:
        said = running.ask_running(asked, Stop(), connect_s=5)
        assert isinstance(said, Silent)
        assert REASON in said.problem
        assert received(process) == "b''\n"


def test_server_of_another_user_is_not_promoted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(independent, "read_pid_file", lambda _data: _server(tmp_path))
    with listener(tmp_path / ".s.PGSQL.5432", NOBODY) as process:
        with pytest.raises(Unreachable, match="could not connect"):
            independent.make_independent(MakeIndependent(str(tmp_path), {}, 1), Stop(), 5)
        assert received(process) == "b''\n"


def _server(directory: Path) -> PidFile:
    return PidFile(pid=1, port=5432, host=str(directory), is_ready=True)
