"""The rule finds unqualified names in queries of our PL/Python."""

from pathlib import Path

import pytest

from ci.rules import server_queries
from tests.unit.rules.test_extension_scripts import root

__all__ = ["root"]


def found_in(text: str) -> list[str]:
    """Return the violations in a module with this text, without their places."""
    return [
        what
        for query in server_queries.queries_in("one.py", text, 1)
        for _, _, what in server_queries.violations_of(query)
    ]


def test_our_queries_break_nothing(root: Path) -> None:
    assert server_queries.violations(root) == []


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ('QUERY = "select lower(name) from pg_catalog.pg_roles"', "function lower"),
        ('QUERY = """\nselect name\n  from pg_roles\n"""', "relation pg_roles"),
        ("QUERY = \"select ''::text\"", "type text"),
        ('def f(plpy):\n    plpy.execute("VACUUM pg_class")', "relation pg_class"),
        ("QUERY = \"select 'pg_class'::pg_catalog.regclass\"", "relation pg_class"),
        ('QUERY = "select evil.f()"', "function evil.f"),
    ],
)
def test_name_without_its_schema_is_found(text: str, name: str) -> None:
    assert found_in(text) == [f"{name} is looked up in the search path"]


@pytest.mark.parametrize(
    "text",
    [
        'QUERY = "select 1 = 1 from pg_catalog.pg_roles"',
        'def f():\n    """select this one."""',
    ],
)
def test_what_is_qualified_is_not_found(text: str) -> None:
    assert found_in(text) == []


@pytest.mark.parametrize(
    "call",
    [
        "{schema}._pgpool_adm_read_mapping()",
        "%s.lower('x')",
        "extension_schema.f()",
        "public._pgpool_adm_read_mapping()",
        "pg_catalog.pgpool_recovery('x', 'y', 'z')",
        "'{schema}.f()'::pg_catalog.regprocedure",
    ],
)
def test_what_is_ours_is_found_with_any_schema(call: str) -> None:
    """The owner of the schema can put something else there."""
    (what,) = set(found_in(f'QUERY = "select {call}"'))
    assert what.endswith(" is ours, but called by name")


def test_query_that_cannot_be_read_is_found() -> None:
    assert found_in('QUERY = "select from where"')[0].startswith("this query cannot be parsed")


def test_query_in_a_template_is_found(root: Path) -> None:
    template = root / "extension/sql/adm.sql"
    text = template.read_text()
    mark = "{{ python_value read_mapping(plpy, SD, GD) }}"
    assert mark in text
    planted = f"plpy.execute('select pg_sleep(0)')\n{mark}"
    template.write_text(text.replace(mark, planted))
    found = server_queries.violations(root)
    assert {line.split(": ", 1)[1] for line in found} == {
        "function pg_sleep is looked up in the search path"
    }
