"""The rule finds names in a script for which another role could plant an object."""

import shutil
from pathlib import Path

import pytest

from ci.rules import extension_scripts

REPOSITORY = Path(__file__).resolve().parents[3]
CONTROLS = tuple(f"extension/{one.name}" for one in (REPOSITORY / "extension").glob("*.control"))
BUILT_OF = ("extension/build.py", *CONTROLS, "extension/sql", "extension/python")
SHARED = ("src/pgpool_recovery/pcp/client", "src/pgpool_recovery/in_server")
PATH = "pg_catalog, pg_temp"
PINNED = f"SET search_path = {PATH}"
OK = """
SELECT pg_catalog.lower('x') OPERATOR(pg_catalog.||) 'y'::pg_catalog.text
  FROM pg_catalog.pg_class AS c WHERE c.oid OPERATOR(pg_catalog.=)
       'pg_catalog.pg_class'::pg_catalog.regclass;
"""


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A checkout with only the extensions, in which a test plants something."""
    for part in (*BUILT_OF, *SHARED):
        source, target = REPOSITORY / part, tmp_path / part
        target.parent.mkdir(parents=True, exist_ok=True)
        if source.is_dir():
            shutil.copytree(source, target, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(source, target)
    return tmp_path


def found_in(text: str) -> list[str]:
    """Return the violations in a script that does this."""
    script = extension_scripts.parsed("one.sql", f"SET LOCAL search_path = {PATH};\n{text}\n")
    return sorted({what for _, what, _ in extension_scripts.violations_of(script)})


def test_our_scripts_break_nothing(root: Path) -> None:
    assert extension_scripts.violations(root) == []


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("SELECT lower('x');", ["function lower"]),
        ("SELECT evil.lower('x');", ["function evil.lower"]),
        ("SELECT 1 + 1;", ["operator +"]),
        ("SELECT 1 OPERATOR(evil.+) 1;", ["operator evil.+"]),
        ("SELECT 'x'::text;", ["type text"]),
        ("SELECT 'pg_class'::pg_catalog.regclass;", ["relation pg_class"]),
        ("SELECT FROM pg_class;", ["relation pg_class"]),
        ("SELECT 1 IN (2);", ["operator = of IN"]),
        ("SELECT 1 IN (SELECT 1);", ["operator = of IN"]),
        ("SELECT 1 OPERATOR(pg_catalog.=) ANY (SELECT 1), 1 < ALL (SELECT 1);", ["operator <"]),
        ("SELECT 'x' LIKE 'y';", ["operator ~~ of LIKE"]),
        ("SELECT NULLIF(1, 2);", ["operator = of NULLIF"]),
        ("SELECT 1 IS DISTINCT FROM 2;", ["operator = of IS DISTINCT FROM"]),
        ("SELECT 1 BETWEEN 2 AND 3;", ["operator <= of BETWEEN", "operator >= of BETWEEN"]),
        ("SELECT CASE 1 WHEN 2 THEN 3 END;", ["operator = of CASE value WHEN"]),
        (
            "SELECT FROM pg_catalog.pg_class a JOIN pg_catalog.pg_class b USING (oid);",
            ["operator = of JOIN … USING"],
        ),
        (
            "SELECT FROM pg_catalog.pg_class a NATURAL JOIN pg_catalog.pg_class b;",
            ["operator = of NATURAL JOIN"],
        ),
        ("SELECT 1 ORDER BY 1 USING <;", ["operator <"]),
        ("CREATE VIEW @extschema@.v AS SELECT upper('x');", ["function upper"]),
        ("CREATE VIEW v AS SELECT 1 AS one;", ["relation v"]),
        ("CREATE TABLE @extschema@.t (c integer DEFAULT f());", ["function f"]),
        ("CREATE TABLE @extschema@.t (c integer CHECK (c > 0));", ["operator >"]),
        ("CREATE TABLE @extschema@.t (c integer REFERENCES u);", ["relation u"]),
        ("COMMENT ON TABLE t IS 'x';", ["relation t"]),
        ("GRANT EXECUTE ON FUNCTION f(integer) TO PUBLIC;", ["function f"]),
        ("REVOKE ALL ON t FROM PUBLIC;", ["relation t"]),
        ("ALTER FUNCTION f() OWNER TO CURRENT_USER;", ["function f"]),
        ("SELECT pg_catalog.pg_extension_config_dump('t', '');", ["relation t"]),
        ("CREATE TYPE t AS (a integer);", ["relation t"]),
        ("DO $$ BEGIN PERFORM upper('x'); END $$;", ["function upper"]),
        ("DO $$ BEGIN IF 1 = 1 THEN NULL; END IF; END $$;", ["operator ="]),
        ("DO $$ DECLARE i integer; BEGIN i := 1 + 1; END $$;", ["operator +"]),
        ("DO $$ DECLARE t text; BEGIN NULL; END $$;", ["type text"]),
        (
            "DO $$ BEGIN CASE 1 WHEN 2 THEN NULL; END CASE; END $$;",
            ["operator = of IN"],
        ),
        (
            "CREATE FUNCTION @extschema@.f() RETURNS integer LANGUAGE sql RETURN 1 + 1;",
            ["operator +"],
        ),
        (
            """CREATE FUNCTION @extschema@.f() RETURNS integer LANGUAGE sql
            BEGIN ATOMIC SELECT abs(1); END;""",
            ["function abs"],
        ),
    ],
)
def test_name_without_its_schema_is_found(text: str, names: list[str]) -> None:
    assert found_in(text) == [f"{name} is looked up in the search path" for name in names]


@pytest.mark.parametrize(
    "text",
    [
        OK,
        "WITH w AS (SELECT 1 AS one) SELECT FROM w;",
        f"""CREATE FUNCTION @extschema@.f() RETURNS integer LANGUAGE sql {PINNED}
        AS $$ SELECT abs(1) $$;""",
        "SELECT extract(epoch FROM pg_catalog.now()), current_user, coalesce(1, 2);",
    ],
)
def test_what_is_qualified_or_needs_no_schema_is_not_found(text: str) -> None:
    assert found_in(text) == []


def test_function_without_a_search_path_of_its_own_is_found() -> None:
    text = "CREATE FUNCTION @extschema@.f() RETURNS integer LANGUAGE sql AS $$ SELECT abs(1) $$;"
    assert found_in(text) == [
        "function abs is looked up in the search path",
        "function f does not set a search path",
    ]
    text = (
        "CREATE FUNCTION @extschema@.g() RETURNS integer LANGUAGE plpgsql "
        "SET search_path = pg_catalog, public AS $$ BEGIN RETURN 1; END $$;"
    )
    assert "function g does not set a search path" in found_in(text)


def test_text_that_calls_functions_of_the_extension_is_found() -> None:
    """The owner of the schema can rename it, and put another function in its place."""
    text = (
        f"CREATE FUNCTION @extschema@.f() RETURNS integer LANGUAGE plpgsql {PINNED} "
        "AS $$ BEGIN RETURN @extschema@.g(); END $$;"
    )
    assert found_in(text) == ["function f contains the name of the schema"]
    text = (
        f"CREATE FUNCTION @extschema@.f() RETURNS integer LANGUAGE x {PINNED} "
        "AS $$ f('@extschema@') $$;"
    )
    assert found_in(text) == ["function f contains the name of the schema"]


def test_what_build_py_makes_of_a_template_is_read(root: Path) -> None:
    template = root / "extension/sql/outcome.sql"
    template.write_text("SELECT\n    lower('x');\n" + template.read_text())
    build = root / "extension/build.py"
    build.write_text(build.read_text().replace("SET LOCAL search_path", "SET search_path"))
    found = extension_scripts.violations(root)
    assert {line.split(": ", 1)[1] for line in found} == {
        "does not begin with SET LOCAL search_path = pg_catalog, pg_temp",
        "function lower is looked up in the search path",
    }
    (place,) = [line.split(": ")[0] for line in found if "lower" in line]
    file, line = place.split(":")
    (script,) = [one for one in extension_scripts.scripts(root) if file.endswith(one.file)]
    assert script.text.split("\n")[int(line) - 1] == "    lower('x');"
