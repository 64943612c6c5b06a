"""Calls of pgpool_adm that are interrupted, and the places where no password may appear."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from threading import Event

import psycopg
import pytest

from pgpool_recovery.pcp.client.commands import TRIES
from pgpool_recovery.pcp.client.reply import MAX_ANSWER_BYTES
from tests.harness.postgresql import Server
from tests.harness.until import until
from tests.harness.workspace import Workspace
from tests.server.adm_pool import create_pgpool_adm, listening
from tests.unit.pcp.byte_server import Client, answering
from tests.unit.pcp.stream import message, notice, one, strings

CALLS = ThreadPoolExecutor(max_workers=1)


@pytest.fixture(scope="module", autouse=True)
def pool(server: Server) -> Server:
    """The server with pgpool_adm."""
    create_pgpool_adm(server)
    return server


@pytest.fixture
def directory(workspace: Workspace) -> Path:
    """A directory for the socket of a byte server, with a path short enough for one."""
    return workspace.make_new("pcp-", owner="postgres")


class Silence:
    """A turn that authenticates a client, and then answers nothing until it disconnects."""

    def __init__(self) -> None:
        self.has_begun = Event()

    def __call__(self, client: Client) -> None:
        client.let_in()
        client.request()
        self.has_begun.set()
        while client.request()[0] not in ("X", ""):
            pass


def silent_recovery(client: Client) -> None:
    """Report that a recovery has started, and nothing more until the client disconnects."""
    client.let_in()
    client.request()
    client.send(one("a"))
    client.request()
    client.send(notice(S="LOG", C="00000", M="starting recovering node 1"))
    while client.request()[0] not in ("X", ""):
        pass


def test_cancel_ends_a_call(connection: psycopg.Connection, directory: Path) -> None:
    silence = Silence()
    with listening(directory, silence) as address:
        calling = CALLS.submit(connection.execute, f"SELECT pcp_node_count({address})")
        assert silence.has_begun.wait(10)
        connection.cancel()
        error = calling.exception(timeout=10)
    assert isinstance(error, psycopg.errors.QueryCanceled)
    assert error.diag.message_primary == "canceling statement due to user request"
    assert error.diag.message_detail is None


def test_statement_timeout_ends_a_call(connection: psycopg.Connection, directory: Path) -> None:
    connection.execute("SET statement_timeout = '1s'")
    with (
        listening(directory, Silence()) as address,
        pytest.raises(psycopg.errors.QueryCanceled, match="due to statement timeout"),
    ):
        connection.execute(f"SELECT pcp_pool_status({address})")


def test_end_of_the_session_ends_a_call(
    pool: Server, connection: psycopg.Connection, directory: Path
) -> None:
    silence = Silence()
    with listening(directory, silence) as address:
        calling = CALLS.submit(connection.execute, f"SELECT pcp_node_info(0, {address})")
        assert silence.has_begun.wait(10)
        pool.execute(f"SELECT pg_terminate_backend({connection.info.backend_pid})")
        assert isinstance(calling.exception(timeout=10), psycopg.errors.AdminShutdown)


def test_setting_limits_the_wait(connection: psycopg.Connection, directory: Path) -> None:
    connection.execute("SET pgpool_adm.timeout = '500ms'")
    with (
        listening(directory, Silence()) as address,
        pytest.raises(psycopg.OperationalError) as caught,
    ):
        connection.execute(f"SELECT pcp_attach_node(0, {address})")
    assert caught.value.diag.message_primary == (
        f"Pgpool-II at {directory} did not send its answer in time"
    )
    assert caught.value.diag.message_detail == "The wait was limited to 0.5 seconds."


def test_recovery_has_a_limit_of_its_own(connection: psycopg.Connection, directory: Path) -> None:
    connection.execute("SET pgpool_adm.timeout = '50ms'; SET pgpool_adm.recovery_timeout = '1s'")
    with (
        listening(directory, silent_recovery) as address,
        pytest.raises(psycopg.OperationalError, match="did not send its answer in time") as caught,
    ):
        connection.execute(f"SELECT pcp_recovery_node(1, {address})")
    assert (caught.value.diag.message_detail or "").startswith("The recovery of node 1 goes on")


def test_cancelled_call_reports_that_the_recovery_goes_on(
    connection: psycopg.Connection, directory: Path
) -> None:
    with listening(directory, silent_recovery) as address:
        told: list[str] = []

        def call() -> None:
            connection.add_notice_handler(lambda line: told.append(str(line.message_primary)))
            connection.execute(f"SELECT pcp_recovery_node(1, {address})")

        calling = CALLS.submit(call)
        until(lambda: told == ["starting recovering node 1"], within_s=10, what="its first line")
        connection.cancel()
        error = calling.exception(timeout=10)
    assert isinstance(error, psycopg.errors.QueryCanceled)
    assert error.diag.message_detail == (
        "The recovery of node 1 goes on without this call, because PCP cannot cancel it."
    )
    assert "pgpool-recovery cancel 1" in (error.diag.message_hint or "")


def test_rows_come_whole_in_every_encoding(pool: Server, directory: Path) -> None:
    """A character that the database's encoding lacks is shown as a question mark."""
    parameters = b"b" + (4 + 9 + 1 + 4).to_bytes(4, "big") + b"ArraySize\0" + (1).to_bytes(4, "big")
    row = ("ProcessConfig", "délai", 'a "b" \\ \n', "\u4e16")
    text = b"".join(word.encode() + b"\0" for word in row)
    answer = parameters + b"b" + (4 + len(text)).to_bytes(4, "big") + text + one("b")
    for encoding, expected in (
        ("UTF8", ("délai", 'a "b" \\ \n', "\u4e16")),
        ("LATIN1", ("d?lai", 'a "b" \\ \n', "?")),
    ):
        name = f"in_{encoding.lower()}"
        pool.execute(f"CREATE DATABASE {name} TEMPLATE template0 ENCODING '{encoding}' LOCALE 'C'")
        pool.execute("CREATE EXTENSION pgpool_adm", database=name)
        with (
            listening(directory, answering("B", b"", answer)) as address,
            psycopg.connect(pool.conninfo(dbname=name), autocommit=True) as connection,
        ):
            found = connection.execute(f"SELECT * FROM pcp_pool_status({address})").fetchall()
        assert found == [expected]
        pool.execute(f"DROP DATABASE {name}")


def test_password_of_a_failed_call_is_not_in_the_log(
    pool: Server, connection: psycopg.Connection
) -> None:
    with pytest.raises(psycopg.OperationalError) as caught:
        connection.execute("SELECT 1 AS marker_1, pcp_node_count('/nowhere', 1, 'u', 's3cret-1')")
    assert "s3cret-1" not in str(caught.value)
    with pytest.raises(psycopg.OperationalError):
        connection.execute("SELECT pcp_node_count('/nowhere', 2, %s, %s)", ("u", "s3cret-2"))
    with pytest.raises(psycopg.errors.DivisionByZero):
        connection.execute("SELECT 1 / 0 AS marker_2")
    log = pool.log_text()
    assert "could not connect to Pgpool-II at /nowhere" in log
    assert "marker_2" in log, "failed statements are not logged at all"
    assert "SELECT 1 AS marker_1, pcp_node_count('/nowhere', 1, 'u', '********')" in log
    assert "s3cret" not in log


@pytest.mark.parametrize("change", ["the role", "the statement", "nothing"])
def test_promise_13_mapping_that_was_read_is_for_one_call_of_one_role(
    pool: Server, connection: psycopg.Connection, change: str
) -> None:
    """A mapping that was read serves one call of the same role in the same statement.

    If that call is not made, the mapping is of no use to another role or to a later statement.
    """
    connection.execute(
        "CREATE ROLE mapped; CREATE ROLE another; CREATE FOREIGN DATA WRAPPER w;"
        " CREATE SERVER nowhere FOREIGN DATA WRAPPER w OPTIONS (host '/nowhere');"
        " CREATE USER MAPPING FOR mapped SERVER nowhere OPTIONS (user 'u', password 'p')"
    )
    read = (
        "SET ROLE mapped",
        "SELECT _pgpool_adm_want_mapping('nowhere')",
        "SELECT _pgpool_adm_read_mapping()",
    )
    change_role = ["SET ROLE another"] if change == "the role" else []
    call = "SELECT message FROM _pgpool_adm_call('pcp_node_count(text)', '{nowhere}')"
    try:
        if change == "the statement":
            connection.execute("; ".join(read))
            found = connection.execute(call)
        else:
            found = connection.execute("; ".join([*read, *change_role, call]))
            while found.nextset():
                pass
        (message,) = found.fetchone() or ("",)
        expected = "could not connect" if change == "nothing" else "no user mapping was read"
        assert message.startswith(expected)
    finally:
        connection.execute("RESET ROLE; DROP SERVER nowhere CASCADE")
        connection.execute("DROP FOREIGN DATA WRAPPER w; DROP ROLE mapped, another")


@pytest.fixture
def stranger(pool: Server) -> Iterator[psycopg.Connection]:
    """A session of a role without any privileges."""
    pool.execute("CREATE ROLE stranger LOGIN")
    with psycopg.connect(
        pool.conninfo("stranger", dbname="postgres"), autocommit=True
    ) as connection:
        yield connection
    pool.execute("DROP ROLE stranger")


CAUGHT = (
    "DO $$BEGIN PERFORM pcp_node_count('/nowhere', 1, 'u', 's3cret-6'); "
    "EXCEPTION WHEN OTHERS THEN NULL; END$$"
)
FORGED = "ROW(false, '55000', 'of my own', NULL, NULL, NULL)"
DIRECT = (
    "SELECT _pgpool_adm_call('pcp_node_count(text,integer,text,text)', "
    "ARRAY['/nowhere', '1', 'u', {}])"
)


@pytest.mark.parametrize(
    "attempts",
    [
        pytest.param([f"SELECT 'ATTEMPT', _pgpool_adm_answer({FORGED})"], id="forged outcome"),
        pytest.param(
            [DIRECT.format("'x'"), f"SELECT 'ATTEMPT', _pgpool_adm_answer({FORGED})"],
            id="after a call that failed",
        ),
        pytest.param(
            ["SELECT 'ATTEMPT', pcp_node_count('/nowhere', 1, 'u', 's3cret-4')"], id="beside a call"
        ),
        pytest.param(
            ["SELECT 1 AS \"ATTEMPT\", pcp_node_count('/nowhere', 1, 'u', current_query())"],
            id="as a password",
        ),
        pytest.param(
            ["DO $$BEGIN PERFORM 'ATTEMPT', pcp_node_count('/nowhere', 1, 'u', 's3cret-5'); END$$"],
            id="in a block",
        ),
        pytest.param(
            [
                CAUGHT,
                "SELECT 1/0 AS ATTEMPT",
            ],
            id="after one that was caught",
        ),
        pytest.param(
            [
                "SELECT pcp_node_count('/nowhere', 1, 'u', '') WHERE 'ATTEMPT' = ''",
                "SELECT 1/0 AS ATTEMPT FROM _pgpool_adm_read_mapping()",
            ],
            id="what has no password",
        ),
    ],
)
def test_no_role_can_hide_its_attempts(
    pool: Server, stranger: psycopg.Connection, attempts: list[str]
) -> None:
    before = len(pool.log_text())
    for attempt in attempts:
        with suppress(psycopg.Error):
            stranger.execute(attempt)
    log = pool.log_text()[before:]
    assert "ATTEMPT" in log
    assert "s3cret" not in log


def test_only_the_extension_can_ask_for_the_failed_statement(
    stranger: psycopg.Connection,
) -> None:
    with pytest.raises(psycopg.errors.InsufficientPrivilege, match="_pgpool_adm_failed_statement"):
        stranger.execute("SELECT _pgpool_adm_failed_statement()")


TYPED = {
    "constant": "SELECT pcp_node_count('/nowhere', 1, 'u', 's3cret')",
    "dollars": "SELECT pcp_node_count('/nowhere', 1, 'u', $x$s3cret$x$)",
    "escapes": "SELECT pcp_node_count('/nowhere', 1, 'u', E's3cret\\x41')",
    "unicode": "SELECT pcp_node_count('/nowhere', 1, 'u', U&'s3cret\\0041')",
    "two pieces": "SELECT pcp_node_count('/nowhere', 1, 'u', 's3cret' || 'more')",
    "two lines": "SELECT pcp_node_count('/nowhere', 1, 'u', 's3cret'\n'more')",
    "array": "SELECT pcp_node_count('/nowhere', 1, 'u', ('{s3cret}'::text[])[1])",
    "block": "DO $$BEGIN PERFORM pcp_node_count('/nowhere', 1, 'u', 's3cret'); END$$",
    "block of a block": "DO $a$BEGIN EXECUTE $b$SELECT pcp_node_count('/nowhere', 1, 'u', "
    "$c$s3cret$c$)$b$; END$a$",
    "comment before": "SELECT /* it's /* */ a \" ' */ pcp_node_count('/nowhere', 1, 'u', 's3cret')",
    "name before": "SELECT 1 AS \"it's\", pcp_node_count('/nowhere', 1, 'u', 's3cret')",
    "old strings": "SELECT 'it\\'s', pcp_node_count('/nowhere', 1, 'u', 's3cret')",
    "direct": "SELECT (_pgpool_adm_answer(_pgpool_adm_call("
    "'pcp_node_count(text,integer,text,text)', '{/nowhere,1,u,s3cret}')))",
}


@pytest.mark.parametrize("way", TYPED)
def test_promise_7_password_is_hidden_however_it_was_typed(
    pool: Server, stranger: psycopg.Connection, way: str
) -> None:
    stranger.execute("SET client_min_messages = error")
    if way == "old strings":
        stranger.execute("SET standard_conforming_strings = off")
    before = len(pool.log_text())
    with pytest.raises(psycopg.OperationalError):
        stranger.execute(TYPED[way])
    log = pool.log_text()[before:]
    assert "could not connect to Pgpool-II at /nowhere" in log
    assert "********" in log
    assert "s3cret" not in log


def test_password_that_is_a_parameter_is_not_in_the_context(
    pool: Server, connection: psycopg.Connection
) -> None:
    """The context shows no password even if failed statements are logged with their parameters."""
    connection.execute("SET log_parameter_max_length_on_error = -1")
    before = len(pool.log_text())
    with pytest.raises(psycopg.OperationalError):
        connection.execute("SELECT pcp_node_count('/nowhere', 2, %s, %s)", ("u", "s3cret"))
    log = pool.log_text()[before:]
    assert "pcp_node_count('********', 2" in log
    assert "s3cret" not in log


def test_password_of_a_user_mapping_is_in_no_log(
    pool: Server, connection: psycopg.Connection, directory: Path
) -> None:
    """No log has the password, even with statements, nested ones, parameters and plans logged."""
    pool.execute(
        f"CREATE SERVER logged FOREIGN DATA WRAPPER pgpool_fdw OPTIONS (host '{directory}')"
    )
    mapping = "CREATE USER MAPPING FOR PUBLIC SERVER logged OPTIONS (user 'u', password '{}')"
    pool.execute(mapping.format("s3cret-3"))
    connection.execute("LOAD 'auto_explain'")
    for name, value in {
        "log_statement": "all",
        "log_min_duration_statement": "0",
        "log_parameter_max_length_on_error": "-1",
        "auto_explain.log_min_duration": "0",
        "auto_explain.log_nested_statements": "on",
        "auto_explain.log_verbose": "on",
        "client_min_messages": "error",
    }.items():
        connection.execute(f"SET {name} = '{value}'")
    before = len(pool.log_text())
    with listening(directory, answering("L", b"", one("l", 2))):
        row = connection.execute("SELECT pcp_node_count('logged')").fetchone()
    assert row == (2,)
    log = pool.log_text()[before:]
    assert "_pgpool_adm_read_mapping" in log, "nested statements are not in the log"
    assert "s3cret" not in log


def resident_mb(connection: psycopg.Connection) -> int:
    """Return the peak memory use of a session's process, in MB."""
    status = Path(f"/proc/{connection.info.backend_pid}/status").read_text()
    (line,) = [line for line in status.split("\n") if line.startswith("VmHWM:")]
    return int(line.split()[1]) // 1024


def pooled_connection(width: int) -> bytes:
    """Return a row about a pooled connection, with a statement of `width` characters."""
    numbers = {0, 2, 3, 4, 10, 11, 12, 13, 14, 15, 17, 19}
    row = ["1" * 9 if place in numbers else "é" * 9 for place in range(20)]
    return message("p", strings("ProcessInfo", *row, "x" * width))


def endless(letter: str, part: bytes) -> Callable[[Client], None]:
    """Answer a request with the same part again and again, until the client disconnects."""

    def turn(client: Client) -> None:
        client.let_in()
        client.request()
        client.send(message(letter, b"ArraySize\0" + (b"1\0" if letter == "p" else b"\0\0\0\1")))
        with suppress(OSError):
            while True:
                client.send(part)

    return turn


HOSTILE = {
    "long texts": (
        "pcp_pool_status",
        endless("b", message("b", strings("ProcessConfig", *["x" * 300000] * 3))),
    ),
    "empty texts": (
        "pcp_pool_status",
        endless("b", message("b", b"ProcessConfig" + b"\0" * 900000)),
    ),
    "small rows": (
        "pcp_pool_status",
        endless("b", message("b", strings("ProcessConfig", "a")) * 999),
    ),
    "connections": ("pcp_proc_info", endless("p", pooled_connection(90) * 500)),
}


@pytest.mark.parametrize("kind", HOSTILE)
def test_answer_without_an_end_takes_little_memory(
    stranger: psycopg.Connection, directory: Path, kind: str
) -> None:
    function, turn = HOSTILE[kind]
    with (
        listening(directory, *[turn] * TRIES) as address,
        pytest.raises(psycopg.OperationalError, match="cannot be understood") as caught,
    ):
        stranger.execute(f"SELECT {function}({address})")
    assert " has more than " in (caught.value.diag.message_detail or "")
    assert resident_mb(stranger) < 200


def test_longest_answer_that_is_taken(stranger: psycopg.Connection, directory: Path) -> None:
    row = pooled_connection(10)
    count = MAX_ANSWER_BYTES // len(row)
    answer = message("p", strings("ArraySize", count)) + row * count + one("p")
    turn = answering("P", b"0\0", answer)
    with listening(directory, turn) as address:
        query = f"SELECT count(*) FROM pcp_proc_info({address})"
        assert stranger.execute(query).fetchone() == (count,)
    assert resident_mb(stranger) < 450
