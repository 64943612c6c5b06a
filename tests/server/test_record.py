"""The writer of the record at a real server: nothing there stops a recovery."""

import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace

import psycopg
import pytest

from pgpool_recovery.config.settings import PrimarySettings, Settings
from pgpool_recovery.domain.error import Refused
from pgpool_recovery.domain.event import (
    Event,
    Finished,
    PlanMade,
    Progress,
    Said,
    StepFinished,
    StepStarted,
)
from pgpool_recovery.domain.node import NodeId, Target
from pgpool_recovery.domain.target_state import TargetState
from pgpool_recovery.domain.work import Work
from pgpool_recovery.facts.pace import Pace
from pgpool_recovery.history.record import Stage, on_record
from pgpool_recovery.observe.pace import observe_paces
from pgpool_recovery.run.own_server import own_conninfo
from tests.harness.postgresql import Server
from tests.server.story import REMOTE_START, STAGE, STORY, carry_out

STUCK_S = 15
"""Whoever waits that long waits for what never comes."""


@pytest.fixture(autouse=True)
def called(server: Server, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Set the environment of a stage command that the server has called; no run is recorded yet."""
    monkeypatch.setenv("PGHOST", str(server.machine.address))  # The socket belongs to postgres.
    monkeypatch.setenv("PGPORT", str(server.port))
    monkeypatch.setenv("PGUSER", "postgres")
    yield
    server.execute("DELETE FROM pgpool_recovery_run")


def runs(server: Server, columns: str, *, database: str = "postgres") -> list[tuple[str, ...]]:
    query = f"SELECT {columns} FROM pgpool_recovery_run ORDER BY id"
    return server.sql(query, database=database)


def test_stages_are_one_run(server: Server) -> None:
    assert carry_out() == []
    columns = "node_id, state, method, moved_bytes, exit_status, ended_at IS NULL"
    assert runs(server, columns) == [("1", "copied", "rewind", "10", "0", "t")]
    assert carry_out(REMOTE_START, [Finished("it accepts connections", 1.0)]) == []
    assert runs(server, columns) == [("1", "recovered", "rewind", "10", "0", "f")]
    events = server.sql("SELECT count(*), max(number) FROM pgpool_recovery_event")
    without_progress, of_remote_start = len(STORY) - 1, 1
    assert events == [(str(without_progress + of_remote_start),) * 2]


COPY: list[Event] = [
    PlanMade("basebackup", (), Work(2, 8000, 60.0, 20.0)),
    StepStarted("reserve", 1, 3),
    StepFinished(1, 3, 0.1),
    StepStarted("copy", 2, 3),
    Progress(2000, 8000, 100.0),
    StepFinished(2, 3, 80.0),
    StepStarted("put it into place", 3, 3),
    StepFinished(3, 3, 0.1),
    Finished("ready", 81.0),
]


def paces() -> tuple[Pace, ...]:
    return observe_paces(own_conninfo(Settings()), Settings())


def test_recovery_that_succeeded_tells_how_fast_it_was(server: Server) -> None:
    assert paces() == ()
    assert carry_out(story=COPY) == []
    assert paces() == (), "its server was not started yet"
    server.execute("UPDATE pgpool_recovery_run SET work_ended_at = work_ended_at - interval '9 s'")
    assert carry_out(REMOTE_START, [Finished("it accepts connections", 1.0)]) == []
    (pace,) = paces()
    assert 9 <= pace.after_s < 9 + STUCK_S
    assert pace == Pace("basebackup", 1, "server1", "/data", 8000, 80.0, pace.after_s)


@pytest.mark.parametrize(
    ("method", "size", "kind", "is_told"),
    [
        ("catch-up", 8000, "archive", True),
        ("command", 0, "zfs", True),
        ("command", 0, None, True),
        ("basebackup", 0, None, False),
    ],
)
def test_work_of_the_plan_that_was_carried_out(
    server: Server, method: str, size: int, kind: str | None, *, is_told: bool
) -> None:
    """Of the kind of that plan, not of one before it that failed in the same run."""
    failed = PlanMade("command", (), Work(2, 0, kind="lvm"))
    story = [failed, PlanMade(method, (), Work(2, size, kind=kind)), *COPY[1:]]
    assert carry_out(story=story) == []
    assert carry_out(REMOTE_START, [Finished("it accepts connections", 1.0)]) == []
    found = [(pace.method, pace.work_bytes, pace.kind) for pace in paces()]
    assert found == ([(method, size, kind)] if is_told else [])


def test_failed_recovery_and_one_of_unknown_size_tell_nothing(server: Server) -> None:
    with suppress(Refused), on_record(STAGE, Settings(), lambda _name: lambda _event: None) as run:
        for event in COPY[:6]:
            run.emit(event)
        raise Refused("it failed")
    assert runs(server, "state, work_s") == [("failed", "80")]
    carry_out()
    carry_out(REMOTE_START, [])
    assert runs(server, "state")[-1] == ("recovered",)
    assert paces() == ()


def test_time_left_is_that_of_the_whole_run(server: Server) -> None:
    """That of the step by its own rate, and the plan's for the rest; it counts down by itself."""
    left = "SELECT seconds_left, run_seconds_left FROM pgpool_recovery_progress"
    seen: list[tuple[str, int]] = []
    with on_record(STAGE, Settings(), lambda _name: lambda _event: None) as run:
        for event in COPY:
            run.emit(event)
            ((of_step, whole),) = server.sql(left)
            seen.append((of_step, int(whole)))
    expected = [("", 80), ("", 80), ("", 80), ("", 80), ("60", 80), ("60", 20), ("", 20)]
    for (of_step, of_run), (step, at_most) in zip(seen, expected, strict=False):
        assert of_step == step
        assert at_most - STUCK_S < of_run <= at_most, seen
    assert carry_out(REMOTE_START, [Finished("it accepts connections", 1.0)]) == []
    assert server.sql(left) == []


def test_record_that_cannot_be_read_leaves_a_plan_without_a_forecast(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    with psycopg.connect(server.conninfo_from_here(dbname="postgres")) as somebody:
        somebody.execute("LOCK TABLE pgpool_recovery_run")
        began = time.monotonic()
        assert paces() == ()
        assert time.monotonic() - began < STUCK_S
    monkeypatch.setenv("PGPORT", "1")
    assert paces() == ()


@pytest.mark.parametrize(
    ("first", "left"),
    [
        ("attach", TargetState.STARTED),
        ("repoint", TargetState.STARTED),
        ("rewind", TargetState.COPIED),
        (None, TargetState.UNKNOWN),
    ],
)
def test_remote_start_that_has_not_begun_keeps_the_state_of_the_first_stage(
    server: Server, first: str | None, left: TargetState
) -> None:
    """A remote start that fails at once reports the target as the first stage left it.

    It has touched nothing itself. Without a recorded first stage, the state is not known.
    """
    if first is not None:
        assert carry_out(story=[PlanMade(first, ()), Finished("ready", 1.0)]) == []
    with (
        pytest.raises(Refused) as caught,
        on_record(REMOTE_START, Settings(), lambda _name: lambda _event: None),
    ):
        raise Refused("the settings cannot be read", target=TargetState.UNTOUCHED)
    assert caught.value.target is left
    assert runs(server, "state, target_state") == [("failed", left)]


def test_connections_are_used_up(server: Server) -> None:
    taken: list[psycopg.Connection] = []
    where = server.conninfo_from_here(dbname="postgres")
    try:
        while len(taken) < 200:
            try:
                taken.append(psycopg.connect(where))
            except psycopg.OperationalError:
                break
        (line,) = carry_out()
    finally:
        for connection in taken:
            connection.close()
    assert "the recovery is not recorded" in line
    assert "too many clients" in line
    assert "no longer" not in line, "it was never recorded"


def test_lock_of_another_session_holds_nothing_up(server: Server) -> None:
    with psycopg.connect(server.conninfo_from_here(dbname="postgres")) as somebody:
        somebody.execute("LOCK TABLE pgpool_recovery_run")
        began = time.monotonic()
        (line,) = carry_out()
        took_s = time.monotonic() - began
    assert "lock timeout" in line
    assert took_s < STUCK_S


def test_lost_connection_is_reported_once_and_leaves_an_interrupted_run(
    server: Server,
) -> None:
    told: list[Event] = []
    with on_record(STAGE, Settings(), lambda _name: told.append) as recorded:
        recorded.emit(STORY[0])
        server.execute(
            "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity "
            "WHERE application_name LIKE 'pgpool-recovery run %'"
        )
        for event in STORY[1:]:
            recorded.emit(event)
    (line,) = [e.line for e in told if isinstance(e, Said) and e.program == "history"]
    assert line.startswith("the recovery is no longer recorded: ")
    assert server.sql("SELECT state FROM pgpool_recovery_progress") == [("interrupted",)]
    assert carry_out() == []
    assert runs(server, "state, message") == [
        ("failed", "the runner ended without reporting a result"),
        ("copied", ""),
    ]


@pytest.mark.parametrize(("node_id", "is_ended"), [(1, True), (2, False), (None, False)])
def test_node_that_is_recovered_elsewhere_no_longer_has_an_interrupted_run(
    server: Server, node_id: int | None, *, is_ended: bool
) -> None:
    """An interrupted run ends when its node is recovered elsewhere; a run of another node does not.

    No later run will go on with it at the node's former place.
    """
    interrupted_run(server)
    target = replace(
        STAGE.target,
        host="server9",
        data_directory="/other",
        node_id=None if node_id is None else NodeId(node_id),
    )
    assert carry_out(replace(STAGE, target=target)) == []
    state = "failed" if is_ended else "running"
    assert runs(server, "state") == [(state,), ("copied",)]


NAMED = "pgpool-recovery run {}"
FIRST_KEY = 1885827186
"""The first key of the advisory lock by which an earlier build knew that a runner was alive."""


@pytest.fixture
def mallory(server: Server) -> Iterator[str]:
    """A role that may only connect."""
    server.execute("CREATE ROLE mallory LOGIN")
    yield "mallory"
    server.execute("DROP ROLE mallory")


def interrupted_run(server: Server) -> int:
    ((run_id,),) = server.sql(
        "INSERT INTO pgpool_recovery_run (node_id, host, data_directory, state) "
        "VALUES (1, 'server1', '/data', 'running') RETURNING id"
    )
    return int(run_id)


@contextmanager
def session_called(server: Server, role: str, run_id: int) -> Iterator[None]:
    """Open a session with every mark by which any build knew the runner of a run."""
    where = server.conninfo_from_here(role, dbname="postgres")
    name = NAMED.format(run_id)
    with psycopg.connect(where, autocommit=True, application_name=name) as session:
        session.execute("SELECT pg_advisory_lock(%s, %s)", (FIRST_KEY, run_id))
        yield


def test_plain_role_does_not_make_an_interrupted_run_look_alive(
    server: Server, mallory: str
) -> None:
    run_id = interrupted_run(server)
    with session_called(server, mallory, run_id):
        assert server.sql("SELECT state FROM pgpool_recovery_progress") == [("interrupted",)]
        assert carry_out() == []
    assert runs(server, "state, message") == [
        ("failed", "the runner ended without reporting a result"),
        ("copied", ""),
    ]


def test_plain_role_does_not_keep_a_runner_from_being_seen(server: Server, mallory: str) -> None:
    """A plain role that takes the marks of the next run beforehand changes nothing.

    The run still counts as running, and the next recovery does not end it.
    """
    next_id = interrupted_run(server) + 1
    with (
        session_called(server, mallory, next_id),
        on_record(STAGE, Settings(), lambda _name: lambda _event: None) as recorded,
    ):
        recorded.emit(STORY[0])
        assert server.sql("SELECT state FROM pgpool_recovery_progress") == [("running",)]
        assert carry_out() == []
        assert runs(server, "id, state")[1] == (str(next_id), "running")


def test_run_of_a_role_that_may_write_the_record_is_alive(server: Server, mallory: str) -> None:
    """A runner need not be a superuser: a role that may write the record counts as its runner."""
    server.execute(
        "GRANT SELECT, INSERT, UPDATE, DELETE ON pgpool_recovery_run TO mallory;"
        "GRANT SELECT, INSERT ON pgpool_recovery_event TO mallory;"
        "GRANT EXECUTE ON FUNCTION _pgpool_recovery_is_alive(bigint) TO mallory"
    )
    settings = Settings(primary=PrimarySettings(user=mallory))
    try:
        with on_record(STAGE, settings, lambda _name: lambda _event: None) as recorded:
            recorded.emit(STORY[0])
            assert server.sql("SELECT state FROM pgpool_recovery_progress") == [("running",)]
        assert runs(server, "state") == [("copied",)]
    finally:
        server.execute("DROP OWNED BY mallory")


def test_two_runners_of_a_target_do_not_end_each_other(server: Server) -> None:
    """The agent decides which runner may continue; the record keeps the state of each."""
    with on_record(STAGE, Settings(), lambda _name: lambda _event: None) as recorded:
        recorded.emit(STORY[0])
        with (
            pytest.raises(Refused),
            on_record(STAGE, Settings(), lambda _name: lambda _event: None),
        ):
            raise Refused("target node 1 is busy")
        assert runs(server, "state, message") == [
            ("running", ""),
            ("failed", "target node 1 is busy"),
        ]


@pytest.mark.parametrize(
    "setting",
    [
        "default_transaction_read_only = on",
        "idle_session_timeout = '50ms'",
        "client_encoding = 'LATIN1'",
        "search_path = nowhere",
    ],
)
def test_settings_of_the_role_do_not_matter(server: Server, setting: str) -> None:
    name = setting.split(maxsplit=1)[0]
    server.execute(f"ALTER ROLE postgres SET {setting}")
    try:
        with on_record(STAGE, Settings(), lambda _name: lambda _event: None) as recorded:
            time.sleep(0.2)  # The session is idle, as during a long step.
            recorded.emit(Said("agent", "cœur"))
    finally:
        server.execute(f"SET default_transaction_read_only = off; ALTER ROLE postgres RESET {name}")
    assert runs(server, "state") == [("copied",)]


def test_standby_that_does_not_answer_is_not_waited_for(server: Server) -> None:
    server.execute("ALTER SYSTEM SET synchronous_standby_names = 'nobody'")
    server.reload()
    try:
        began = time.monotonic()
        assert carry_out() == []
        assert time.monotonic() - began < STUCK_S
    finally:
        server.execute(
            "SET synchronous_commit = local; ALTER SYSTEM RESET synchronous_standby_names"
        )
        server.reload()
    assert runs(server, "state") == [("copied",)]


@pytest.mark.parametrize("encoding", ["LATIN1", "SQL_ASCII", "UTF8"])
def test_any_text_can_be_held_by_any_database(server: Server, encoding: str) -> None:
    database = f"in_{encoding.lower()}"
    server.execute(
        f"CREATE DATABASE {database} ENCODING '{encoding}' TEMPLATE template0 LOCALE 'C'"
    )
    server.execute("CREATE EXTENSION pgpool_recovery", database=database)
    said = Said("tar", "\u0434\u0430\u043d\u043d\u044b\u0435 caf\udce9 a\0b")
    directory = "/\u0434\u0430\u043d\u043d\u044b\u0435"
    stage = Stage(Target("server1", directory, NodeId(1), 5432), leads_to="copied")
    assert carry_out(stage, [said], database=database) == []
    remote_start = Stage(Target("server1", directory), leads_to="recovered", continues=True)
    assert carry_out(remote_start, [said], database=database) == []
    assert runs(server, "state", database=database) == [("recovered",)]
    query = "SELECT data->>'line' FROM pgpool_recovery_event WHERE number = 1"
    ((line,),) = server.sql(query, database=database)
    assert line.endswith(r"caf\xe9 a\x00b")
    server.execute(f"DROP DATABASE {database}")


@pytest.mark.parametrize(
    ("database", "why"),
    [
        ("nowhere", 'database "nowhere" does not exist'),
        ("bare", "database bare has no extension pgpool_recovery 2.0"),
    ],
)
def test_nowhere_to_write(server: Server, database: str, why: str) -> None:
    server.execute("CREATE DATABASE bare TEMPLATE template0")
    try:
        (line,) = carry_out(database=database)
    finally:
        server.execute("DROP DATABASE bare")
    assert line.startswith("the recovery is not recorded: ")
    assert why in line


def test_only_the_last_runs_are_kept_and_those_that_have_not_ended(server: Server) -> None:
    other = Stage(Target("server2", "/data", NodeId(2), 5432), leads_to="recovered")
    with on_record(STAGE, Settings(), lambda _name: lambda _event: None) as recorded:
        for _ in range(4):
            assert carry_out(other, keep=2) == []
        recorded.emit(STORY[0])
    assert runs(server, "node_id, state") == [
        ("1", "copied"),
        ("2", "recovered"),
        ("2", "recovered"),
    ]


def test_dump_has_the_rows_and_what_comes_after_them(server: Server) -> None:
    carry_out()
    program = server.installation.program
    where = ["-h", str(server.machine.socket_directory), "-p", str(server.port), "-U", "postgres"]
    dump = server.machine.run([program("pg_dump"), *where, "-d", "postgres"]).stdout
    assert "_pgpool_recovery_is_alive" not in dump, "its privileges are not those of the extension"
    file = server.machine.socket_directory / "dump.sql"
    server.machine.write_file(file, dump)
    server.execute("CREATE DATABASE restored TEMPLATE template0")
    try:
        psql = [program("psql"), "-X", "-q", "-v", "ON_ERROR_STOP=1", *where, "-d", "restored"]
        server.machine.run([*psql, "-f", str(file)])
        assert carry_out(REMOTE_START, database="restored") == []
        assert carry_out(database="restored") == []
        assert runs(server, "state", database="restored") == [("recovered",), ("copied",)]
    finally:
        server.execute("DROP DATABASE restored")


def test_default_privileges_do_not_make_it_public(server: Server) -> None:
    """The record is private even if ALTER DEFAULT PRIVILEGES grants SELECT on tables to PUBLIC."""
    server.execute("CREATE DATABASE generous TEMPLATE template0")
    try:
        server.execute(
            "ALTER DEFAULT PRIVILEGES GRANT SELECT ON TABLES TO PUBLIC;"
            "CREATE EXTENSION pgpool_recovery",
            database="generous",
        )
        query = """SELECT relname FROM pg_class, aclexplode(relacl) AS a
                    WHERE relname LIKE 'pgpool_recovery_%' AND a.grantee = 0"""
        assert server.sql(query, database="generous") == []
    finally:
        server.execute("DROP DATABASE generous")
