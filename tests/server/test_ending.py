"""Whatever ends a call, all processes that its script started have ended five seconds later."""

import json
import os
import signal
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest

from tests.harness.postgresql import Server
from tests.harness.until import until
from tests.server.conftest import write_script

WITHIN_S = 5.0
CALL = "SELECT pgpool_recovery('stage', 'host', '/data')"

POLITE = "sleep 600 & echo $$ > pids; echo $! >> pids; wait"
# It ignores every signal that it can, and has children in sessions of their own.
STUBBORN = """
trap '' INT TERM HUP QUIT
setsid sh -c 'trap "" INT TERM HUP; echo $$ >> pids; while :; do sleep 600; done' &
(setsid setsid sleep 600 & echo $! >> pids)
echo $$ >> pids
while :; do sleep 600; done
"""
SCRIPTS = [pytest.param(POLITE, id="polite"), pytest.param(STUBBORN, id="stubborn")]


class Call:
    """A running call of pgpool_recovery(), and the processes of its script."""

    def __init__(self, server: Server, connection: psycopg.Connection, marked: list[int]) -> None:
        self.server = server
        self.connection = connection
        self.backend_pid = connection.info.backend_pid
        self.marked = marked

    def assert_all_gone(self, since: float) -> None:
        """Assert that all processes of the call's script end within the limit after `since`."""
        until(
            lambda: not [pid for pid in self.marked if is_alive(pid)],
            within_s=max(0.1, since + WITHIN_S - time.monotonic()),
            what=f"processes {self.marked} to be gone",
        )


def is_alive(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2][0]
    except (FileNotFoundError, ProcessLookupError):
        return False
    return state != "Z"


def marked_processes(server: Server) -> list[int]:
    """Return the processes that a script of this server started, by the mark they inherit."""
    data = f"PGDATA={server.data_directory}"
    return [
        process.pid
        for process in server.machine.processes()
        if any(word.startswith("PGPOOL_RECOVERY_ID=") for word in environment(process.pid))
        and data in environment(process.pid)
    ]


def environment(pid: int) -> list[str]:
    try:
        return Path(f"/proc/{pid}/environ").read_text(errors="replace").split("\0")
    except OSError:
        return []


@contextmanager
def under_way(server: Server, script: str) -> Iterator[tuple[Call, Callable[[], psycopg.Error]]]:
    """Start a call; the second value is a function that waits for its error and returns that."""
    pids = server.data_directory / "pids"
    server.machine.path(pids).unlink(missing_ok=True)
    write_script(server, script)
    expected = 2 if script == POLITE else 4
    connection = psycopg.connect(server.conninfo(dbname="postgres"), autocommit=True)
    with ThreadPoolExecutor(1) as pool:
        future = pool.submit(connection.execute, CALL)
        until(
            lambda: len(marked_processes(server)) >= expected,
            within_s=10,
            what="the script to be under way",
        )
        call = Call(server, connection, marked_processes(server))

        def error() -> psycopg.Error:
            with pytest.raises(psycopg.Error) as caught:
                future.result(timeout=WITHIN_S + 2)
            return caught.value

        try:
            yield call, error
        finally:
            for pid in call.marked:
                if is_alive(pid):
                    os.kill(pid, signal.SIGKILL)
            connection.close()


@pytest.mark.parametrize("script", SCRIPTS)
def test_query_cancel(server: Server, script: str) -> None:
    with under_way(server, script) as (call, error):
        began = time.monotonic()
        server.execute(f"SELECT pg_cancel_backend({call.backend_pid})")
        said = error()
        call.assert_all_gone(began)
        assert said.sqlstate == "57014"
        assert str(said).startswith("canceling statement due to user request")
        assert "Traceback" not in str(said)


@pytest.mark.parametrize(
    "attributes", ["SUPERUSER", "NOINHERIT IN ROLE postgres", "IN ROLE pg_signal_backend"]
)
def test_only_a_role_that_could_have_cancelled_is_named(server: Server, attributes: str) -> None:
    """A session that has the name of a cancel is only named if its role could have cancelled.

    Any session can take that name, and pg_signal_backend may not cancel a superuser's statement.
    """
    server.execute(f"CREATE ROLE pretender LOGIN {attributes}")
    try:
        with under_way(server, POLITE) as (call, error):
            name = f"pgpool-recovery cancel {call.backend_pid}"
            conninfo = server.conninfo(dbname="postgres", user="pretender")
            with psycopg.connect(conninfo, application_name=name):
                server.execute(f"SELECT pg_cancel_backend({call.backend_pid})")
                detail = error().diag.message_detail or ""
            is_named = 'It was cancelled with "pgpool-recovery cancel" by role pretender' in detail
            assert is_named is (attributes == "SUPERUSER")
    finally:
        server.execute("DROP ROLE pretender")


@pytest.mark.parametrize("script", SCRIPTS)
def test_session_goes_on_after_a_cancel(server: Server, script: str) -> None:
    with under_way(server, script) as (call, error):
        server.execute(f"SELECT pg_cancel_backend({call.backend_pid})")
        error()
        write_script(server, "echo again")
        assert call.connection.execute(CALL).fetchone() == (True,)


@pytest.mark.parametrize("script", SCRIPTS)
def test_statement_timeout(server: Server, script: str) -> None:
    write_script(server, script)
    with psycopg.connect(server.conninfo(dbname="postgres"), autocommit=True) as connection:
        connection.execute("SET statement_timeout = '700ms'")
        began = time.monotonic()
        with pytest.raises(psycopg.errors.QueryCanceled, match="statement timeout"):
            connection.execute(CALL)
        until(lambda: not marked_processes(server), within_s=WITHIN_S, what="no process to be left")
        assert time.monotonic() - began < 0.7 + WITHIN_S


@pytest.mark.parametrize("script", SCRIPTS)
def test_terminated_backend(server: Server, script: str) -> None:
    with under_way(server, script) as (call, error):
        began = time.monotonic()
        server.execute(f"SELECT pg_terminate_backend({call.backend_pid})")
        error()
        call.assert_all_gone(began)


@pytest.mark.parametrize("script", SCRIPTS)
def test_lost_caller(server: Server, script: str) -> None:
    with under_way(server, script) as (call, error):
        began = time.monotonic()
        shut_down(call.connection)
        error()
        call.assert_all_gone(began)
        until(
            lambda: (
                not server.sql(f"SELECT 1 FROM pg_stat_activity WHERE pid = {call.backend_pid}")
            ),
            within_s=WITHIN_S,
            what="the backend to end",
        )


@pytest.mark.parametrize("script", SCRIPTS)
def test_killed_supervisor(server: Server, script: str) -> None:
    with under_way(server, script) as (call, error):
        began = time.monotonic()
        (supervisor,) = [
            process.pid
            for process in server.machine.processes()
            if f"for backend {call.backend_pid}" in " ".join(process.argv)
        ]
        os.kill(supervisor, signal.SIGKILL)
        said = error()
        call.assert_all_gone(began)
        assert "the supervisor" in (said.diag.message_detail or "").lower()


@pytest.mark.parametrize("script", SCRIPTS)
@pytest.mark.parametrize("mode", ["fast", "immediate"])
def test_shutdown(server: Server, script: str, mode: str) -> None:
    with under_way(server, script) as (call, error):
        began = time.monotonic()
        server.stop(mode)
        try:
            assert time.monotonic() - began < WITHIN_S, "the script delayed the shutdown"
            error()
            call.assert_all_gone(began)
        finally:
            server.start()


@pytest.mark.parametrize("script", SCRIPTS)
def test_killed_backend(server: Server, script: str) -> None:
    """The processes end with a killed backend, while the postmaster restarts after the crash."""
    with under_way(server, script) as (call, error):
        began = time.monotonic()
        os.kill(local_pid(server, call.backend_pid), signal.SIGKILL)
        error()
        call.assert_all_gone(began)
    until(lambda: server.accepts_connections, within_s=30, what="the server to be back")


def local_pid(server: Server, pid: int) -> int:
    """Return a backend's process id as seen from this machine, where it is the same."""
    assert any(process.pid == pid for process in server.processes())
    return pid


def shut_down(connection: psycopg.Connection) -> None:
    """Shut the connection's socket down, as if the client's process had been killed."""
    import socket

    with socket.socket(fileno=os.dup(connection.fileno())) as raw:
        raw.shutdown(socket.SHUT_RDWR)


def test_progress_is_seen_live(server: Server) -> None:
    """NOTICEs arrive while the script runs, and its lines are also in the server log."""
    goes_on = server.data_directory / "goes_on"
    server.machine.path(goes_on).unlink(missing_ok=True)
    waits = "for _ in $(seq 200); do [ -e goes_on ] && break; sleep 0.1; done"
    write_script(server, f"echo first; {waits}; rm goes_on || exit 1; echo second")

    def let_go_on(notice: psycopg.errors.Diagnostic) -> None:
        if notice.message_primary == "first":
            server.machine.write_file(goes_on, "")

    with psycopg.connect(server.conninfo(dbname="postgres"), autocommit=True) as connection:
        connection.add_notice_handler(let_go_on)
        connection.execute(CALL)
    log = server.log_text().splitlines()
    assert "first" in log
    assert "second" in log


def test_daemon_of_a_script_survives_its_call(server: Server) -> None:
    """A daemon outlives the call, as does a server that a remote start starts on the same host."""
    write_script(server, "setsid sleep 600 & echo $!")
    lines: list[str] = []
    with psycopg.connect(server.conninfo(dbname="postgres"), autocommit=True) as connection:
        connection.add_notice_handler(lambda notice: lines.append(notice.message_primary or ""))
        assert connection.execute(CALL).fetchone() == (True,)
    until(lambda: not supervisors(server), within_s=5, what="the supervisor to end")
    assert is_alive(int(lines[0]))
    os.kill(int(lines[0]), signal.SIGKILL)


def supervisors(server: Server) -> list[int]:
    """Return the process ids of the supervisors whose backend is alive."""
    backends = {process.pid for process in server.processes()}
    return [
        process.pid
        for process in server.machine.processes()
        if "supervisor of pgpool_recovery" in " ".join(process.argv)
        and process.parent_pid in backends
    ]


def test_supervisor_ends_with_its_session(server: Server) -> None:
    write_script(server, "exit 0")
    with psycopg.connect(server.conninfo(dbname="postgres"), autocommit=True) as connection:
        connection.execute(CALL)
        assert len(supervisors(server)) == 1
        connection.execute(CALL)
        assert len(supervisors(server)) == 1
    until(lambda: not supervisors(server), within_s=5, what="the supervisor to end")


def test_descriptors_of_the_server_are_not_inherited(server: Server) -> None:
    script = "python3 -c 'import json, os; print(json.dumps(os.listdir(\"/proc/self/fd\")))'"
    write_script(server, script)
    lines: list[str] = []
    with psycopg.connect(server.conninfo(dbname="postgres"), autocommit=True) as connection:
        connection.add_notice_handler(lambda notice: lines.append(notice.message_primary or ""))
        connection.execute(CALL)
    assert json.loads(lines[0]) == ["0", "1", "2", "3"]  # The last one reads the directory.


def test_silent_client_of_a_dead_host_is_noticed_by_keepalives(server: Server) -> None:
    """Keepalives are on during the call, as only its connection shows that Pgpool-II is gone."""
    write_script(server, "psql -X -A -t -U postgres -c 'show tcp_keepalives_idle'; sleep 1")
    with (
        psycopg.connect(server.conninfo(dbname="postgres"), autocommit=True) as caller,
        ThreadPoolExecutor(1) as pool,
    ):
        future = pool.submit(caller.execute, CALL)
        port = caller.info.port
        assert port == server.port
        until(lambda: keepalive_timer(server, caller), within_s=5, what="a keepalive timer")
        future.result()


def keepalive_timer(server: Server, connection: psycopg.Connection) -> bool:
    """Return whether the server's end of a connection has a keepalive timer."""
    import socket

    with socket.socket(fileno=os.dup(connection.fileno())) as raw:
        own = raw.getsockname()[1]
    said = server.machine.run(
        ["ss", "-tnoH", f"( sport = :{server.port} and dport = :{own} )"], user="root"
    ).stdout
    return "keepalive" in said
