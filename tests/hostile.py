"""A hostile database: its owner and a careless superuser have set everything that they can set.

For each name that a query of ours uses, PostgreSQL has some objects. Each of them has a double
here, with the very same types; functions and operators also have doubles for types that fit better
than PostgreSQL's. Each call of a double writes a line to the server log.
"""

import json
from pathlib import Path

from ci.rules.qualified_query import QUERIES, is_ours, names_in_query
from tests.harness.postgresql import Server
from tests.harness.template import SUPERUSER

REPOSITORY = Path(__file__).parents[1]
DATABASE = "hostile"
RUNNER, PERSON, TENANT = "runner", "person", "tenant"
"""The superuser that we log in as, a role that may only read, and the owner of the database."""
CAPTURED = "captured: "
SCHEMA = "our own 100% schema"

LIBRARIES = "local_preload_libraries"
"""Not set for the database, because ALTER ROLE … SET could not reset the list to empty for us."""

PATHS = {
    "before PostgreSQL's own": "evil, pg_catalog",
    "after PostgreSQL's own": "pg_catalog, evil",
}

SETTINGS = {
    "role": TENANT,
    LIBRARIES: "nowhere",
    "quote_all_identifiers": "on",
    "row_security": "off",
    "default_transaction_isolation": "serializable",
    "default_transaction_read_only": "on",
    "default_transaction_deferrable": "on",
    "exit_on_error": "on",
    "statement_timeout": "1ms",
    "lock_timeout": "1ms",
    "idle_in_transaction_session_timeout": "1ms",
    "idle_session_timeout": "1ms",
    "transaction_timeout": "1ms",
    "synchronous_commit": "remote_apply",
    "standard_conforming_strings": "off",
    "transform_null_equals": "on",
    "array_nulls": "off",
    "bytea_output": "escape",
    "DateStyle": "SQL, DMY",
    "IntervalStyle": "sql_standard",
    "extra_float_digits": "-15",
    "client_min_messages": "error",
    "client_encoding": "SQL_ASCII",
    "application_name": "pgpool_node_1",
    "jit_above_cost": "0",
    "max_parallel_workers_per_gather": "4",
    "force_parallel_mode": "regress",
    "debug_parallel_query": "regress",
    "parallel_setup_cost": "0",
    "session_replication_role": "replica",
    "restrict_nonsystem_relation_kind": "view, foreign-table",
    "tcp_user_timeout": "1",
    "tcp_keepalives_idle": "1",
    "TimeZone": "<+0530>-05:30",
    "work_mem": "64kB",
}
"""Settings that a server does not have are left out."""
ONLY_ON_SINCE = {"standard_conforming_strings": 19}
"""Settings that can no longer be turned off from a major version on."""

TYPES = [
    *("name", "text", '"char"', "boolean", "smallint", "integer", "bigint", "numeric"),
    *("double precision", "oid", "regclass", "xid", "pg_lsn", "timestamptz", "interval", "inet"),
    *("name[]", "text[]"),
]
FEWER_TYPES = ["name", "text", "boolean", "integer", "bigint", "numeric", "oid", "pg_lsn"]

PLANT = r"""
CREATE SCHEMA evil;
CREATE FUNCTION evil.try(statement pg_catalog.text) RETURNS pg_catalog.bool LANGUAGE plpgsql AS $$
BEGIN
    EXECUTE statement;
    RETURN true;
EXCEPTION WHEN OTHERS THEN  -- Some types no function of a user can have, as "any".
    RETURN false;
END
$$;
CREATE TABLE evil.planted AS
WITH wanted AS (SELECT '@names@'::jsonb AS names),
body AS (
    SELECT ' LANGUAGE plpgsql AS $f$ BEGIN RAISE LOG ''@captured@%s''; RETURN%s; END $f$' AS t),
doubles AS (
    SELECT p.proname || '(' || pg_get_function_identity_arguments(p.oid) || ')' AS what,
           format('CREATE FUNCTION evil.%I(%s) RETURNS %s', p.proname,
                  pg_get_function_arguments(p.oid), pg_get_function_result(p.oid))
           || format(body.t, p.proname,
                     CASE WHEN p.proretset OR p.prorettype IN (2249, 2278)
                            OR p.proargmodes && '{o,b,t}' THEN '' ELSE ' NULL' END)
           AS statement
      FROM pg_proc AS p, wanted, body
     WHERE p.pronamespace = 'pg_catalog'::regnamespace AND wanted.names->'functions' ? p.proname),
exact AS (
    SELECT name || '(' || arguments || ')',
           format('CREATE FUNCTION evil.%I(%s) RETURNS boolean', name, arguments)
           || format(body.t, name, ' NULL')
      FROM wanted, body, jsonb_array_elements_text(names->'functions') AS f(name),
           (SELECT a FROM unnest('@types@'::text[]) AS a
            UNION ALL
            SELECT a || ', ' || b
              FROM unnest('@fewer_types@'::text[]) AS a, unnest('@fewer_types@'::text[]) AS b
           ) AS of(arguments)),
operands AS (
    SELECT a, b FROM unnest('@types@'::text[]) AS a, unnest('@types@'::text[]) AS b),
behind AS (
    SELECT format('behind(%s, %s)', a, b),
           format('CREATE FUNCTION evil.behind(%s, %s) RETURNS boolean', a, b)
           || format(body.t, format('an operator of %s and %s', a, b), ' NULL')
      FROM operands, body),
operators AS (
    SELECT format('%s(%s, %s)', name, a, b),
           format('CREATE OPERATOR evil.%s (FUNCTION = evil.behind, LEFTARG = %s, RIGHTARG = %s)',
                  name, a, b)
      FROM operands, wanted, jsonb_array_elements_text(names->'operators') AS o(name)),
relations AS (
    SELECT name, format('CREATE VIEW evil.%I AS SELECT r.* FROM pg_catalog.%I AS r, '
                        'evil.behind(1::integer, 1::integer)', name, name)
      FROM wanted, jsonb_array_elements_text(names->'relations') AS r(name)),
types AS (
    SELECT name, format('CREATE DOMAIN evil.%I AS pg_catalog.%I '
                        'CHECK (evil.behind(1::integer, 1::integer) IS NULL)', name, name)
      FROM wanted, jsonb_array_elements_text(names->'types') AS t(name)),
everything AS (
    SELECT 'function', * FROM doubles UNION ALL SELECT 'function', * FROM exact
    UNION ALL SELECT 'function', * FROM behind UNION ALL SELECT 'operator', * FROM operators
    UNION ALL SELECT 'relation', * FROM relations UNION ALL SELECT 'type', * FROM types)
SELECT kind, what, evil.try(statement) AS is_planted FROM everything AS e(kind, what, statement);
GRANT USAGE ON SCHEMA evil TO PUBLIC;
GRANT SELECT ON ALL TABLES IN SCHEMA evil TO PUBLIC;
"""


def names_of_queries() -> dict[str, list[str]]:
    """Return the names of PostgreSQL's objects that our queries use, by kind."""
    files = sorted((REPOSITORY / QUERIES).glob("*.sql"))
    names = [name for file in files for name in names_in_query(file.read_text())]
    return {
        f"{kind}s": sorted(
            {name.words[-1] for name in names if name.kind == kind and not is_ours(name)}
        )
        for kind in ("function", "relation", "type", "operator")
    }


def make_roles(server: Server) -> None:
    """Create the roles that log in, and the owner of the database."""
    server.execute(
        f"CREATE ROLE {TENANT} LOGIN; CREATE ROLE {RUNNER} LOGIN SUPERUSER;"
        f"CREATE ROLE {PERSON} LOGIN IN ROLE pg_monitor"
    )


def make_database(server: Server) -> None:
    """Create a tenant's database with the doubles, and our extension in a schema of its own."""
    server.execute(f"CREATE DATABASE {DATABASE} OWNER {TENANT} TEMPLATE template0")
    server.execute(
        f'CREATE SCHEMA "{SCHEMA}"; CREATE EXTENSION pgpool_recovery SCHEMA "{SCHEMA}";'
        f'GRANT USAGE ON SCHEMA "{SCHEMA}" TO PUBLIC; CREATE SEQUENCE counted; '
        "SELECT nextval('counted') FROM generate_series(1, 5)",
        database=DATABASE,
    )
    plant(server, DATABASE)


def plant(server: Server, database: str) -> None:
    """Create the doubles in a database."""
    filled = PLANT
    for place, value in {
        "@names@": json.dumps(names_of_queries()).replace("'", "''"),
        "@captured@": CAPTURED,
        "@types@": "{" + ",".join(json.dumps(one) for one in TYPES) + "}",
        "@fewer_types@": "{" + ",".join(FEWER_TYPES) + "}",
    }.items():
        filled = filled.replace(place, value)
    server.execute(filled, database=database)


def _fixed(server: Server) -> set[str]:
    return {name for name, since in ONLY_ON_SINCE.items() if server.installation.major >= since}


def set_against_us(server: Server, database: str = DATABASE) -> None:
    """Set all hostile settings for the database, for the roles, and for the roles in it."""
    known = {row[0] for row in server.sql("SELECT name FROM pg_settings")} | {"role"}
    known -= _fixed(server)
    where = [f"DATABASE {database}"]
    for role in (RUNNER, PERSON):
        where += [f"ROLE {role}", f"ROLE {role} IN DATABASE {database}"]
    server.execute(
        ";".join(
            f"ALTER {one} SET {name} = '{value}'"
            for one in where
            for name, value in SETTINGS.items()
            if name in known and (name != LIBRARIES or one.startswith("ROLE"))
        )
    )


def spare(server: Server, database: str = DATABASE) -> None:
    """Let the harness and Pgpool-II log in to the database without those settings."""
    known = {row[0]: row[1] for row in server.sql("SELECT name, boot_val FROM pg_settings")}
    known |= {"role": "none", "synchronous_commit": "local", "search_path": "public"}
    server.execute(
        ";".join(
            f"ALTER ROLE {SUPERUSER} IN DATABASE {database} SET {name} = '{known[name]}'"
            for name in [*SETTINGS, "search_path"]
            if name in known and name not in (LIBRARIES, "client_encoding")
        )
    )


def set_path(server: Server, path: str, database: str = DATABASE) -> None:
    """Set the search path of the database, so that it contains the doubles."""
    server.execute(
        f"ALTER DATABASE {database} SET search_path = {path};"
        f"ALTER ROLE {RUNNER} IN DATABASE {database} SET search_path = {path}"
    )


def captured(server: Server, since: int = 0, *, role: str = "") -> list[str]:
    """Return the doubles that a role has called, according to the log from an offset on."""
    lines = server.log_text()[since:].splitlines()
    called = [line for line in lines if CAPTURED in line and f"{role}@" in line]
    return sorted({line.partition(CAPTURED)[2] for line in called})
