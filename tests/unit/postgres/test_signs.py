"""No query hides the sign of a difference of positions: a negative one means wrong data."""

import re
from pathlib import Path

import pytest

import pgpool_recovery
from pgpool_recovery import postgres

SQL = sorted((Path(postgres.__file__).parent / "sql").glob("*.sql"))
TEMPLATES = sorted((Path(__file__).parents[3] / "extension" / "sql").glob("*.sql"))
PYTHON = sorted(Path(pgpool_recovery.__file__).parent.rglob("*.py"))
HIDES_IN_SQL = re.compile(r"(greatest|abs|least)\s*\([^;]{0,40}?pg_wal_lsn_diff", re.IGNORECASE)
POSITION = r"(lsn|written|replayed|received|flushed|position)"
HIDES = re.compile(rf"(max\(\s*0\s*,|abs\()[^\n]*{POSITION}\w* - [^\n]*{POSITION}")


def test_patterns_match_examples() -> None:
    assert HIDES_IN_SQL.search("select greatest(pg_catalog.pg_wal_lsn_diff(a, b), 0)")
    assert HIDES_IN_SQL.search("coalesce(greatest(\n  pg_catalog.pg_wal_lsn_diff(a, b), 0), 0)")
    assert HIDES.search("return max(0, self.written - lsn)")
    assert not HIDES.search("return max(0, point.lsn - 1) // segment_bytes")


@pytest.mark.parametrize("file", [*SQL, *TEMPLATES], ids=lambda file: file.name)
def test_query(file: Path) -> None:
    assert not HIDES_IN_SQL.search(file.read_text())


def test_python_code() -> None:
    assert [file.name for file in PYTHON if HIDES.search(file.read_text())] == []
