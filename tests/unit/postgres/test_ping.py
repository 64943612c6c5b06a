"""Asking whether a server answers says nothing beside its answer, whatever the words are."""

from pathlib import Path

import pytest

from pgpool_recovery.postgres import ping as asking
from pgpool_recovery.postgres.conninfo import format_conninfo
from pgpool_recovery.postgres.ping import PingAnswer, ping


@pytest.mark.parametrize("user", ["replica", "r\udce9plica"])
def test_nobody_answers_and_nothing_is_written(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], user: str
) -> None:
    """libpq itself would warn on standard error; a byte of Latin-1 is a byte to it."""
    where = {"host": str(tmp_path), "port": "5432", "user": user, "dbname": user}
    assert ping(where, timeout_s=1) is PingAnswer.DOWN
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize(
    ("version", "words"), [(160000, {}), (170000, {"sslnegotiation": "postgres"})]
)
def test_environment_says_nothing_that_goes_with_tls_alone(
    monkeypatch: pytest.MonkeyPatch, version: int, words: dict[str, str]
) -> None:
    """With PGSSLNEGOTIATION=direct, or PGSSLROOTCERT=system, libpq would refuse to try."""
    asked: dict[str, str] = {}

    def formatted(conninfo: dict[str, str]) -> str:
        asked.update(conninfo)
        return format_conninfo({"host": "/nowhere"})  # The libpq that is here may be older.

    monkeypatch.setattr(asking, "libpq_version", lambda: version)
    monkeypatch.setattr(asking, "format_conninfo", formatted)
    ping({"host": "/nowhere"}, timeout_s=1)
    tls = {name: value for name, value in asked.items() if name.startswith("ssl")}
    assert tls == {"sslmode": "disable", "sslrootcert": "", **words}
