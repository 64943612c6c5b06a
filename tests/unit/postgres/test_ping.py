"""Asking whether a server answers says nothing beside its answer, whatever the words are."""

from pathlib import Path

import pytest

from pgpool_recovery.postgres.ping import PingAnswer, ping


@pytest.mark.parametrize("user", ["replica", "r\udce9plica"])
def test_nobody_answers_and_nothing_is_written(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], user: str
) -> None:
    """libpq itself would warn on standard error; a byte of Latin-1 is a byte to it."""
    where = {"host": str(tmp_path), "port": "5432", "user": user, "dbname": user}
    assert ping(where, timeout_s=1) is PingAnswer.DOWN
    assert capfd.readouterr() == ("", "")
