"""The rule finds positions that are compared as text, and this checkout follows it."""

from pathlib import Path

import pytest

from ci.rules.lsn_comparison import violations

ROOT = Path(__file__).resolve().parents[3]

WRONG = (
    'x = lines["Backup start location"] == "0/0"',
    'x = found == "0/03000060"',
    'x = found in ("0/0", "0/00000000")',
    'x = row["replay_lsn"] < row["flush_lsn"]',
    'x = row["position"] != before',
    "x = lsn_text(one) <= lsn_text(other)",
    "x = node.wal_position() == other",
    "x = max(node.wal_position(), other)",
    "x = end_of(node) > redo_of(node)",
    "start = lsn_text(one)\nx = found != start",
    "def f():\n    start = lsn_text(one)\n    return found != start",
    'match found:\n    case "0/0": pass',
)
RIGHT = (
    'x = parse_lsn(lines["Backup start location"]) == 0',
    'x = parse_lsn(row["replay_lsn"]) < one',
    'x = row["restart_lsn"] is None',
    "x = max(end, other, key=number)",
    "x = history.end_of(timeline) == lsn",
    "def f():\n    start = lsn_text(one)\ndef g(start):\n    return start == 5",
    'x = path == "base/5"',
    '# as text: the server reads it\nx = said == "0/3000060"',
)


@pytest.mark.parametrize("text", WRONG)
def test_planted_comparison_is_seen(tmp_path: Path, text: str) -> None:
    assert len(found_in(tmp_path, "found.py", text)) == 1


@pytest.mark.parametrize("text", RIGHT)
def test_what_is_none_is_let_by(tmp_path: Path, text: str) -> None:
    assert found_in(tmp_path, "found.py", text) == []


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("where pg_current_wal_lsn()::text = %(position)s", 1),
        ("where restart_lsn::pg_catalog.text > '0/0'", 1),
        ("where '0/0'::text < x", 1),
        ("select restart_lsn::pg_catalog.text as restart_lsn,", 0),
        ("where end_lsn > %(redo)s::pg_catalog.pg_lsn", 0),
    ],
)
def test_position_that_becomes_text_in_a_query(tmp_path: Path, text: str, found: int) -> None:
    assert len(found_in(tmp_path, "found.sql", f"select 1\n{text}\n")) == found


def test_nothing_here_breaks_it() -> None:
    assert list(violations(ROOT)) == []


def found_in(root: Path, name: str, text: str) -> list[str]:
    folder = root / "src"
    folder.mkdir()
    (folder / name).write_text(text)
    return list(violations(root))
