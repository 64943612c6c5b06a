"""No session of ours uses an extension that a role other than a superuser controls.

The owner of a schema can rename it at any time, and plant another schema with its name.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import psycopg
import pytest

from pgpool_recovery.check.question import PoolFacts
from pgpool_recovery.cluster_check import observe_extensions
from pgpool_recovery.config.settings import (
    AbsolutePath,
    HistorySettings,
    MetricsSettings,
    PrimarySettings,
    Settings,
)
from pgpool_recovery.control.cluster import Node, SqlLogin
from pgpool_recovery.control.extension import Feature, look_at
from pgpool_recovery.domain.error import Refused
from pgpool_recovery.domain.node import NodeId
from pgpool_recovery.metrics.publish import publish_recoveries
from pgpool_recovery.postgres.connection import Connection, connect
from pgpool_recovery.postgres.extension import ForeignOwner
from pgpool_recovery.run.own_server import own_conninfo
from tests.harness.postgresql import Server
from tests.server.conftest import on_each_major
from tests.server.story import carry_out

TENANT, DBA = "tenant", "dba"
DATABASE = "of_tenant"
PLANT = """
ALTER SCHEMA {schema} RENAME TO away;
CREATE SCHEMA {schema};
CREATE TABLE {schema}.pgpool_recovery_run (
    id bigint DEFAULT 1, recovery_id text, node_id integer, host text, data_directory text,
    port integer, primary_host text, primary_port integer, state text, backend_pid integer);
CREATE FUNCTION {schema}.rise() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    ALTER ROLE tenant SUPERUSER;
    RETURN NEW;
END $$;
CREATE TRIGGER rise BEFORE INSERT ON {schema}.pgpool_recovery_run
    FOR EACH ROW EXECUTE FUNCTION {schema}.rise();
"""
RUN = {
    "recovery_id": None,
    "node_id": 1,
    "host": "server1",
    "data_directory": "/data",
    "port": 5432,
    "primary_host": None,
    "primary_port": None,
    "state": "running",
    "backend_pid": None,
}
pytestmark = on_each_major


@dataclass(frozen=True)
class Case:
    """How a tenant's database gets the extension, and which role could replace it."""

    made_by: str
    schema: str
    owner: ForeignOwner | None
    since: int = 14


CASES = {
    "public": Case(
        "CREATE EXTENSION pgpool_recovery",
        "public",
        ForeignOwner(DATABASE, "schema", "public", TENANT),
        since=15,
    ),
    "schema of the tenant": Case(
        f'CREATE SCHEMA "her own" AUTHORIZATION {TENANT};'
        'CREATE EXTENSION pgpool_recovery SCHEMA "her own"',
        '"her own"',
        ForeignOwner(DATABASE, "schema", '"her own"', TENANT),
    ),
    "extension of a former superuser": Case(
        f"ALTER ROLE {DBA} SUPERUSER; CREATE SCHEMA ours; SET ROLE {DBA};"
        "CREATE EXTENSION pgpool_recovery SCHEMA ours;"
        f"RESET ROLE; ALTER ROLE {DBA} NOSUPERUSER",
        "ours",
        ForeignOwner(DATABASE, "extension", "pgpool_recovery", DBA),
    ),
    "table of another role": Case(
        "CREATE SCHEMA ours; CREATE EXTENSION pgpool_recovery SCHEMA ours;"
        f"ALTER TABLE ours.pgpool_recovery_run OWNER TO {DBA}",
        "ours",
        ForeignOwner(DATABASE, "relation", "pgpool_recovery_run", DBA),
    ),
    "schema of a superuser": Case(
        "CREATE SCHEMA ours; CREATE EXTENSION pgpool_recovery SCHEMA ours", "ours", None
    ),
    "public that was given to a superuser": Case(
        "ALTER SCHEMA public OWNER TO postgres; CREATE EXTENSION pgpool_recovery", "public", None
    ),
}


@pytest.fixture(autouse=True)
def called(server: Server, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Set the environment of a stage command that the server has called."""
    monkeypatch.setenv("PGHOST", socket_directory(server))
    # The test does not run as the operating system user that runs the server.
    monkeypatch.setattr("pgpool_recovery.run.own_server.own_peer", dict)
    monkeypatch.setenv("PGPORT", str(server.port))
    monkeypatch.setenv("PGUSER", "postgres")
    server.execute(f"CREATE ROLE {TENANT} LOGIN; CREATE ROLE {DBA} LOGIN")
    server.execute(f"CREATE DATABASE {DATABASE} OWNER {TENANT} TEMPLATE template0")
    yield
    server.execute(f"DROP DATABASE {DATABASE}")
    server.execute(f"DROP ROLE {TENANT}; DROP ROLE {DBA}")


@pytest.fixture(params=CASES)
def case(request: pytest.FixtureRequest, server: Server) -> Case:
    """A database of a tenant with the extension."""
    return in_place(server, CASES[request.param])


@pytest.fixture(params=[name for name, one in CASES.items() if one.owner is not None])
def foreign(request: pytest.FixtureRequest, server: Server) -> ForeignOwner:
    """The role that could replace the extension."""
    owner = in_place(server, CASES[request.param]).owner
    assert owner is not None
    return owner


def in_place(server: Server, case: Case) -> Case:
    if server.installation.major < case.since:
        pytest.skip("before PostgreSQL 15, public belongs to postgres")
    server.execute(case.made_by, database=DATABASE)
    return case


def socket_directory(server: Server) -> str:
    return str(server.machine.path(server.machine.socket_directory))


def extension_of(database: str, *, user: str | None = None) -> ForeignOwner | None:
    settings = Settings(primary=PrimarySettings(user=user))
    with connect({**own_conninfo(settings), "dbname": database}) as connection:
        found = connection.extension()
    assert found is not None
    assert found.members or found.foreign is not None
    return found.foreign


def may_rise(server: Server) -> bool:
    return server.sql(f"SELECT rolsuper FROM pg_roles WHERE rolname = '{TENANT}'") == [("t",)]


def begin(connection: Connection) -> None:
    connection.rows("history_begin", **RUN)


def test_who_could_replace_it(case: Case) -> None:
    assert extension_of(DATABASE) == case.owner
    assert extension_of(DATABASE, user=TENANT) == case.owner, "seen by the tenant"


@pytest.mark.parametrize("database", ["postgres", "template1"])
def test_databases_as_initdb_made_them(database: str) -> None:
    assert extension_of(database) is None


def test_public_of_a_database_of_another_superuser(server: Server) -> None:
    server.execute(f"ALTER ROLE {DBA} SUPERUSER; ALTER DATABASE {DATABASE} OWNER TO {DBA}")
    server.execute("CREATE EXTENSION pgpool_recovery", database=DATABASE)
    assert extension_of(DATABASE) is None


@pytest.mark.parametrize("name", ["public", "schema of the tenant"])
def test_schema_that_is_renamed_under_a_session(server: Server, name: str) -> None:
    """The attack itself: after our session's check, the next name that it uses is the tenant's."""
    case = in_place(server, CASES[name])
    server.execute(f"GRANT CREATE ON DATABASE {DATABASE} TO {TENANT}")
    with connect({**own_conninfo(Settings()), "dbname": DATABASE}) as ours:
        ours.extension()
        tenant = server.conninfo_from_here(TENANT, dbname=DATABASE)
        with psycopg.connect(tenant, autocommit=True) as session:
            session.execute(PLANT.format(schema=case.schema))
        with pytest.raises(LookupError, match="history_begin"):
            begin(ours)
    assert not may_rise(server)
    (line,) = carry_out(database=DATABASE)
    assert "belongs to tenant" in line or "has no extension" in line
    assert not may_rise(server)
    server.execute(f"DROP SCHEMA {case.schema} CASCADE", database=DATABASE)


def test_recovery_is_not_on_record_and_says_why(foreign: ForeignOwner) -> None:
    assert carry_out(database=DATABASE) == [
        f"the recovery is not recorded: {foreign.fact}. {foreign.advice}"
    ]


def test_commands_refuse_or_use_the_next_database(server: Server, foreign: ForeignOwner) -> None:
    node = Node(NodeId(0), socket_directory(server), server.port, str(server.data_directory))
    login = SqlLogin("postgres", (DATABASE,), connect_s=10, answer_s=30)
    primary = look_at(node, login)
    for feature in Feature:
        assert not primary.has(feature)
        with pytest.raises(Refused, match=foreign.role) as raised:
            primary.connect(feature).__enter__()
        assert raised.value.hint == foreign.advice
    primary = look_at(node, replace(login, databases=(DATABASE, "postgres")))
    with primary.connect(Feature.HISTORY) as connection:
        assert connection.rows("last_run") is not None


def test_owner_that_was_changed_after_our_check(server: Server) -> None:
    in_place(server, CASES["schema of a superuser"])
    node = Node(NodeId(0), socket_directory(server), server.port, str(server.data_directory))
    primary = look_at(node, SqlLogin("postgres", (DATABASE,), connect_s=10, answer_s=30))
    server.execute(f"ALTER SCHEMA ours OWNER TO {TENANT}", database=DATABASE)
    with pytest.raises(Refused, match=f"schema ours of database {DATABASE} belongs to {TENANT}"):
        primary.connect(Feature.HISTORY).__enter__()


def test_check_and_metrics(foreign: ForeignOwner, tmp_path: Path) -> None:
    textfile = tmp_path / "recovery.prom"
    settings = Settings(
        history=HistorySettings(DATABASE), metrics=MetricsSettings(AbsolutePath(str(textfile)))
    )
    found = {one.database: one.foreign for one in observe_extensions(PoolFacts(), settings)}
    assert found == {"template1": None, "postgres": None, DATABASE: foreign}
    publish_recoveries(settings, print)
    assert not textfile.exists()
