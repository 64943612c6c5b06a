"""The rule finds a name that a search path could lead elsewhere."""

from pathlib import Path

import pytest

from ci.rules.qualified_query import violations

ROOT = Path(__file__).parents[3]


def found(root: Path, query: str) -> list[str]:
    folder = root / "src/pgpool_recovery/postgres/sql"
    folder.mkdir(parents=True)
    (folder / "planted.sql").write_text(query)
    return list(violations(root))


@pytest.mark.parametrize(
    ("query", "what"),
    [
        ("select version()", "function version"),
        ("select pg_catalog.max(left(name, 8)) from pg_catalog.pg_ls_waldir()", "function left"),
        ("select 1 from pg_roles", "relation pg_roles"),
        ("delete from pgpool_recovery_run", "relation pgpool_recovery_run"),
        ("select {extension}.a(%(x)s::text)", "type text"),
        ("select '1'::pg_lsn[]", "type pg_lsn"),
        ("select cast(%(x)s as jsonb)", "type jsonb"),
        ("select 1 where 1 = 'pg_class'::pg_catalog.regclass", "relation pg_class"),
        ("select pg_catalog.to_regproc('public.pg_stat')", "function public.pg_stat"),
        (
            "select pg_catalog.has_function_privilege('pg_stat_file(text)', 'execute')",
            "function pg_stat_file",
        ),
        ("select public.now()", "function public.now"),
        ("with own as (select 1) select * from own, others", "relation others"),
    ],
)
def test_name_without_schema(tmp_path: Path, query: str, what: str) -> None:
    (line,) = found(tmp_path, f"-- What it is.\n{query}")
    place = "src/pgpool_recovery/postgres/sql/planted.sql:2"
    assert line == f"{place}: {what} needs pg_catalog. or {{extension}}."


def test_character_that_a_database_may_lack(tmp_path: Path) -> None:
    (line,) = found(tmp_path, "-- What it is \u2026\nselect 1")
    assert "planted.sql:1: not every database encoding has" in line


def test_query_that_is_none(tmp_path: Path) -> None:
    (line,) = found(tmp_path, "selekt 1")
    assert "planted.sql:1: not SQL: " in line


def test_what_is_qualified(tmp_path: Path) -> None:
    query = """with own as (select pg_catalog.count(*) as n from pg_catalog.pg_class)
    select n, extract(epoch from pg_catalog.now())::bigint, coalesce(%(x)s, 'a_b'), '%%' || n,
           'pg_catalog.pg_class'::pg_catalog.regclass, {extension}.pgpool_pgctl('stop', 'fast')
      from own where n = any (%(names)s) offset %(keep)s"""
    assert found(tmp_path, query) == []


@pytest.mark.parametrize(
    ("call", "what"),
    [
        ('c.do("SELECT pg_reload_conf()")', "function pg_reload_conf needs"),
        ('c.do(f"SELECT {x}::text")', "type text needs"),
        ('c.execute("TABLE pg_settings")', "relation pg_settings needs"),
        ("c.do(text)", "a query that is not written where it is run"),
        ('c.do("IDENTIFY")', "not SQL"),
    ],
)
def test_query_in_the_code(tmp_path: Path, call: str, what: str) -> None:
    folder = tmp_path / "src/pgpool_recovery"
    folder.mkdir(parents=True)
    (folder / "planted.py").write_text(f"x = 1\n{call}\n")
    (line,) = violations(tmp_path)
    assert line.startswith("src/pgpool_recovery/planted.py:2: ")
    assert what in line


def test_we_keep_it() -> None:
    assert list(violations(ROOT)) == []
