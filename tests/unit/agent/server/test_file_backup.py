"""A backup of a standby is given up as soon as it can no longer be completed."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace

import pytest

from pgpool_recovery.agent.server import file_backup as module
from pgpool_recovery.agent.server.file_backup import BackupSession
from pgpool_recovery.domain.error import Unreachable
from pgpool_recovery.talk.request.blocks import StartFileBackup


class Server:
    """A server that answers whether it is still a standby."""

    is_in_recovery = True

    def row(self, query: str) -> dict[str, bool]:
        assert query == "still_in_recovery"
        return {"is_in_recovery": self.is_in_recovery}


def test_standby_that_was_promoted_is_noticed_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its session survives, and the server complains only at the end (do_pg_backup_stop)."""
    server = Server()

    @contextmanager
    def connect(*_: object, **__: object) -> Iterator[Server]:
        yield server

    monkeypatch.setattr(module, "read_pid_file", lambda _: SimpleNamespace())
    monkeypatch.setattr(module, "login_of", lambda *_: {})
    monkeypatch.setattr(module, "connect", connect)
    monkeypatch.setattr(module, "start_file_backup", lambda *_: None)
    session = BackupSession()
    session.start(StartFileBackup(str(tmp_path), "postgres", None, "label", 10.0), 10.0)
    session.see()
    server.is_in_recovery = False
    with pytest.raises(Unreachable, match="was promoted"):
        session.see()
