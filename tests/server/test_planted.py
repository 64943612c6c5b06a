"""Our scripts, views and functions run nothing that another role has planted."""

from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from psycopg import sql

from tests.harness.postgresql import Server
from tests.harness.product import Product, install_extension
from tests.server import planting
from tests.server.conftest import on_each_major, write_script
from tests.server.test_update import VERSION_1_0

pytestmark = on_each_major

# The other role may create objects in the schema `target`, and in public.
CASES = [
    *(("pgpool_recovery", None, schema) for schema in ("public", "target")),
    *(("pgpool_adm", None, schema) for schema in ("public", "target")),
    ("pgpool_regclass", None, "public"),
    *(("pgpool_recovery", f"1.{minor}", "target") for minor in range(5)),
    ("pgpool_recovery", "1.4", "public"),
    *(("pgpool_adm", f"1.{minor}", "target") for minor in range(7)),
    ("pgpool_adm", "1.4", "public"),
    ("pgpool_regclass", "1.0", "public"),
]
HOSTILE_PATH = "target, public, pg_catalog"
NOWHERE = "could not connect to Pgpool-II at /nowhere"
ROW = """
INSERT INTO {schema}.pgpool_recovery_run
       (host, data_directory, state, total_bytes, done_bytes, bytes_per_s)
VALUES ('host', '/data', 'running', 100, 50, 5)
"""
VIEWS = ("pgpool_recovery_progress", "pgpool_recovery_history")
WORDS = "'noop'::pg_catalog.text, 'host'::pg_catalog.text, '/data'::pg_catalog.text"
TEXT = "'x'::pg_catalog.text"
RECOVERY_CALLS = {
    f"pgpool_recovery({WORDS})": None,
    f"pgpool_recovery({WORDS}, {TEXT})": None,
    f"pgpool_recovery({WORDS}, {TEXT}, 1)": None,
    f"pgpool_recovery({WORDS}, {TEXT}, 1, {TEXT})": None,
    f"pgpool_recovery({WORDS}, {TEXT}, 1, {TEXT}, {TEXT})": None,
    f"pgpool_remote_start({TEXT}, {TEXT})": "pgpool_remote_start failed",
    "pgpool_pgctl('status'::pg_catalog.text, ''::pg_catalog.text)": None,
    "pgpool_pgctl('reload'::pg_catalog.text, ''::pg_catalog.text)": None,
    "pgpool_switch_xlog('/nowhere'::pg_catalog.text)": 'could not stat file "/nowhere"',
    f"pgpool_recovery_plan({TEXT}, {TEXT}, {TEXT}, 1, {TEXT}, {TEXT})": "does not exist",
    "pgpool_recovery_check('[]'::pg_catalog.jsonb)": "does not exist",
}
SIGNATURES = """
SELECT p.proname, p.oid::pg_catalog.regprocedure::pg_catalog.text,
       pg_catalog.oidvectortypes(p.proargtypes), p.pronargs
  FROM pg_catalog.pg_proc p
  JOIN pg_catalog.pg_depend d ON d.classid = 'pg_catalog.pg_proc'::pg_catalog.regclass
   AND d.objid = p.oid AND d.deptype = 'e'
  JOIN pg_catalog.pg_extension e ON e.oid = d.refobjid
 WHERE e.extname = %s ORDER BY 2
"""


def database_of(extension: str, version: str | None, schema: str) -> str:
    return f"{extension}_{version or 'new'}_{schema}".replace(".", "_")


def connect(server: Server, database: str, user: str = "postgres") -> psycopg.Connection:
    return psycopg.connect(server.conninfo_from_here(user, dbname=database), autocommit=True)


@pytest.fixture(scope="module")
def planted(stock_server: Server, product: Product) -> Server:
    """A server with a database for each case, in which mallory has planted everything she can."""
    server = stock_server
    server.execute("CREATE ROLE mallory LOGIN")
    server.execute("CREATE DATABASE planted OWNER mallory TEMPLATE template0")
    server.execute(
        "CREATE SCHEMA target; GRANT CREATE, USAGE ON SCHEMA target, public TO PUBLIC",
        database="planted",
    )
    found = planting.used()
    with connect(server, "planted", "mallory") as mallory:
        mallory.execute(planting.TRAP)
        for schema in ("public", "target"):
            mallory.execute(planting.planting(found, schema))
    oldest = server.installation.extension_directory / "pgpool_recovery--1.0.sql"
    server.machine.path(oldest).write_text(VERSION_1_0)
    for case in CASES:
        extension, version, schema = case
        database = database_of(*case)
        server.execute(f"CREATE DATABASE {database} TEMPLATE planted")
        if version is not None and version in versions(server, extension):
            where = "" if extension == "pgpool_regclass" else f"SCHEMA {schema}"
            server.execute(
                f"CREATE EXTENSION {extension} VERSION '{version}' {where}", database=database
            )
    write_script(server, "exit 0", "noop")
    install_extension(server.machine, server.installation, product)
    return server


def versions(server: Server, extension: str) -> set[str]:
    query = f"SELECT version FROM pg_available_extension_versions WHERE name = '{extension}'"
    return {version for (version,) in server.sql(query)}


@pytest.fixture
def session(
    planted: Server, extension: str, version: str | None, schema: str
) -> Iterator[psycopg.Connection]:
    """A superuser's session in the database of a case; it may not call anything planted."""
    database = database_of(extension, version, schema)
    told: list[str | None] = []
    with connect(planted, database) as session:
        session.add_notice_handler(lambda notice: told.append(notice.message_primary))
        session.execute("SELECT pg_catalog.setval('trap.calls_as_superuser', 1, false)")
        session.execute(
            sql.SQL("SELECT pg_catalog.set_config('search_path', {}, false)").format(HOSTILE_PATH)
        )
        yield session
        session.execute("RESET search_path")
        called = session.execute("SELECT is_called FROM trap.calls_as_superuser").fetchone()
    assert [one for one in told if one is None or one.startswith("planted")] == []
    assert called == (False,)


def test_plants_are_called_where_the_search_path_leads(planted: Server) -> None:
    """A session that trusts its search path calls planted objects, as our scripts once did.

    Otherwise the other tests would show nothing.
    """
    with connect(planted, "planted") as session:
        session.execute("SELECT 1 FROM pg_class WHERE oid = 'pg_class'::regclass")
        as_superuser = session.execute("SELECT last_value FROM trap.calls_as_superuser").fetchone()
        assert as_superuser is not None
        assert as_superuser[0] > 1
        session.execute("SET search_path = target, pg_catalog")
        for query in ("SELECT format('%s', 'x'::text)", "SELECT ''::text", "TABLE pg_roles"):
            session.execute("SELECT pg_catalog.setval('trap.calls_as_superuser', 1, false)")
            session.execute(query)
            assert session.execute("SELECT is_called FROM trap.calls_as_superuser").fetchone() == (
                True,
            )


@pytest.mark.parametrize(("extension", "version", "schema"), CASES)
def test_promise_13_nothing_planted_is_run(
    session: psycopg.Connection, extension: str, version: str | None, schema: str, planted: Server
) -> None:
    """CREATE EXTENSION, ALTER EXTENSION UPDATE, the views and the functions run nothing planted."""
    if version is None:
        session.execute(f"CREATE EXTENSION {extension} SCHEMA {schema}")
    elif version in versions_of_database(session, extension):
        session.execute(f"ALTER EXTENSION {extension} UPDATE")
    else:
        pytest.skip(f"this Pgpool-II has no {extension} {version}")
    plant_beside(planted, session, extension, schema)
    if extension == "pgpool_recovery":
        session.execute(ROW.format(schema=schema))
        for view in VIEWS:
            assert session.execute(f"TABLE {schema}.{view}").rowcount == 1
        calls: dict[str, str | None] = RECOVERY_CALLS
    elif extension == "pgpool_adm":
        calls = adm_calls(session)
    else:
        schema, calls = "pg_catalog", {"pgpool_regclass('pg_class'::pg_catalog.text)": None}
    for call, message in calls.items():
        expect(session, f"SELECT {schema}.{call}", message)


def versions_of_database(session: psycopg.Connection, extension: str) -> set[str]:
    query = "SELECT e.extversion FROM pg_catalog.pg_extension e WHERE e.extname::pg_catalog.text "
    rows = session.execute(query + "OPERATOR(pg_catalog.=) %s::pg_catalog.text", [extension])
    return {version for (version,) in rows}


def plant_beside(server: Server, session: psycopg.Connection, extension: str, schema: str) -> None:
    """Plant functions that have the names of ours, but other arguments, in the same schema."""
    database = session.info.dbname
    with connect(server, database, "mallory") as mallory:
        rows = mallory.execute(SIGNATURES, [extension]).fetchall()
        for name, count in {(row[0], row[3]) for row in rows}:
            for statement in planting.functions(schema, name, count):
                try:
                    mallory.execute(statement)
                except (psycopg.errors.DuplicateFunction, psycopg.errors.InsufficientPrivilege):
                    continue  # This one is our own.


def adm_calls(session: psycopg.Connection) -> dict[str, str | None]:
    """Return a call of each function of pgpool_adm, with the message of its failure."""
    session.execute(
        """CREATE FOREIGN DATA WRAPPER pgpool_fdw;
        CREATE SERVER pool FOREIGN DATA WRAPPER pgpool_fdw OPTIONS (host '/nowhere', port '45678');
        CREATE USER MAPPING FOR PUBLIC SERVER pool OPTIONS (user 'pgpool', password 'secret')"""
    )
    session.execute("SET search_path = pg_catalog")
    rows = session.execute(SIGNATURES, ["pgpool_adm"]).fetchall()
    session.execute(f"SET search_path = {HOSTILE_PATH}")
    values = {"integer": "0", "boolean": "false", "text": "'fast'::pg_catalog.text"}
    calls: dict[str, str | None] = {}
    for name, _, types, _ in rows:
        if not name.startswith("pcp_"):
            continue
        own, address, _ = types.rpartition("text, integer, text, text")
        last = "'/nowhere'::pg_catalog.text, 1, 'u'::pg_catalog.text, 'p'::pg_catalog.text"
        if not address:
            own, last = types.rpartition("text")[0], "'pool'::pg_catalog.text"
        arguments = [values[one] for one in own.split(", ") if one]
        calls[f"{name}({', '.join([*arguments, last])})"] = NOWHERE
    assert len(calls) == 26
    return calls


def expect(session: psycopg.Connection, statement: str, message: str | None) -> None:
    """Run a statement that must fail with `message`, or must succeed if that is None."""
    if message is None:
        session.execute(statement)
        return
    with pytest.raises(psycopg.Error) as caught:
        session.execute(statement)
    assert message in (caught.value.diag.message_primary or ""), statement


@pytest.mark.parametrize(
    "planted_statement",
    [
        "CREATE TABLE public.pgpool_recovery_run (host text)",
        "CREATE TYPE public._pgpool_recovery_outcome AS (result boolean)",
        "CREATE VIEW public.pgpool_recovery_history AS SELECT 1",
        "CREATE FUNCTION public._pgpool_recovery_supervisor() RETURNS text LANGUAGE sql RETURN ''",
        """CREATE FUNCTION public.pgpool_recovery_plan(text, text, text, integer, text, text)
            RETURNS jsonb LANGUAGE sql RETURN NULL::pg_catalog.jsonb""",
        """CREATE FUNCTION public.pgpool_recovery(text, text, text, text, integer, text, text)
            RETURNS boolean LANGUAGE sql STRICT RETURN true""",
    ],
)
def test_promise_13_object_with_one_of_our_names_is_not_taken_over(
    planted: Server, planted_statement: str
) -> None:
    """An object with one of our names makes CREATE and ALTER EXTENSION fail with its name."""
    for version in (None, "1.1") if stock_control(planted).exists() else (None,):
        planted.execute("CREATE DATABASE taken TEMPLATE planted")
        try:
            if version is not None:
                take_stock(planted, "taken")
            with connect(planted, "taken", "mallory") as mallory:
                mallory.execute(planted_statement)
            before = owned_by_mallory(planted)
            with connect(planted, "taken") as session, pytest.raises(psycopg.Error) as caught:
                session.execute(
                    "CREATE EXTENSION pgpool_recovery SCHEMA public"
                    if version is None
                    else "ALTER EXTENSION pgpool_recovery UPDATE"
                )
            name = planted_statement.partition("public.")[2].partition("(")[0].split()[0]
            assert name in (caught.value.diag.message_primary or "")
            assert owned_by_mallory(planted) == before
        finally:
            planted.execute("DROP DATABASE taken WITH (FORCE)")


def stock_control(server: Server) -> Path:
    """Return the path of the saved stock control file, if there is a package of that extension."""
    directory = server.machine.path(server.installation.extension_directory)
    return directory / "pgpool_recovery.control.before-pgpool-recovery"


def take_stock(server: Server, database: str) -> None:
    """Create version 1.1 of the stock extension in public."""
    saved = stock_control(server)
    ours = saved.with_name("pgpool_recovery.control")
    our_control = ours.read_text()
    ours.write_text(saved.read_text())
    try:
        server.execute(
            "CREATE EXTENSION pgpool_recovery VERSION '1.1' SCHEMA public", database=database
        )
    finally:
        ours.write_text(our_control)


def owned_by_mallory(server: Server) -> list[tuple[str, ...]]:
    query = """SELECT classid, objid FROM pg_catalog.pg_shdepend
                WHERE refobjid OPERATOR(pg_catalog.=) 'mallory'::pg_catalog.regrole
                  AND deptype OPERATOR(pg_catalog.=) 'o' ORDER BY 1, 2"""
    return server.sql(query, database="taken")


def test_promise_13_owner_of_the_schema_puts_nothing_in_the_place_of_ours(planted: Server) -> None:
    """The schema's owner renames it, and replaces it and our functions; none of hers is called.

    Hers are declared IMMUTABLE, so a query that uses one would run it while it is planned.
    """
    planted.execute("CREATE DATABASE renamed OWNER mallory TEMPLATE template0")
    planted.execute(
        """CREATE SCHEMA hers AUTHORIZATION mallory;
        CREATE EXTENSION pgpool_recovery SCHEMA hers;
        CREATE EXTENSION pgpool_adm SCHEMA hers;
        GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA hers TO mallory;
        CREATE FOREIGN DATA WRAPPER pgpool_fdw;
        CREATE SERVER pool FOREIGN DATA WRAPPER pgpool_fdw OPTIONS (host '/nowhere');
        CREATE USER MAPPING FOR PUBLIC SERVER pool OPTIONS (user 'pgpool', password 'secret');""",
        database="renamed",
    )
    with connect(planted, "renamed", "mallory") as mallory:
        mallory.execute(planting.TRAP)
        mallory.execute("ALTER SCHEMA hers RENAME TO elsewhere; CREATE SCHEMA hers")
        rows = [
            row
            for extension in ("pgpool_recovery", "pgpool_adm")
            for row in mallory.execute(SIGNATURES, [extension]).fetchall()
            if row[0].startswith(("_pgpool", "pgpool"))
        ]
        planted_names = set()
        for name, _, types, _ in rows:
            if types != "internal":
                replace_function(mallory, name, types)
                planted_names.add(name)
        assert {"_pgpool_recovery_finish", "_pgpool_adm_answer"} <= planted_names
        for name, _, types, _ in rows:
            if types == "internal" or name.endswith("_handler"):
                continue
            arguments = ", ".join(f"NULL::{one}" for one in types.split(", ") if one)
            strict = name.startswith("pgpool")
            if strict:
                arguments = arguments.replace("NULL::jsonb", "'[]'::jsonb")
                arguments = arguments.replace("NULL::text", "'x'::text").replace("NULL", "0")
            try:
                mallory.execute(f"SELECT elsewhere.{name}({arguments})")
            except psycopg.Error:
                continue
        with connect(planted, "renamed") as session:
            expect(session, "SELECT elsewhere.pcp_node_count('pool')", NOWHERE)
            expect(session, "SELECT elsewhere.pcp_node_count('/nowhere', 1, 'u', 'p')", NOWHERE)
        called = mallory.execute("SELECT is_called FROM trap.calls_as_superuser").fetchone()
        assert called == (False,)


def replace_function(mallory: psycopg.Connection, name: str, types: str) -> None:
    """Create a function of mallory's in place of ours, with the same result type."""
    query = """SELECT pg_catalog.pg_get_function_result(p.oid), p.proretset
                 FROM pg_catalog.pg_proc p
                WHERE p.pronamespace = 'elsewhere'::regnamespace AND p.proname = %s
                  AND pg_catalog.oidvectortypes(p.proargtypes) = %s"""
    row = mallory.execute(query, [name, types]).fetchone()
    assert row is not None
    result = "SETOF record" if row[1] else row[0]
    if result == "language_handler":
        return
    mallory.execute(
        f"CREATE FUNCTION hers.{name}({types}) RETURNS {result} LANGUAGE plpgsql IMMUTABLE AS "
        f"$$ BEGIN PERFORM trap.is_noted('{name}'); RETURN"
        f"{'' if row[1] or result == 'void' else ' NULL'}; END $$"
    )
