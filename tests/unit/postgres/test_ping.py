"""A ping of a server prints nothing, whatever the connection string is."""

from pathlib import Path

import pytest

from pgpool_recovery.postgres import ping as asking
from pgpool_recovery.postgres.conninfo import format_conninfo
from pgpool_recovery.postgres.ping import PingAnswer, ping


@pytest.mark.parametrize("user", ["replica", "r\udce9plica"])
def test_no_answer_and_no_output(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], user: str
) -> None:
    """libpq itself would warn on standard error; it passes on a byte of Latin-1 unchanged."""
    where = {"host": str(tmp_path), "port": "5432", "user": user, "dbname": user}
    assert ping(where, timeout_s=1) is PingAnswer.DOWN
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize(
    ("version", "words"), [(160000, {}), (170000, {"sslnegotiation": "postgres"})]
)
def test_environment_cannot_require_tls(
    monkeypatch: pytest.MonkeyPatch, version: int, words: dict[str, str]
) -> None:
    """With PGSSLNEGOTIATION=direct or PGSSLROOTCERT=system, libpq would refuse to connect."""
    asked: dict[str, str] = {}

    def formatted(conninfo: dict[str, str]) -> str:
        asked.update(conninfo)
        return format_conninfo({"host": "/nowhere"})  # The installed libpq may be older.

    monkeypatch.setattr(asking, "libpq_version", lambda: version)
    monkeypatch.setattr(asking, "format_conninfo", formatted)
    ping({"host": "/nowhere"}, timeout_s=1)
    tls = {name: value for name, value in asked.items() if name.startswith("ssl")}
    assert tls == {"sslmode": "disable", "sslrootcert": "", **words}
