"""The rule finds a session that is opened anywhere else."""

from pathlib import Path

import pytest

from ci.rules.connection_home import violations

ROOT = Path(__file__).parents[3]
INSIDE = "postgres/planted.py"
OUTSIDE = "agent/planted.py"


@pytest.mark.parametrize(
    ("where", "code"),
    [
        (OUTSIDE, "import psycopg"),
        (OUTSIDE, "import os, psycopg.sql"),
        (OUTSIDE, "from psycopg.errors import UndefinedTable"),
        (OUTSIDE, "def f():\n    from psycopg import pq"),
        (OUTSIDE, "importlib.import_module('psycopg')"),
        (OUTSIDE, "x = __import__('psycopg.pq')"),
        (OUTSIDE, "run(['psql', '-c', 'select 1'])"),
        (OUTSIDE, "pq.PGconn.connect(b'')"),
        (INSIDE, "import psycopg2"),
        (INSIDE, "psycopg.connect('')"),
        (INSIDE, "psycopg.Connection.connect('')"),
        (INSIDE, "async def f():\n    await AsyncConnection.connect('')"),
        (INSIDE, "pq.PGconn.connect(b'')"),
        (INSIDE, "x.connect_start(b'')"),
        (INSIDE, "from psycopg import connect"),
    ],
)
def test_session_elsewhere(tmp_path: Path, where: str, code: str) -> None:
    file = tmp_path / "src/pgpool_recovery" / where
    file.parent.mkdir(parents=True)
    file.write_text(code)
    found = list(violations(tmp_path))
    assert found
    assert all(line.startswith(f"src/pgpool_recovery/{where}:") for line in found)


@pytest.mark.parametrize(
    ("where", "code"),
    [
        (INSIDE, "import psycopg\nfrom psycopg.pq import ExecStatus\nexcept_ = psycopg.Error"),
        (OUTSIDE, "from pgpool_recovery.postgres.connection import connect\nconnect({})"),
        (OUTSIDE, "socket.connect(('server1', 22))"),
        ("postgres/connection.py", "import psycopg\npsycopg.connect('')"),
    ],
)
def test_what_may_be(tmp_path: Path, where: str, code: str) -> None:
    file = tmp_path / "src/pgpool_recovery" / where
    file.parent.mkdir(parents=True)
    file.write_text(code)
    assert list(violations(tmp_path)) == []


def test_we_keep_it() -> None:
    assert list(violations(ROOT)) == []
