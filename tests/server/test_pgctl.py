"""pgpool_pgctl() does what it says: accepted actions happen, and status tells the truth."""

import os
import shutil
from collections.abc import Callable, Iterator

import psycopg
import pytest

from tests.harness.postgresql import Server
from tests.harness.until import until


def postmaster(server: Server) -> str:
    return (server.data_directory / "postmaster.pid").read_text().split("\n", 1)[0]


@pytest.mark.parametrize("collector", ["off", "on"])
@pytest.mark.parametrize("mode", ["fast", "immediate", ""])
def test_restart_is_accepted_then_happens(server: Server, mode: str, collector: str) -> None:
    server.set(logging_collector=collector)
    server.restart()
    before = postmaster(server)
    assert server.sql(f"SELECT pgpool_pgctl('restart', '{mode}')") == [("t",)]
    pid_file = server.data_directory / "postmaster.pid"
    until(
        lambda: pid_file.exists() and postmaster(server) != before and server.accepts_connections,
        within_s=20,
        what="the restarted server",
    )
    assert server.sql("SELECT 1") == [("1",)]


def test_restarted_server_goes_on_writing_its_log(server: Server) -> None:
    server.set(logging_collector="off")
    server.restart()
    before = postmaster(server)
    server.sql("SELECT pgpool_pgctl('restart', 'fast')")
    until(
        lambda: server.accepts_connections and postmaster(server) != before, within_s=20, what="it"
    )
    server.execute("DO $$BEGIN RAISE LOG 'after the restart'; END$$")
    assert "after the restart" in server.log_text()


@pytest.mark.parametrize("mode", ["fast", "immediate", "smart"])
def test_stop_is_accepted_then_happens(server: Server, mode: str) -> None:
    assert server.sql(f"SELECT pgpool_pgctl('stop', '{mode}')") == [("t",)]
    until(lambda: not server.is_running, within_s=20, what="the server to stop")
    server.start()


def test_reload_takes_effect_or_reports_why_not(server: Server) -> None:
    broken = server.data_directory / "conf.d" / "99-broken.conf"
    server.machine.write_file(broken, "log_min_duration_statement = '7s'\n")
    assert server.sql("SELECT pgpool_pgctl('reload', '')") == [("t",)]
    until(
        lambda: server.sql("SHOW log_min_duration_statement") == [("7s",)],
        within_s=5,
        what="the setting",
    )
    server.machine.write_file(broken, "work_mem = 'much'\n")
    with (
        psycopg.connect(server.conninfo(dbname="postgres"), autocommit=True) as connection,
        pytest.raises(psycopg.errors.InternalError_, match="pgpool_pgctl failed") as caught,
    ):
        connection.execute("SELECT pgpool_pgctl('reload', '')")
    assert "99-broken.conf:1" in (caught.value.diag.message_detail or "")
    # A setting that only a restart can change does not make a reload fail.
    server.machine.write_file(broken, "max_connections = 61\n")
    assert server.sql("SELECT pgpool_pgctl('reload', '')") == [("t",)]
    broken.unlink()


def test_status_of_a_data_directory(server: Server) -> None:
    def status(directory: object) -> str:
        ((answer,),) = server.sql(f"SELECT pgpool_pgctl('status', '{directory}')")
        return answer

    copy = server.data_directory.with_name("copy of it")
    assert status(server.data_directory) == "t"
    assert status(copy) == "f"
    copy.mkdir()
    assert status(copy) == "f"
    # A stale file that names a running server of another directory.
    shutil.copy(server.data_directory / "postmaster.pid", copy)
    assert status(copy) == "f"
    shutil.rmtree(copy)


@pytest.mark.parametrize("content", [None, b"", b"not a number\n" * 8, bytes(range(256)) * 8])
def test_promise_9_status_of_a_directory_that_was_prepared(
    server: Server, content: bytes | None
) -> None:
    """A directory with a prepared pid file has no server, and the call does not wait.

    The file is a pipe, empty, without a number, or binary.
    """
    prepared = server.data_directory.with_name("préparé")
    server.machine.make_directory(prepared)
    pid_file = prepared / "postmaster.pid"
    if content is None:
        os.mkfifo(pid_file)
        pid_file.chmod(0o666)
    else:
        pid_file.write_bytes(content)
    try:
        with psycopg.connect(server.conninfo(dbname="postgres"), autocommit=True) as connection:
            connection.execute("SET statement_timeout = '20s'")
            query = "SELECT pgpool_pgctl('status', %s)"
            assert connection.execute(query, [str(prepared)]).fetchone() == (False,)
    finally:
        shutil.rmtree(prepared)


@pytest.fixture
def use_pg_ctl(server: Server) -> Iterator[Callable[[str], None]]:
    """Return a function that sets pgpool.pg_ctl in postgresql.conf until the test ends."""
    file = server.data_directory / "conf.d" / "99-pg_ctl.conf"

    def use(path: str) -> None:
        server.machine.write_file(file, f"pgpool.pg_ctl = '{path}'\n")
        server.reload()
        until(
            lambda: server.sql("SELECT current_setting('pgpool.pg_ctl', true)") == [(path,)],
            within_s=5,
            what="the reload",
        )

    yield use
    file.unlink()
    server.reload()


@pytest.mark.parametrize(
    ("path", "action", "detail"),
    [
        ("/bin/false", "reload", '"/bin/false reload" exited with status 1.\nIt wrote nothing.'),
        ("/nonexistent", "reload", 'Could not execute "/nonexistent": No such file or directory.'),
        ("/nonexistent", "stop", 'Program "/nonexistent" is not an executable file.'),
    ],
)
def test_setting_names_another_pg_ctl(
    server: Server, use_pg_ctl: Callable[[str], None], path: str, action: str, detail: str
) -> None:
    use_pg_ctl(path)
    with (
        psycopg.connect(server.conninfo(dbname="postgres"), autocommit=True) as connection,
        pytest.raises(psycopg.errors.InternalError_, match="pgpool_pgctl failed") as caught,
    ):
        connection.execute(f"SELECT pgpool_pgctl('{action}', '')")
    assert caught.value.diag.message_detail == detail


def test_role_may_use_the_program_of_the_configuration_but_not_its_own(
    server: Server, use_pg_ctl: Callable[[str], None]
) -> None:
    use_pg_ctl(server.installation.program("pg_ctl"))
    server.execute("CREATE ROLE controller LOGIN")
    server.execute("GRANT EXECUTE ON FUNCTION pgpool_pgctl TO controller")
    query = "SELECT pgpool_pgctl('logrotate', '')"
    with psycopg.connect(
        server.conninfo("controller", dbname="postgres"), autocommit=True
    ) as connection:
        assert connection.execute(query).fetchone() == (True,)
        connection.execute("SET pgpool.pg_ctl = '/bin/true'")
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            connection.execute(query)


def test_promise_13_session_of_a_superuser_may_have_been_set_by_anybody(server: Server) -> None:
    """A value that was set in a superuser's session is refused.

    The superuser may have set it, or a function of another role that was called; the server cannot
    know which.
    """
    server.execute(
        "CREATE ROLE setter LOGIN; CREATE SCHEMA theirs AUTHORIZATION setter;"
        " GRANT EXECUTE ON FUNCTION pgpool_pgctl TO setter"
    )
    sets = "set_config('pgpool.pg_ctl', '/bin/true', false)"
    query = "SELECT pgpool_pgctl('logrotate', '')"
    with psycopg.connect(server.conninfo("setter", dbname="postgres")) as setter:
        setter.execute(
            "CREATE FUNCTION theirs.sets_it() RETURNS text LANGUAGE sql SECURITY DEFINER"
            f" RETURN {sets}"
        )
        setter.execute(
            "CREATE FUNCTION theirs.report() RETURNS boolean LANGUAGE sql SECURITY DEFINER"
            f" AS $$ SELECT {sets}; {query} $$"
        )
    try:
        for before, call in (
            ("SELECT theirs.sets_it()", query),
            (f"SELECT {sets}", query),
            ("SELECT 1", "SELECT theirs.report()"),
        ):
            with psycopg.connect(server.conninfo(dbname="postgres"), autocommit=True) as connection:
                connection.execute(before)
                with pytest.raises(psycopg.errors.InsufficientPrivilege, match="pgpool_pgctl"):
                    connection.execute(call)
    finally:
        server.execute("DROP OWNED BY setter CASCADE; DROP ROLE setter")


def test_promise_13_session_of_a_superuser_chooses_no_program_for_others(server: Server) -> None:
    """A materialized view that a superuser refreshes cannot choose the program.

    Its query runs as the view's owner, but in the superuser's session.
    """
    server.execute(
        "CREATE ROLE owner_of_view LOGIN; CREATE SCHEMA AUTHORIZATION owner_of_view;"
        " GRANT EXECUTE ON FUNCTION pgpool_pgctl TO owner_of_view"
    )
    with psycopg.connect(server.conninfo("owner_of_view", dbname="postgres")) as connection:
        connection.execute(
            "CREATE MATERIALIZED VIEW owner_of_view.v AS SELECT pgpool_pgctl('logrotate', '')"
            "  FROM set_config('pgpool.pg_ctl', '/bin/true', false) WITH NO DATA"
        )
    try:
        with (
            psycopg.connect(server.conninfo(dbname="postgres"), autocommit=True) as connection,
            pytest.raises(psycopg.errors.InsufficientPrivilege, match="pgpool_pgctl failed"),
        ):
            connection.execute("REFRESH MATERIALIZED VIEW owner_of_view.v")
    finally:
        server.execute("DROP OWNED BY owner_of_view CASCADE; DROP ROLE owner_of_view")
