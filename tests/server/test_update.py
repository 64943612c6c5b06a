"""ALTER EXTENSION UPDATE takes a database from any stock version to ours, in place."""

from dataclasses import dataclass

import psycopg
import pytest

from tests.harness.postgresql import Server
from tests.harness.product import Product, install_extension
from tests.server.conftest import on_each_with_stock, write_script

pytestmark = on_each_with_stock

OVERLOADS = [
    "pgpool_recovery(text,text,text)",
    "pgpool_recovery(text,text,text,text)",
    "pgpool_recovery(text,text,text,text,integer)",
    "pgpool_recovery(text,text,text,text,integer,text)",
    "pgpool_recovery(text,text,text,text,integer,text,text)",
]
OTHERS = [
    "pgpool_pgctl(text,text)",
    "pgpool_recovery_check(jsonb)",
    "pgpool_recovery_plan(text,text,text,integer,text,text)",
    "pgpool_remote_start(text,text)",
    "pgpool_switch_xlog(text)",
]

# No package has version 1.0, and only its update script is known. These are its functions.
VERSION_1_0 = r"""
CREATE FUNCTION pgpool_recovery(script_name text, remote_host text, remote_data_directory text)
RETURNS bool AS 'MODULE_PATHNAME', 'pgpool_recovery' LANGUAGE C STRICT;
CREATE FUNCTION pgpool_remote_start(remote_host text, remote_data_directory text)
RETURNS bool AS 'MODULE_PATHNAME', 'pgpool_remote_start' LANGUAGE C STRICT;
CREATE FUNCTION pgpool_pgctl(action text, stop_mode text)
RETURNS bool AS 'MODULE_PATHNAME', 'pgpool_pgctl' LANGUAGE C STRICT;
CREATE FUNCTION pgpool_switch_xlog(archive_dir text)
RETURNS text AS 'MODULE_PATHNAME', 'pgpool_switch_xlog' LANGUAGE C STRICT;
"""

# How each database gets its stock extension.
ORIGINS = {
    "fresh_1_0": "CREATE EXTENSION pgpool_recovery VERSION '1.0'",
    "fresh_1_1": "CREATE EXTENSION pgpool_recovery VERSION '1.1'",
    "fresh_1_2": "CREATE EXTENSION pgpool_recovery VERSION '1.2'",
    "fresh_1_3": "CREATE EXTENSION pgpool_recovery VERSION '1.3'",
    "fresh_1_4": "CREATE EXTENSION pgpool_recovery VERSION '1.4'",
    # 4.3.0 to 4.3.2 ship a 1.4 that lacks the overload of six arguments.
    "early_1_4": """CREATE EXTENSION pgpool_recovery VERSION '1.4';
        ALTER EXTENSION pgpool_recovery
            DROP FUNCTION pgpool_recovery(text, text, text, text, integer, text);
        DROP FUNCTION pgpool_recovery(text, text, text, text, integer, text)""",
    "updated_to_1_4": """CREATE EXTENSION pgpool_recovery VERSION '1.1';
        ALTER EXTENSION pgpool_recovery UPDATE TO '1.4'""",
    "in_a_schema": """CREATE SCHEMA "Other";
        GRANT USAGE ON SCHEMA "Other" TO operator, somebody, member;
        CREATE EXTENSION pgpool_recovery VERSION '1.4' SCHEMA "Other";
        ALTER DATABASE in_a_schema SET search_path = "Other", public""",
}
OTHER_ORIGINS = {
    "keeping": "CREATE EXTENSION pgpool_recovery VERSION '1.4'",
    "changed": "CREATE EXTENSION pgpool_recovery VERSION '1.4'",
}


DEAD = "pgpool_recovery(text,text,text)"
GRANTS = f"""
    GRANT EXECUTE ON FUNCTION {DEAD} TO chief, group_of_chiefs, member, "Former Operator";
    GRANT EXECUTE ON FUNCTION {DEAD}, pgpool_pgctl(text, text), pgpool_switch_xlog(text)
        TO operator WITH GRANT OPTION;
    SET ROLE operator;
    GRANT EXECUTE ON FUNCTION pgpool_pgctl(text, text) TO chief;
    RESET ROLE;
    CREATE VIEW dependent AS SELECT pgpool_recovery('noop', 'host', '/data');
    ALTER DEFAULT PRIVILEGES GRANT ALL ON FUNCTIONS TO somebody;
    ALTER DEFAULT PRIVILEGES GRANT ALL ON TABLES TO somebody;
    ALTER DEFAULT PRIVILEGES GRANT ALL ON SEQUENCES TO somebody;
"""


@dataclass(frozen=True)
class Told:
    """The texts of a warning, since psycopg's Diagnostic is empty after the notice handler."""

    message: str | None
    detail: str | None
    hint: str | None


@dataclass(frozen=True)
class Updated:
    """A server whose databases had the stock extension, with grants, and were updated."""

    server: Server
    warnings: dict[str, list[Told]]


@pytest.fixture(scope="module")
def all_updated(stock_server: Server, product: Product) -> Updated:
    server = stock_server
    server.execute(
        """CREATE ROLE operator LOGIN; CREATE ROLE somebody LOGIN; CREATE ROLE "Former Operator";
        CREATE ROLE chief SUPERUSER; CREATE ROLE group_of_chiefs SUPERUSER;
        CREATE ROLE member LOGIN IN ROLE group_of_chiefs;"""
    )
    oldest = server.installation.extension_directory / "pgpool_recovery--1.0.sql"
    server.machine.path(oldest).write_text(VERSION_1_0)
    for database, origin in (ORIGINS | OTHER_ORIGINS).items():
        server.execute(f"CREATE DATABASE {database}")
        server.execute(origin, database=database)
        server.execute(GRANTS, database=database)
        assert stock_works(server, database)
    # The owner of one function is no longer a superuser. The update must not leave it the owner.
    server.execute("CREATE ROLE former SUPERUSER")
    server.execute(
        "ALTER FUNCTION pgpool_recovery(text, text, text) OWNER TO former; "
        "ALTER ROLE former NOSUPERUSER",
        database="fresh_1_3",
    )
    install_extension(server.machine, server.installation, product)
    return Updated(server, {database: update(server, database) for database in ORIGINS})


@pytest.fixture(scope="module")
def updated(all_updated: Updated) -> Server:
    return all_updated.server


def update(server: Server, database: str, before: str = "SELECT") -> list[Told]:
    """Update the extension of a database; return the warnings."""
    warnings: list[Told] = []

    def tell(notice: psycopg.errors.Diagnostic) -> None:
        warnings.append(Told(notice.message_primary, notice.message_detail, notice.message_hint))

    with psycopg.connect(
        server.conninfo_from_here("postgres", dbname=database), autocommit=True
    ) as connection:
        connection.add_notice_handler(tell)
        connection.execute(before)
        connection.execute("ALTER EXTENSION pgpool_recovery UPDATE")
    return warnings


def stock_works(server: Server, database: str) -> bool:
    """Return whether the compiled function runs; without it the fixture would be worthless."""
    write_script(server, "exit 0", "noop")
    return server.sql("SELECT pgpool_recovery('noop', 'host', '/data')", database=database) == [
        ("t",)
    ]


@pytest.mark.parametrize("database", ORIGINS)
def test_contents_are_those_of_a_fresh_2_0(updated: Server, database: str) -> None:
    functions = updated.sql(
        """SELECT p.oid::regprocedure, l.lanname, p.prosecdef, p.proisstrict
             FROM pg_proc p JOIN pg_language l ON l.oid = p.prolang
            WHERE p.proname LIKE 'pgpool%' ORDER BY 1::text""",
        database=database,
    )
    assert {row[0].rpartition(".")[2] for row in functions} == {*OVERLOADS, *OTHERS}
    assert {row[1:] for row in functions} == {("sql", "t", "t"), ("plpgsql", "t", "t")}
    extension = updated.sql(
        "SELECT extversion, extrelocatable FROM pg_extension WHERE extname = 'pgpool_recovery'",
        database=database,
    )
    assert extension == [("2.0", "f")]
    strangers = updated.sql(
        """SELECT p.oid::regprocedure FROM pg_proc p
            WHERE p.proname ~ '^_?pgpool' AND NOT EXISTS (
                  SELECT FROM pg_depend d WHERE d.objid = p.oid AND d.deptype = 'e')""",
        database=database,
    )
    assert strangers == []


@pytest.mark.parametrize("database", ORIGINS)
def test_nothing_refers_to_the_compiled_library(updated: Server, database: str) -> None:
    query = "SELECT count(*) FROM pg_proc WHERE probin LIKE '%pgpool%'"
    assert updated.sql(query, database=database) == [("0",)]


@pytest.mark.parametrize("database", ORIGINS)
def test_argument_names_are_the_same_from_everywhere(updated: Server, database: str) -> None:
    query = "SELECT max(proargnames::text) FROM pg_proc WHERE proname = 'pgpool_recovery'"
    (names,) = updated.sql(query.replace("max", "array_agg"), database=database)
    assert "remote_port,primary_host" in names[0]
    assert "recovery_node" not in names[0]


@pytest.mark.parametrize("database", ORIGINS)
def test_calls_work_with_unknown_literals(updated: Server, database: str) -> None:
    write_script(updated, 'echo "$# words"', "noop")
    for arguments in (
        "'noop', 'host', '/data'",
        "'noop', 'host', '/data', '5432'",
        "'noop', 'host', '/data', '5432', 1",
        "'noop', 'host', '/data', '5432', 1, '5433'",
        "'noop', 'host', '/data', '5432', 1, '5433', 'primary'",
    ):
        query = f"SELECT pgpool_recovery({arguments})"
        assert updated.sql(query, database=database) == [("t",)]


def grantees(server: Server, database: str, function: str) -> set[tuple[str, ...]]:
    """Return the roles other than the owner that may execute a function, with their grantors."""
    query = f"""
        SELECT a.grantee::regrole, a.grantor::regrole, a.is_grantable
          FROM pg_proc p, aclexplode(coalesce(p.proacl, acldefault('f', p.proowner))) a
         WHERE p.oid = '{function}'::regprocedure AND a.grantee <> p.proowner"""
    return set(server.sql(query, database=database))


@pytest.mark.parametrize("database", ORIGINS)
def test_grants_that_had_no_effect_are_revoked_and_reported(
    all_updated: Updated, database: str
) -> None:
    """The update revokes grants that had no effect, and reports each.

    The stock functions refuse every role that is not a superuser.
    """
    server = all_updated.server
    schema = '"Other"' if database == "in_a_schema" else "public"
    dead = {
        (role, function)
        for function, roles in {
            DEAD: ("Former Operator", "group_of_chiefs", "member", "operator"),
            "pgpool_pgctl(text,text)": ("operator",),
        }.items()
        for role in roles
    }
    told = about_roles(all_updated.warnings[database])
    assert {one.message for one in told} == {
        f'EXECUTE on function {schema}.{function} is revoked from role "{role}"'
        for role, function in dead
    }
    details = [one.detail for one in told if one.detail]
    assert "are not superusers, so this grant has had no effect" in details[0]
    assert details[1:] == [
        (
            'Role "group_of_chiefs" is a superuser and needs no grant, but its members would '
            "inherit it, and the stock function refuses them."
        )
    ]
    for one in told:
        assert ("SET pgpool.keep_grants = on before" in (one.hint or "")) == bool(one.detail)
    grant = f"meant to have it: GRANT EXECUTE ON FUNCTION {schema}.{DEAD} TO "
    assert {(one.hint or "").partition(" SET pgpool")[0] for one in told} >= {
        f'If "operator" is {grant}operator.',
        f"If they are {grant}group_of_chiefs.",
        f'If "Former Operator" is {grant}"Former Operator".',
    }
    assert grantees(server, database, DEAD) == {("chief", "postgres", "f")}
    assert grantees(server, database, "pgpool_pgctl(text,text)") == {("chief", "postgres", "f")}


def about_roles(told: list[Told]) -> list[Told]:
    return [one for one in told if "from role" in (one.message or "")]


@pytest.mark.parametrize("database", ORIGINS)
def test_revoked_grant_to_public_is_reported(all_updated: Updated, database: str) -> None:
    schema = '"Other"' if database == "in_a_schema" else "public"
    name = f"{schema}.pgpool_switch_xlog(text)"
    told = [one for one in all_updated.warnings[database] if "PUBLIC" in (one.message or "")]
    assert [one.message for one in told] == [f"EXECUTE on function {name} is revoked from PUBLIC"]
    assert f"GRANT EXECUTE ON FUNCTION {name} TO" in (told[0].hint or "")


@pytest.mark.parametrize("database", ORIGINS)
def test_comment_is_ours(updated: Server, database: str) -> None:
    query = """
        SELECT obj_description(e.oid, 'pg_extension') = a.comment
          FROM pg_extension e JOIN pg_available_extensions a ON a.name = e.extname
         WHERE e.extname = 'pgpool_recovery'"""
    assert updated.sql(query, database=database) == [("t",)]


@pytest.mark.parametrize("database", ORIGINS)
def test_grants_that_had_an_effect_and_dependents_are_kept_and_the_public_one_is_gone(
    updated: Server, database: str
) -> None:
    assert grantees(updated, database, "pgpool_switch_xlog(text)") == {
        ("operator", "postgres", "t")
    }
    assert updated.sql("SELECT * FROM dependent", database=database) == [("t",)]
    for user in ("operator", "somebody", "member"):
        with (
            psycopg.connect(updated.conninfo_from_here(user, dbname=database)) as connection,
            pytest.raises(psycopg.errors.InsufficientPrivilege),
        ):
            connection.execute("SELECT pgpool_recovery('noop', 'host', '/data')")


def test_roles_whose_grants_were_revoked_can_be_dropped(updated: Server) -> None:
    """A role whose grants the update revoked can be dropped.

    Nothing of those grants is left in pg_shdepend, just as after REVOKE.
    """
    query = """
        SELECT d.datname FROM pg_shdepend s JOIN pg_database d ON d.oid = s.dbid
         WHERE s.refobjid = '"Former Operator"'::regrole ORDER BY 1"""
    assert updated.sql(query) == [("changed",), ("keeping",)]


def test_grants_are_kept_on_request(updated: Server) -> None:
    server = updated
    server.execute("ALTER DATABASE keeping SET pgpool.keep_grants = on")
    with pytest.raises(psycopg.errors.ObjectNotInPrerequisiteState) as caught:
        update(server, "keeping")
    assert caught.value.diag.message_primary == (
        "pgpool.keep_grants is set for this database or role"
    )
    server.execute("ALTER DATABASE keeping RESET pgpool.keep_grants")
    server.execute("ALTER ROLE somebody SET pgpool.keep_grants = on")  # Not the updating role.
    assert about_roles(update(server, "keeping", "SET pgpool.keep_grants = on")) == []
    assert grantees(server, "keeping", DEAD) == {
        (role, "postgres", "f") for role in ("chief", "group_of_chiefs", "member")
    } | {('"Former Operator"', "postgres", "f"), ("operator", "postgres", "t")}
    assert grantees(server, "keeping", "pgpool_pgctl(text,text)") == {
        ("operator", "postgres", "t"),
        ("chief", "operator", "f"),
    }
    with psycopg.connect(server.conninfo_from_here("operator", dbname="keeping")) as operator:
        row = operator.execute("SELECT pgpool_recovery('noop', 'host', '/data')").fetchone()
    assert row == (True,)


def test_added_function_of_another_role_does_not_become_a_superusers(updated: Server) -> None:
    server = updated
    server.execute(
        """CREATE FUNCTION added() RETURNS text LANGUAGE sql SECURITY DEFINER
            RETURN current_user::text;
        ALTER FUNCTION added() OWNER TO somebody;
        ALTER EXTENSION pgpool_recovery ADD FUNCTION added();""",
        database="changed",
    )
    with pytest.raises(psycopg.errors.ObjectNotInPrerequisiteState) as caught:
        update(server, "changed")
    assert caught.value.diag.message_detail == "It is function public.added()."
    assert server.sql("SELECT added()", database="changed") == [("somebody",)]


@pytest.mark.parametrize("database", ORIGINS)
def test_default_privileges_reach_nothing_of_ours(updated: Server, database: str) -> None:
    query = """
        SELECT oid::regprocedure FROM pg_proc
         WHERE proname ~ '^_?pgpool_' AND has_function_privilege('somebody', oid, 'EXECUTE')"""
    assert updated.sql(query, database=database) == []
    query = """
        SELECT c.oid::regclass FROM pg_class c, aclexplode(c.relacl) a
         WHERE c.relname LIKE 'pgpool%' AND a.grantee NOT IN (c.relowner, 'pg_monitor'::regrole)"""
    assert updated.sql(query, database=database) == []


@pytest.mark.parametrize("database", ORIGINS)
def test_it_can_be_dumped_and_dropped(updated: Server, database: str) -> None:
    argv = [updated.installation.program("pg_dump"), "-h", str(updated.machine.socket_directory)]
    argv += ["-p", str(updated.port), "-U", "postgres", "-d", database]
    dump = updated.machine.run(argv).stdout
    assert "CREATE EXTENSION IF NOT EXISTS pgpool_recovery" in dump
    assert "GRANT ALL ON FUNCTION" in dump
    updated.execute(
        "BEGIN; DROP VIEW dependent; DROP EXTENSION pgpool_recovery; ROLLBACK;", database=database
    )


@pytest.mark.parametrize("database", ORIGINS)
def test_owners_are_superusers(updated: Server, database: str) -> None:
    """Superusers own all functions, since these now run with their owner's privileges."""
    query = """SELECT DISTINCT r.rolsuper FROM pg_proc p JOIN pg_roles r ON r.oid = p.proowner
                WHERE p.proname ~ '^_?pgpool'"""
    assert updated.sql(query, database=database) == [("t",)]


@pytest.mark.parametrize("database", ORIGINS)
def test_tables_of_recoveries_on_record_are_a_superusers_and_read_by_pg_monitor(
    updated: Server, database: str
) -> None:
    query = """
        SELECT c.relname, r.rolsuper, has_table_privilege('pg_monitor', c.oid, 'SELECT'),
               has_table_privilege('somebody', c.oid, 'SELECT')
          FROM pg_class c JOIN pg_roles r ON r.oid = c.relowner
         WHERE c.relname ~ '^pgpool_recovery_(run|event|progress|history)$' ORDER BY 1"""
    names = ("event", "history", "progress", "run")
    expected = [(f"pgpool_recovery_{name}", "t", "t", "f") for name in names]
    assert updated.sql(query, database=database) == expected
    alive = """
        SELECT has_function_privilege('pg_monitor', oid, 'EXECUTE'),
               has_function_privilege('somebody', oid, 'EXECUTE')
          FROM pg_proc WHERE proname = '_pgpool_recovery_is_alive'"""
    assert updated.sql(alive, database=database) == [("t", "f")]
