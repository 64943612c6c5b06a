"""Promise 13: each kind of connection of ours works in a database that is hostile in every way.

No double of a function, operator, type or relation is called; see tests/hostile.py.
"""

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import psycopg
import pytest

from pgpool_recovery.agent.directory.own_login import OwnLogin
from pgpool_recovery.agent.observe.login import try_logins
from pgpool_recovery.agent.observe.surroundings import look_around
from pgpool_recovery.agent.server.independent import set_sequences
from pgpool_recovery.agent.server.running import ask_running, take_over
from pgpool_recovery.check.question import PoolFacts
from pgpool_recovery.cluster_check import observe_extensions, observe_role
from pgpool_recovery.config.settings import (
    AbsolutePath,
    FailoverSettings,
    HistorySettings,
    MetricsSettings,
    PrimarySettings,
    Settings,
)
from pgpool_recovery.control.cluster import Cluster, Node, SqlLogin, connect_to
from pgpool_recovery.control.extension import Feature, look_at
from pgpool_recovery.control.plan import call_parameters
from pgpool_recovery.control.primary import ask
from pgpool_recovery.control.record import RecordReader
from pgpool_recovery.domain.error import RecoveryError, Refused, Unreachable
from pgpool_recovery.domain.node import NodeId
from pgpool_recovery.domain.wal import Point, TimelineId, parse_lsn
from pgpool_recovery.facts.running import RunningServer
from pgpool_recovery.history.record import on_record
from pgpool_recovery.hooks.observe import standing_of
from pgpool_recovery.hooks.slots import hold_wal_for, is_wal_held_for, look_after_slots
from pgpool_recovery.host.stop import Stop
from pgpool_recovery.metrics.publish import publish_recoveries
from pgpool_recovery.observe.primary import observe_primary
from pgpool_recovery.postgres.backup_stream import StreamLimits, open_backup
from pgpool_recovery.postgres.connection import connect, identify_system, pinned
from pgpool_recovery.postgres.conninfo import format_conninfo
from pgpool_recovery.postgres.session import PINNED, PINNED_FOR_SUPERUSERS, PINNED_LATER
from pgpool_recovery.postgres.slots import drop_former_slots
from pgpool_recovery.postgres.standby import read_upstream
from pgpool_recovery.postgres.wal import hold_wal
from pgpool_recovery.run.own_server import own_conninfo, own_server
from pgpool_recovery.run.primary_steps import drop_own_slot
from pgpool_recovery.second_stage import read_sequences
from pgpool_recovery.talk.request.host import LookAround, TryLogins
from pgpool_recovery.talk.request.server import AskRunning
from tests.harness.local_host import LocalHost
from tests.harness.postgresql import Server
from tests.harness.until import until
from tests.hostile import (
    DATABASE,
    PATHS,
    PERSON,
    RUNNER,
    SCHEMA,
    captured,
    make_database,
    make_roles,
    names_of_queries,
    set_against_us,
    set_path,
    spare,
)
from tests.server.conftest import on_each_major
from tests.server.story import STAGE, STORY, carry_out

SETTINGS = Settings(
    primary=PrimarySettings(dbname=DATABASE, user=RUNNER), history=HistorySettings(DATABASE)
)
FROM_OTHERS = ("database", "user", "database user", "global")
pytestmark = on_each_major


@pytest.fixture(scope="module")
def hostile(server: Server) -> Iterator[Server]:
    """A server with a hostile database, which also waits for a synchronous standby that is lost."""
    make_roles(server)
    make_database(server)
    set_against_us(server)
    spare(server)
    server.execute("ALTER ROLE postgres SET synchronous_commit = local")
    server.execute("ALTER SYSTEM SET synchronous_standby_names = 'nobody'")
    server.reload()
    yield server
    server.execute("ALTER SYSTEM RESET synchronous_standby_names")
    server.reload()


ASK_WHOSE_SOCKET = ("agent.directory.own_login", "run.own_server")


@pytest.fixture(params=PATHS)
def node(
    request: pytest.FixtureRequest, hostile: Server, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Node]:
    """The node, with the doubles first in the search path, or last, where only a better match wins.

    No test may call a double.
    """
    set_path(hostile, PATHS[request.param])
    socket_directory = str(hostile.machine.path(hostile.machine.socket_directory))
    monkeypatch.setenv("PGHOST", socket_directory)
    monkeypatch.setenv("PGPORT", str(hostile.port))
    monkeypatch.setenv("PGUSER", RUNNER)
    monkeypatch.setenv("PGOPTIONS", "-c search_path=evil,pg_catalog")
    monkeypatch.setenv("PGDATESTYLE", "German")
    for module in ASK_WHOSE_SOCKET:  # The test runs as another user.
        monkeypatch.setattr(f"pgpool_recovery.{module}.own_peer", dict)
    since = len(hostile.log_text())
    yield Node(NodeId(0), socket_directory, hostile.port, str(hostile.data_directory))
    assert captured(hostile, since) == []


@pytest.fixture
def own_host(hostile: Server, node: Node, monkeypatch: pytest.MonkeyPatch) -> Server:
    """The server, if it is on this host, as it is for an agent."""
    if not isinstance(hostile.machine, LocalHost):
        pytest.skip("the agent needs the server's files and processes, which are on another host")
    owner = Path(node.data_directory).stat().st_uid
    for module in ("pidfile", "way"):
        monkeypatch.setattr(f"pgpool_recovery.host.{module}.mine_and_roots", lambda: {0, owner})
    return hostile


def login(user: str = RUNNER) -> SqlLogin:
    return SqlLogin(user, (DATABASE,), connect_s=10, answer_s=30)


def test_doubles_are_called_if_the_search_path_is_trusted(hostile: Server) -> None:
    """A session that trusts its search path calls doubles.

    Otherwise the other tests would show nothing.
    """
    names = names_of_queries()
    missing = hostile.sql(
        "SELECT name FROM jsonb_array_elements_text("
        f"'{json.dumps(names['functions'])}') AS f(name) WHERE NOT EXISTS (SELECT FROM "
        "evil.planted WHERE is_planted AND starts_with(what, name || '('))",
        database=DATABASE,
    )
    assert missing == []
    for kind in ("operator", "relation", "type"):
        query = f"SELECT count(*) FROM evil.planted WHERE is_planted AND kind = '{kind}'"
        assert int(hostile.sql(query, database=DATABASE)[0][0]) > 0, kind
    where = hostile.conninfo_from_here(dbname=DATABASE)
    allowed = "-c local_preload_libraries= -c role=none -c statement_timeout=0"
    since = len(hostile.log_text())
    for path in PATHS.values():
        options = f"{allowed} -c search_path={path.replace(' ', '')} -c transaction_read_only=off"
        with psycopg.connect(where, autocommit=True, options=options) as session:
            session.execute("SET idle_session_timeout = 0")
            session.execute("SELECT left(rolname, 8) = (true || 1::smallint) FROM pg_roles")
    found = captured(hostile, since)
    assert "left" in found
    assert any(one.startswith("an operator of ") for one in found)


def test_role_cannot_even_log_in_without_what_we_pin(hostile: Server, node: Node) -> None:
    with pytest.raises(psycopg.OperationalError, match="plugins/nowhere"):
        psycopg.connect(hostile.conninfo_from_here(RUNNER, dbname=DATABASE))


def test_settings_of_a_session(hostile: Server, node: Node) -> None:
    """A session has our settings, according to the server, and none from the role or database."""
    names = [*PINNED, *PINNED_LATER, *PINNED_FOR_SUPERUSERS]
    with own_server(SETTINGS) as connection:
        rows = connection.rows("effective_settings", names=names)
        found = {row["name"]: row["setting"] for row in rows}
        sources = connection.row("running", names=names)["sources"]
    assert set(sources) >= set(PINNED) - {"role"}, "an unknown name pins nothing"
    assert {name: source for name, source in sources.items() if source in FROM_OTHERS} == {}
    assert found["search_path"] == "pg_catalog, pg_temp"
    assert found["synchronous_commit"] == "local"
    assert found["statement_timeout"] == str(round(1000 * SETTINGS.timeout.step_s))
    assert found["idle_session_timeout"] == "0"
    assert found["default_transaction_isolation"] == "read committed"
    assert found["session_replication_role"] == "origin"
    assert found["DateStyle"] == "ISO, MDY"
    assert found.get("restrict_nonsystem_relation_kind", "") == ""


def test_runner(hostile: Server, node: Node) -> None:
    with own_server(SETTINGS) as connection:
        facts = observe_primary(connection)
        assert facts.data_directory is not None or not isinstance(hostile.machine, LocalHost)
        assert "postgres" in facts.rewind_users
        assert RUNNER in facts.replication_users
        connection.rows("create_slot", name="pgpool_node_9")
        point = Point(TimelineId(1), parse_lsn(hostile.wal_position()))
        hold_wal(own_conninfo(SETTINGS), "pgpool_node_9", point, connect_s=5)
        assert connection.row("slot", name="pgpool_node_9")["restart_lsn"] is not None
        until(
            lambda: not connection.row("slot", name="pgpool_node_9")["is_active"],
            within_s=20,
            what="the walsender that held the WAL to end",
        )
        connection.rows("advance_slot", name="pgpool_node_9")
        connection.row("slot_wal_limit")
        assert drop_former_slots(connection, ()) == (), "a primary has none"
        assert read_upstream(connection, "node 0", {"pgpool_node_9"}, None).stream is None
        connection.rows("end_copy", name="pgpool_node_9")
        connection.rows("wake_standbys")
        connection.do("CHECKPOINT")
        if facts.version >= 170000:
            connection.rows("summary_coverage", redo="0/1")
            connection.rows("limit_blocks", redo="0/1", before=None)
            connection.rows("changed_blocks", redo="0/1")
        drop_own_slot(connection, "pgpool_node_9")


def test_history_and_metrics(hostile: Server, node: Node, tmp_path: Path) -> None:
    assert carry_out(settings=SETTINGS) == []
    with on_record(STAGE, SETTINGS, lambda _name: lambda _event: None) as recorded:
        recorded.emit(STORY[0])
        ((state,),) = hostile.sql(
            f"SELECT state FROM \"{SCHEMA}\".pgpool_recovery_progress WHERE state = 'running'",
            database=DATABASE,
        )
        assert state == "running"
    textfile = tmp_path / "recovery.prom"
    said: list[str] = []
    publish_recoveries(
        replace(SETTINGS, metrics=MetricsSettings(AbsolutePath(str(textfile)))), said.append
    )
    assert said == []
    assert 'node="1"' in textfile.read_text()


@pytest.mark.parametrize("user", [RUNNER, PERSON])
def test_command(hostile: Server, node: Node, user: str) -> None:
    """The commands work for the runner's role, and for a person's role that may only monitor."""
    carry_out(settings=SETTINGS)
    primary = look_at(node, login(user))
    assert primary.has(Feature.HISTORY)
    assert primary.has(Feature.PLAN)
    with primary.connect(Feature.HISTORY) as connection:
        record = RecordReader(connection)
        run = record.runs(3)[0]
        assert record.run(run.id) == run
        assert record.all_events(run.id)
        assert record.last_id() == run.id
        assert record.run_of(replace(node, node_id=NodeId(1)), after=0) == run.id
        record.progress()
    answer = ask(Cluster((node,), login(user)), node)
    assert answer.is_primary
    with connect_to(node, login(user)) as connection:
        for query in ("standbys", "slots", "running_calls"):
            connection.rows(query)
        connection.rows("cancel_backend", pid=1)
        may_look = connection.row("may_look")["may_look"]
        assert may_look == (user == RUNNER), "pg_monitor may not read files"
        if may_look:
            (script,) = connection.rows("scripts", names=["PG_VERSION"])
            assert script["is_there"]


def test_command_calls_the_extension(hostile: Server, node: Node) -> None:
    primary = look_at(node, login())
    with primary.connect(Feature.CHECK) as connection:
        nodes = json.dumps({"nodes": []})
        with pytest.raises(RecoveryError):
            connection.call("check_nodes", lambda _line: None, nodes=nodes)
    with primary.connect(Feature.RECOVERY) as connection:
        words = call_parameters(node, node)
        with pytest.raises(RecoveryError, match="pgpool_recovery failed"):
            connection.call("first_stage", lambda _line: None, script="nowhere", **words)
        with pytest.raises(RecoveryError, match="pgpool_remote_start failed"):
            connection.call("remote_start", lambda _line: None, **words)


def test_hooks(hostile: Server, node: Node) -> None:
    answer = standing_of(node, login())
    assert not isinstance(answer, Unreachable)
    assert answer[0].is_primary
    said: list[str] = []
    other = replace(node, node_id=NodeId(8))
    hold_wal_for(other, node, login(), said.append)
    assert said == []
    assert is_wal_held_for(other, node, login())
    look_after_slots(node, login(), [other], FailoverSettings(drop_slot_above_mb=0), said.append)
    assert any("pgpool_node_8" in line for line in said)
    with connect_to(node, login()) as connection:
        connection.rows("drop_slot", name="pgpool_node_8")
        with pytest.raises(Unreachable, match="promote"):
            connection.row("promote", timeout_s=1)


def test_check(hostile: Server, node: Node) -> None:
    pool = PoolFacts({"recovery_user": RUNNER, "recovery_database": DATABASE})
    extensions = {one.database: one for one in observe_extensions(pool, SETTINGS)}
    assert extensions[DATABASE].may_call
    assert extensions[DATABASE].version == "2.0"
    with own_server(SETTINGS) as connection:
        role = observe_role(connection, pool)
    assert role is not None
    assert role.is_superuser


def test_second_stage_and_agent_in_each_database(hostile: Server, node: Node) -> None:
    found = read_sequences_of(SETTINGS)
    with connect({**own_conninfo(SETTINGS), "dbname": DATABASE}) as connection:
        assert set_sequences(connection, dict.fromkeys(found, 3)) == len(found)
        assert set_sequences(connection, found) == len(found)
    assert 5 in found.values()


def test_agent(own_host: Server, node: Node) -> None:
    directory = str(own_host.data_directory)
    around = look_around(LookAround(directory, (), DATABASE, RUNNER), 5)
    assert around.server_problem is None
    running = ask_running(AskRunning(directory, DATABASE, RUNNER), Stop(), 5)
    assert isinstance(running, RunningServer)
    names = {"max_connections": own_host.sql("SHOW max_connections")[0][0]}
    take_over(Path(directory), running.login, names, Stop(), 5)


@pytest.mark.parametrize("is_replication", [False, True])
def test_agent_logs_in_to_the_primary(
    own_host: Server, node: Node, *, is_replication: bool
) -> None:
    candidate = {"host": node.host, "port": str(node.port), "user": RUNNER, "dbname": DATABASE}
    request = TryLogins((candidate,), is_replication=is_replication)
    (found,) = try_logins(request, Stop(), OwnLogin(), 5)
    assert found.problem is None
    with connect(candidate) as connection:
        file, *_ = connection.rows("wal_files")
        assert connection.row("wal_file", name=file["name"])["contents"]


def test_replication_connections(hostile: Server, node: Node) -> None:
    conninfo = {"user": RUNNER, "options": "-c wal_sender_timeout=10min"}
    identifier = identify_system(conninfo, timeout_s=10)
    with open_backup(conninfo, StreamLimits(), lambda: None) as backup:
        assert backup.identify()[0] == identifier


def test_program_of_postgresql(hostile: Server, node: Node) -> None:
    """A program such as pg_rewind is safe too: our connection string pins its settings.

    The program's queries are its own, so the connection string is all that we control.
    """
    own = {"options": "-c transaction_timeout=0"} if hostile.installation.major >= 17 else {}
    conninfo = format_conninfo(pinned({"user": RUNNER, "dbname": DATABASE, **own}))
    with psycopg.connect(conninfo, autocommit=True) as session:
        query = "SELECT 1 WHERE current_user::text || 'x' = %s::text"
        assert session.execute(query, (f"{RUNNER}x",)).fetchone() == (1,)


def test_what_the_extension_lacks_is_not_called(hostile: Server, node: Node) -> None:
    """A function that the installed version lacks is not called.

    Another role may have created one with its name in the schema of that older version.
    """
    hostile.execute(
        f'ALTER EXTENSION pgpool_recovery DROP FUNCTION "{SCHEMA}".pgpool_recovery_check(jsonb)',
        database=DATABASE,
    )
    try:
        primary = look_at(node, login())
        assert not primary.has(Feature.CHECK)
        with pytest.raises(Refused, match="no function pgpool_recovery_check"):
            primary.connect(Feature.CHECK).__enter__()
    finally:
        hostile.execute(
            f'ALTER EXTENSION pgpool_recovery ADD FUNCTION "{SCHEMA}".pgpool_recovery_check(jsonb)',
            database=DATABASE,
        )


def read_sequences_of(settings: Settings) -> dict[int, int]:
    with own_server(settings) as connection:
        return read_sequences(connection, settings)[DATABASE]
