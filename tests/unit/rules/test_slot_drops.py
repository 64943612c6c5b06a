"""The rule finds a slot that is dropped elsewhere, and this checkout follows it."""

from pathlib import Path

from ci.rules.slot_drops import violations

ROOT = Path(__file__).resolve().parents[3]


def test_planted_violations_are_seen(tmp_path: Path) -> None:
    package = tmp_path / "src" / "pgpool_recovery"
    queries = package / "postgres" / "sql"
    queries.mkdir(parents=True)
    call = 'def f(c):\n    c.rows("drop_slot", name="barman")\n'
    (package / "postgres" / "slots.py").write_text(call)
    (queries / "drop_slot.sql").write_text("select pg_drop_replication_slot('x')\n")
    assert list(violations(tmp_path)) == []
    (package / "hook.py").write_text(call)
    (queries / "end_copy.sql").write_text("select 1,\n  pg_drop_replication_slot('x')\n")
    assert [line.split(": ")[0] for line in violations(tmp_path)] == [
        "src/pgpool_recovery/hook.py:2",
        "src/pgpool_recovery/postgres/sql/end_copy.sql:2",
    ]


def test_nothing_here_breaks_it() -> None:
    assert list(violations(ROOT)) == []
