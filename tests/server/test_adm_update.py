"""ALTER EXTENSION UPDATE takes pgpool_adm and pgpool_regclass from any stock version to ours."""

from collections.abc import Iterator
from dataclasses import dataclass

import psycopg
import pytest

from tests.harness.command import CommandError
from tests.harness.postgresql import Server
from tests.harness.product import Product, install_extension
from tests.server.conftest import on_each_with_stock

pytestmark = on_each_with_stock

NOWHERE = "could not connect to Pgpool-II at /nowhere"
PROCESS_COLUMNS = """
    OUT database text, OUT username text, OUT start_time text, OUT client_connection_count text,
    OUT major text, OUT minor text, OUT backend_connection_time text,
    OUT client_connection_time text, OUT client_idle_duration text,
    OUT client_disconnection_time text, OUT pool_counter text, OUT backend_pid text,
    OUT connected text, OUT pid text, OUT backend_id text, OUT status text,
    OUT load_balance_node text, OUT client_host text, OUT client_port text, OUT statement text
"""
# Versions 1.5 and 1.6 came with Pgpool-II 4.6 and 4.7. If the installed package is older, these
# scripts make the changes of those versions.
VERSION_1_5 = """
ALTER EXTENSION pgpool_adm DROP FUNCTION pcp_pool_status(text, integer, text, text);
DROP FUNCTION pcp_pool_status(text, integer, text, text);
CREATE FUNCTION pcp_pool_status(IN host text, IN port integer, IN username text, IN password text,
    OUT item text, OUT value text, OUT description text) RETURNS SETOF record
AS 'MODULE_PATHNAME', '_pcp_pool_status' LANGUAGE C VOLATILE STRICT;
ALTER EXTENSION pgpool_adm DROP FUNCTION pcp_pool_status(text);
DROP FUNCTION pcp_pool_status(text);
CREATE FUNCTION pcp_pool_status(IN pcp_server text,
    OUT item text, OUT value text, OUT description text) RETURNS SETOF record
AS 'MODULE_PATHNAME', '_pcp_pool_status' LANGUAGE C VOLATILE STRICT;
"""
VERSION_1_6 = f"""
CREATE FUNCTION pcp_proc_info(IN host text, IN port integer, IN username text, IN password text,
    {PROCESS_COLUMNS}) RETURNS SETOF record
AS 'MODULE_PATHNAME', '_pcp_pool_status' LANGUAGE C VOLATILE STRICT;
CREATE FUNCTION pcp_proc_info(IN pcp_server text,
    {PROCESS_COLUMNS}) RETURNS SETOF record
AS 'MODULE_PATHNAME', '_pcp_pool_status' LANGUAGE C VOLATILE STRICT;
"""
UPDATES = {"pgpool_adm--1.4--1.5.sql": VERSION_1_5, "pgpool_adm--1.5--1.6.sql": VERSION_1_6}

# How each database gets its stock extension. The stock update scripts to 1.2 and to 1.4 have
# syntax errors, so those versions can only be created directly.
ORIGINS = {
    "fresh_1_0": "CREATE EXTENSION pgpool_adm VERSION '1.0'",
    "fresh_1_1": "CREATE EXTENSION pgpool_adm VERSION '1.1'",
    "fresh_1_2": "CREATE EXTENSION pgpool_adm VERSION '1.2'",
    "fresh_1_3": "CREATE EXTENSION pgpool_adm VERSION '1.3'",
    "fresh_1_4": "CREATE EXTENSION pgpool_adm VERSION '1.4'",
    "from_1_0_to_1_1": """CREATE EXTENSION pgpool_adm VERSION '1.0';
        ALTER EXTENSION pgpool_adm UPDATE TO '1.1'""",
    "from_1_4_to_1_5": """CREATE EXTENSION pgpool_adm VERSION '1.4';
        ALTER EXTENSION pgpool_adm UPDATE TO '1.5'""",
    "from_1_4_to_1_6": """CREATE EXTENSION pgpool_adm VERSION '1.4';
        ALTER EXTENSION pgpool_adm UPDATE TO '1.5';
        ALTER EXTENSION pgpool_adm UPDATE TO '1.6'""",
    "in_a_schema": """CREATE SCHEMA "Other";
        CREATE EXTENSION pgpool_adm VERSION '1.4' SCHEMA "Other";
        ALTER DATABASE in_a_schema SET search_path = "Other", public""",
}
DEPENDENTS = """
    CREATE FOREIGN DATA WRAPPER pgpool_fdw;
    CREATE SERVER pool FOREIGN DATA WRAPPER pgpool_fdw OPTIONS (host '/nowhere', port '45678');
    CREATE USER MAPPING FOR operator SERVER pool OPTIONS (user 'pgpool', password 'secret');
    GRANT EXECUTE ON FUNCTION pcp_attach_node(integer, text), pcp_node_info(integer, text)
        TO operator;
    CREATE VIEW by_address WITH (security_barrier) AS
        SELECT * FROM pcp_node_info(0, '/nowhere', 1234, 'pgpool', 'secret');
    CREATE VIEW "By server" AS SELECT n.weight AS share, n.port FROM pcp_node_info(1, 'pool') AS n;
    CREATE VIEW on_both AS SELECT "By server".share FROM by_address, "By server";
    CREATE VIEW parameter AS SELECT (pcp_pool_status('pool')).item;
    CREATE VIEW counted AS SELECT pcp_node_count('pool');
    CREATE MATERIALIZED VIEW kept AS SELECT pcp_node_count('pool') WITH NO DATA;
    GRANT SELECT ON by_address, "By server", on_both, parameter, counted TO operator;
    ALTER VIEW by_address OWNER TO keeper;
"""
VIEWS = ("by_address", '"By server"', "on_both", "parameter", "counted")


@dataclass(frozen=True)
class Updated:
    """A server whose stock extensions were updated, and the columns of its views before that."""

    server: Server
    columns: dict[str, list[tuple[str, ...]]]


@pytest.fixture(scope="module")
def updated(stock_server: Server, product: Product) -> Iterator[Updated]:
    server = stock_server
    server.execute("CREATE ROLE operator LOGIN; CREATE ROLE somebody LOGIN; CREATE ROLE keeper;")
    for name, text in UPDATES.items():
        file = server.machine.path(server.installation.extension_directory / name)
        if not file.exists():
            file.write_text(text)
    for database, origin in ORIGINS.items():
        server.execute(f"CREATE DATABASE {database}")
        server.execute(origin, database=database)
        server.execute(DEPENDENTS, database=database)
        with pytest.raises(CommandError, match="connection to PCP server failed"):
            server.sql("SELECT pcp_node_count('/nowhere', 1234, 'u', 'p')", database=database)
    columns = {database: view_columns(server, database) for database in ORIGINS}
    install_extension(server.machine, server.installation, product)
    for database in ORIGINS:
        server.execute("ALTER EXTENSION pgpool_adm UPDATE", database=database)
    yield Updated(server, columns)
    for database in ORIGINS:
        server.execute(f"DROP DATABASE {database}")


def view_columns(server: Server, database: str) -> list[tuple[str, ...]]:
    """Return the columns of all views, with each view's owner, privileges and options."""
    query = """SELECT c.relname, a.attname, a.atttypid::regtype, c.relowner::regrole, c.relacl,
                      c.reloptions
                 FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid
                WHERE c.relkind = 'v' AND c.relnamespace::regnamespace::text ~ 'public|Other'
                ORDER BY c.relname, a.attnum"""
    return server.sql(query, database=database)


def comment_is_ours(server: Server, database: str, extension: str) -> bool:
    query = f"""
        SELECT obj_description(e.oid, 'pg_extension') = a.comment
          FROM pg_extension e JOIN pg_available_extensions a ON a.name = e.extname
         WHERE e.extname = '{extension}'"""
    return server.sql(query, database=database) == [("t",)]


@pytest.mark.parametrize("database", ORIGINS)
def test_comment_is_ours(updated: Updated, database: str) -> None:
    assert comment_is_ours(updated.server, database, "pgpool_adm")


def test_databases_began_with_different_functions(updated: Updated) -> None:
    """The stock versions differ; otherwise the other tests would show nothing."""
    counts = {
        name: sum(row[0] == "by_address" for row in rows) for name, rows in updated.columns.items()
    }
    assert counts == {
        "fresh_1_0": 4,
        "fresh_1_1": 7,
        "fresh_1_2": 9,
        "fresh_1_3": 9,
        "fresh_1_4": 11,
        "from_1_0_to_1_1": 7,
        "from_1_4_to_1_5": 11,
        "from_1_4_to_1_6": 11,
        "in_a_schema": 11,
    }


@pytest.mark.parametrize("database", ORIGINS)
def test_contents_are_those_of_a_fresh_2_0(updated: Updated, database: str) -> None:
    server = updated.server
    query = """SELECT p.proname, pg_get_function_arguments(p.oid), pg_get_function_result(p.oid),
                      l.lanname, p.prosecdef, p.proisstrict, p.provolatile, p.probin,
                      obj_description(p.oid, 'pg_proc'), d.objid IS NOT NULL
                 FROM pg_proc p JOIN pg_language l ON l.oid = p.prolang
                 LEFT JOIN pg_depend d ON d.objid = p.oid AND d.deptype = 'e'
                WHERE p.proname ~ '^(pcp_|_pgpool_adm)' ORDER BY 1, 2"""
    server.execute("CREATE DATABASE fresh TEMPLATE template0")
    server.execute("CREATE EXTENSION pgpool_adm", database="fresh")
    fresh = server.sql(query, database="fresh")
    server.execute("DROP DATABASE fresh")
    assert len([row for row in fresh if row[0].startswith("pcp_")]) == 26
    found = [
        tuple(word.replace('"Other".', "") for word in row)
        for row in server.sql(query, database=database)
    ]
    assert found == fresh
    extension = server.sql(
        "SELECT extversion, extrelocatable FROM pg_extension WHERE extname = 'pgpool_adm'",
        database=database,
    )
    assert extension == [("2.0", "f")]


@pytest.mark.parametrize("database", ORIGINS)
def test_views_are_kept_and_ask(updated: Updated, database: str) -> None:
    server = updated.server
    assert view_columns(server, database) == updated.columns[database]
    for view in VIEWS:
        # The views use the user mapping of the role that reads them.
        with operator_of(server, database) as operator:
            with pytest.raises(psycopg.OperationalError) as caught:
                operator.execute(f"SELECT * FROM {view}")
            assert caught.value.diag.message_primary == NOWHERE


@pytest.mark.parametrize("database", ORIGINS)
def test_functions_that_change_something_keep_their_grants(updated: Updated, database: str) -> None:
    with operator_of(updated.server, database) as operator:
        with pytest.raises(psycopg.OperationalError, match=NOWHERE):
            operator.execute("SELECT pcp_attach_node(0, 'pool')")
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            operator.execute("SELECT pcp_detach_node(0, true, 'pool')")
        with pytest.raises(psycopg.OperationalError, match=NOWHERE):
            operator.execute("SELECT pcp_pool_status('pool')")
    with operator_of(updated.server, database, "somebody") as somebody:
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            somebody.execute("SELECT pcp_attach_node(0, 'pool')")
        with pytest.raises(psycopg.OperationalError, match=NOWHERE):
            somebody.execute("SELECT pcp_node_count('/nowhere', 1234, 'pgpool', 'secret')")


def operator_of(
    server: Server, database: str, user: str = "operator"
) -> "psycopg.Connection[tuple[object, ...]]":
    if database == "in_a_schema":
        server.execute('GRANT USAGE ON SCHEMA "Other" TO operator, somebody', database=database)
    return psycopg.connect(server.conninfo_from_here(user, dbname=database), autocommit=True)


@pytest.mark.parametrize("database", ORIGINS)
def test_it_can_be_dumped_and_dropped(updated: Updated, database: str) -> None:
    server = updated.server
    argv = [server.installation.program("pg_dump"), "-h", str(server.machine.socket_directory)]
    argv += ["-p", str(server.port), "-U", "postgres", "-d", database]
    dump = server.machine.run(argv).stdout
    assert "CREATE EXTENSION IF NOT EXISTS pgpool_adm" in dump
    assert "GRANT ALL ON FUNCTION" in dump
    server.execute("BEGIN; DROP EXTENSION pgpool_adm CASCADE; ROLLBACK;", database=database)


STOCK_1_0 = """
CREATE FUNCTION pcp_node_info(integer, text, OUT host text, OUT port integer, OUT status text,
    OUT weight float4) RETURNS record
AS 'MODULE_PATHNAME', '_pcp_node_info' LANGUAGE C VOLATILE STRICT;
"""


@pytest.mark.parametrize(
    ("dependent", "told"),
    [
        (
            "CREATE MATERIALIZED VIEW d AS SELECT * FROM pcp_node_info(0, 'pool') WITH NO DATA",
            "rule _RETURN on materialized view public.d depends on result columns that change.",
        ),
        (
            "CREATE FUNCTION d() RETURNS text RETURN (pcp_node_info(0, 'pool')).status",
            "function public.d() depends on result columns that change.",
        ),
        # To parse its constant again would run the domain's check as the superuser who updates.
        (
            """CREATE FUNCTION is_run() RETURNS boolean LANGUAGE plpgsql
                AS $$ BEGIN RAISE EXCEPTION 'run by %', current_user; END $$;
            CREATE DOMAIN checked AS text; ALTER DOMAIN checked OWNER TO keeper;
            CREATE VIEW d AS SELECT host, '{1}'::checked[] FROM pcp_node_info(0, 'pool');
            ALTER DOMAIN checked ADD CHECK (is_run()) NOT VALID;""",
            (
                "view public.d depends on result columns that change, and on type "
                "public.checked[], which does not belong to a superuser."
            ),
        ),
    ],
)
def test_dependent_that_cannot_be_recreated_is_named(
    stock_server: Server, updated: Updated, dependent: str, told: str
) -> None:
    """The update refuses, and the stock extension is still there."""
    server = updated.server
    file = server.installation.extension_directory / "pgpool_adm--0.9.sql"
    server.machine.path(file).write_text(STOCK_1_0.replace("MODULE_PATHNAME", "$libdir/pgpool_adm"))
    update = server.machine.path(server.installation.extension_directory)
    oldest = (update / "pgpool_adm--1.0--2.0.sql").read_text()
    (update / "pgpool_adm--0.9--2.0.sql").write_text(oldest)
    server.execute("CREATE DATABASE refused TEMPLATE template0")
    try:
        server.execute("CREATE EXTENSION pgpool_adm VERSION '0.9'", database="refused")
        server.execute(dependent, database="refused")
        with operator_of(server, "refused", "postgres") as connection:
            with pytest.raises(psycopg.errors.DependentObjectsStillExist) as caught:
                connection.execute("ALTER EXTENSION pgpool_adm UPDATE")
            assert caught.value.diag.message_detail == told
            connection.execute("DROP EXTENSION pgpool_adm CASCADE")
            connection.execute("CREATE EXTENSION pgpool_adm")
    finally:
        server.execute("DROP DATABASE refused WITH (FORCE)")


def test_pgpool_regclass_keeps_grants_and_views(stock_server: Server, updated: Updated) -> None:
    server = stock_server
    extension = "pgpool_regclass"
    directory = server.machine.path(server.installation.extension_directory)
    saved = directory / "pgpool_regclass.control.before-pgpool-recovery"
    ours = directory / "pgpool_regclass.control"
    server.execute("CREATE DATABASE regclass TEMPLATE template0")
    stock_control, our_control = saved.read_text(), ours.read_text()
    ours.write_text(stock_control)
    server.execute(f"CREATE EXTENSION {extension}", database="regclass")
    ours.write_text(our_control)
    server.execute(
        """CREATE VIEW found AS SELECT pgpool_regclass('pg_class') AS oid;
        REVOKE EXECUTE ON FUNCTION pg_catalog.pgpool_regclass(cstring) FROM PUBLIC;
        GRANT EXECUTE ON FUNCTION pg_catalog.pgpool_regclass(cstring) TO operator;""",
        database="regclass",
    )
    assert server.sql("SELECT pgpool_regclass('none')", database="regclass") == [("0",)]
    server.execute(f"ALTER EXTENSION {extension} UPDATE", database="regclass")
    query = """SELECT p.oid::regprocedure, p.probin,
                      has_function_privilege('operator', p.oid, 'execute'),
                      has_function_privilege('somebody', p.oid, 'execute')
                 FROM pg_proc p WHERE p.proname = 'pgpool_regclass' ORDER BY p.oid"""
    assert server.sql(query, database="regclass") == [
        ("pgpool_regclass(cstring)", "", "t", "f"),
        ("pgpool_regclass(text)", "", "t", "f"),
    ]
    assert server.sql("SELECT pgpool_regclass('none')", database="regclass") == [("0",)]
    assert server.sql("SELECT oid FROM found", database="regclass") == [("1259",)]
    assert comment_is_ours(server, "regclass", extension)
    server.execute("DROP DATABASE regclass")
