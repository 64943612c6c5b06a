"""pgpool_adm returns the same rows for Pgpool-II 4.0 to 4.7, in the words of pgpool_adm 1.6."""

import json
from pathlib import Path

import psycopg
import pytest
from psycopg.rows import dict_row
from psycopg.types.string import TextLoader

from tests.harness.postgresql import Server
from tests.harness.workspace import Workspace
from tests.server.adm_pool import create_pgpool_adm, listening
from tests.unit.pcp.byte_server import Client, Serve, answering
from tests.unit.pcp.node_streams import CHANGED_AT, NODE_STREAMS, NodeStream
from tests.unit.pcp.stream import one, rows
from tests.unit.pcp.test_answers import FROM_4_3, FROM_4_5, FROM_4_7, STATS, UP_TO_4_2, watchdog

ROLES = [(0, "Main"), (1, "Replica"), (2, "Primary"), (3, "Standby")]


@pytest.fixture(scope="module")
def site(server: Server, workspace: Workspace) -> tuple[Server, Path]:
    """The server with pgpool_adm, and a directory with a short path for a byte server's socket."""
    create_pgpool_adm(server)
    return server, workspace.make_new("pcp-", owner="postgres")


def asked(site: tuple[Server, Path], call: str, *turns: Serve) -> list[dict[str, object]]:
    """Return the rows of a call in FROM, with times as text, in the time zone UTC."""
    server, directory = site
    with (
        listening(directory, *turns) as address,
        psycopg.connect(server.conninfo(dbname="postgres"), row_factory=dict_row) as connection,
    ):
        connection.execute("SET timezone = 'UTC'")
        connection.adapters.register_loader("timestamp", TextLoader)
        return connection.execute(f"SELECT * FROM {call.format(address)}").fetchall()


@pytest.mark.parametrize("stream", NODE_STREAMS, ids=lambda stream: stream.releases)
def test_node_info(site: tuple[Server, Path], stream: NodeStream) -> None:
    [row] = asked(site, "pcp_node_info(1, {})", answering("I", b"1\0", stream.answer))
    knows_time = stream.releases != "3.7"
    seen = ("down", "unknown") if stream.is_array else (None, None)
    delay = stream.lag_bytes if stream.lag_s is None else int(stream.lag_s * 1_000_000)
    assert row == {
        "host": "server1",
        "port": 5433,
        "status": "Disconnected",
        "pg_status": seen[0],
        "weight": 0.5,
        "role": "Standby",
        "pg_role": seen[1],
        "replication_delay": delay,
        "replication_state": "streaming" if stream.has_states else "",
        "replication_sync_state": "async" if stream.has_states else "",
        "last_status_change": "2026-11-24 08:30:16" if knows_time else None,
    }
    assert CHANGED_AT == "1795509016", "the time above must be changed with it"


@pytest.mark.parametrize(("number", "word"), ROLES)
def test_role(site: tuple[Server, Path], number: int, word: str) -> None:
    """Every node but the primary is called a standby, as by the stock extension."""
    fields = list(NODE_STREAMS[-2].fields)
    fields[6] = str(number)
    answer = rows("i", "NodeInfo", tuple(fields))
    [row] = asked(site, "pcp_node_info(1, {})", answering("I", b"1\0", answer))
    assert row["role"] == word


def test_health_check_stats(site: tuple[Server, Path]) -> None:
    turn = answering("H", b"1\0", one("h", *STATS))
    [row] = asked(site, "pcp_health_check_stats(1, {})", turn)
    assert (row["node_id"], row["host"], row["status"], row["role"]) == (
        *(1, "server1"),
        *("up", "standby"),
    )
    assert (row["fail_count"], row["average_retry_count"]) == (1, 0.5)
    durations = [row[f"{name}_health_check_duration"] for name in ("max", "min", "average")]
    assert durations == [6, 2, 3.75]
    assert row["last_status_change"] == "2026-11-24 08:30:16"
    assert row["last_skip_health_check"] is None
    assert row["last_failed_health_check"] == "2026-11-24 08:30:19"


@pytest.mark.parametrize("fields", [UP_TO_4_2, FROM_4_3, FROM_4_5, FROM_4_7], ids=len)
def test_proc_info(site: tuple[Server, Path], fields: tuple[object, ...]) -> None:
    """A column that a release does not report is empty."""
    turn = answering("P", b"0\0", rows("p", "ProcessInfo", fields))
    [row] = asked(site, "pcp_proc_info({})", turn)
    is_new, balances, has_client = (len(fields) > number for number in (11, 17, 18))
    same = {"database": "app", "username": "joe", "major": "3", "minor": "0", "pool_counter": "7"}
    same |= {"backend_pid": "4711", "connected": "1", "pid": "48", "backend_id": "1"}
    assert same.items() <= row.items()
    assert row["status"] == ("Idle" if is_new else "")
    assert row["client_idle_duration"] == ("5" if is_new else "")
    assert row["load_balance_node"] == ("1" if balances else "")
    client = (row["client_host"], row["client_port"], row["statement"])
    assert client == (("10.0.0.9", "38928", "SELECT 1") if has_client else ("",) * 3)


@pytest.mark.parametrize("leader", ["Master", "Leader"])
def test_watchdog_info(site: tuple[Server, Path], leader: str) -> None:
    answer = one("w", json.dumps(watchdog(leader)))
    [row] = asked(site, "pcp_watchdog_info({})", answering("W", b"-1\0", answer))
    assert row == {
        "node_id": 0,
        "node_name": "a:9999 Linux a",
        "host": "a",
        "delegate_ip": "10.0.0.100",
        "wd_port": 9000,
        "pgpool_port": 9999,
        "state": "LEADER",
        "priority": 1,
        "membership": None,
        "is_leader": True,
        "quorum": "exists",
        "alive_nodes": 2,
        "nodes_for_quorum": None,
        "vip_is_up": True,
    }


def promoted(site: tuple[Server, Path], stream: NodeStream, payload: bytes) -> object:
    call = "pcp_promote_node(1, false, false, {})"
    turns = [answering("I", b"1\0", stream.answer), answering("J", payload, one("d"))]
    return asked(site, call, *turns)[0]["node_promoted"]


def test_promotion_has_the_form_of_the_release(site: tuple[Server, Path]) -> None:
    assert promoted(site, NODE_STREAMS[4], b"1\0") is True
    assert promoted(site, NODE_STREAMS[5], b"1 \0n") is True


@pytest.mark.parametrize(
    ("call", "letter", "payload"),
    [
        ("pcp_attach_node(1, {})", "C", b"1\0"),
        ("pcp_detach_node(1, false, {})", "D", b"1\0"),
        ("pcp_detach_node(1, true, {})", "d", b"1\0"),
        ("pcp_reload_config(false, {})", "Z", b"l"),
        ("pcp_reload_config(true, {})", "Z", b"c"),
        ("pcp_stop_pgpool('smart', false, {})", "T", b"s"),
        ("pcp_stop_pgpool('immediate', true, {})", "t", b"i"),
    ],
)
def test_orders(site: tuple[Server, Path], call: str, letter: str, payload: bytes) -> None:
    answer = one({"C": "c", "Z": "z"}.get(letter, letter.lower()))
    [row] = asked(site, call, answering(letter, payload, answer))
    assert list(row.values()) == [True]


def test_stop_needs_no_answer_from_what_is_gone(site: tuple[Server, Path]) -> None:
    _, directory = site

    def go(client: Client) -> None:
        client.let_in()
        assert client.request() == ("T", b"f")
        (directory / ".s.PGSQL.9898").unlink()

    [row] = asked(site, "pcp_stop_pgpool('fast', false, {})", go)
    assert row == {"pgpool_stopped": True}


def test_lost_connection_is_no_stop(site: tuple[Server, Path]) -> None:
    """A lost connection is not taken for a stop while PCP still answers.

    A failover may have restarted PCP before it read the request.
    """

    def lose(client: Client) -> None:
        client.let_in()
        assert client.request()[0] == "T"

    still_there = [answering("L", b"", one("l", 2))] * 10
    server, directory = site
    with (
        listening(directory, lose, *still_there) as address,
        psycopg.connect(server.conninfo(dbname="postgres")) as connection,
        pytest.raises(psycopg.OperationalError, match="lost the connection to Pgpool-II"),
    ):
        connection.execute(f"SELECT pcp_stop_pgpool('fast', false, {address})")
