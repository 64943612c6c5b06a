"""The arguments of the stage scripts, parsed or refused."""

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pgpool_recovery.domain.error import UsageError
from pgpool_recovery.domain.node import (
    MAX_IDENTIFIER_BYTES,
    NodeId,
    Target,
    parse_data_directory,
    parse_first_stage,
    parse_host,
    parse_remote_start,
)
from pgpool_recovery.domain.target_state import TargetState
from pgpool_recovery.domain.text import one_line

WORDS = ["/own", "server2", "/data", "5433", "1", "5434", "server1"]


@pytest.mark.parametrize(
    ("count", "target", "primary_port", "primary_host"),
    [
        (3, Target("server2", "/data"), 5432, None),
        (4, Target("server2", "/data", port=5433), 5432, None),
        (5, Target("server2", "/data", NodeId(1)), 5433, None),
        (6, Target("server2", "/data", NodeId(1), 5434), 5433, None),
        (7, Target("server2", "/data", NodeId(1), 5434), 5433, "server1"),
    ],
)
def test_each_number_of_words(
    count: int, target: Target, primary_port: int, primary_host: str | None
) -> None:
    request = parse_first_stage(WORDS[:count], own_port=5432)
    assert request.target == target
    assert request.primary_port == primary_port
    assert request.primary_host == primary_host


def test_fourth_of_four_words_may_be_the_primary_port() -> None:
    request = parse_first_stage(["/own", "server2", "/data", "5432"], own_port=5432)
    assert (request.target.port, request.primary_port) == (5432, 5432)


@pytest.mark.parametrize(
    ("position", "word", "message"),
    [
        (1, "", "invalid host name"),
        (1, "-oProxyCommand=touch /tmp/x", "invalid host name"),
        (1, "host name", "invalid host name"),
        (1, "host\nname", "invalid host name"),
        (2, "data", "is not an absolute path"),
        (2, "/data/../../etc", 'contains ".."'),
        (2, "/da\nta", "contains a control character"),
        (3, "5432;", "invalid port"),
        (3, "0", "invalid port"),
        (3, "65536", "invalid port"),
        (4, "-1", "invalid node id"),
        (4, "128", "invalid node id"),
        (5, "", "invalid port"),
        (6, "-", "invalid host name"),
    ],
)
def test_invalid_words_are_refused(position: int, word: str, message: str) -> None:
    words = [*WORDS[:position], word, *WORDS[position + 1 :]]
    with pytest.raises(UsageError, match=message):
        parse_first_stage(words, own_port=5432)


HOSTS = [
    "server1",
    "Server-1.example.com",
    "server1.example.com.",
    "pg_node_1",
    "_pg",
    "192.0.2.7",
    "::1",
    "2001:db8::7",
    "::ffff:192.0.2.7",
    "fe80::1%eth0",
    "fe80::1%2",
    "a" * 63,
    "/tmp",
    "/run/my sockets",
]
NO_HOSTS = [
    "",
    "-v",
    "-oProxyCommand=id",
    "$(id)",
    "`id`",
    "a;id",
    "a|id",
    "a&id",
    "a\nb",
    "a\n",
    "a b",
    "a'b",
    'a"b',
    "a\\b",
    "*",
    "user@host",
    "ssh://bob@host:2222",
    "host:22",
    "[::1]",
    "fe80::1%$(id)",
    "fe80::1%",
    "a%b",
    "server1,server2",
    "server..x",
    ".server",
    ".",
    "server-",
    "a" * 64,
    ".".join(["a"] * 128),
    "sérver",
    "server\u2028",
    "\u202eserver",
    "run/postgresql",
    "/run,/tmp",
    "/run\x1b[2J",
    "@socket",
]


@pytest.mark.parametrize("host", HOSTS)
def test_promise_7_host_is_a_name_an_address_or_a_socket_directory(host: str) -> None:
    assert parse_host(host) == host


@pytest.mark.parametrize("host", NO_HOSTS)
def test_promise_7_nothing_else_is_a_host(host: str) -> None:
    with pytest.raises(UsageError, match="invalid host name") as refused:
        parse_host(host)
    assert refused.value.exit_status == 2
    assert refused.value.target is TargetState.UNTOUCHED
    assert one_line(refused.value.message) == refused.value.message


@given(st.text())
def test_accepted_host_can_be_resolved(host: str) -> None:
    """The resolver's codec raises UnicodeError for invalid names; a directory is not resolved."""
    with suppress(UsageError):
        name = parse_host(host)
        assert name.startswith("/") or name.encode("idna")


@pytest.mark.parametrize("directory", ["/data\x1b", "/data\x9b", "/da\u2028ta", "/da\ud800ta"])
def test_directory_without_control_characters(directory: str) -> None:
    with pytest.raises(UsageError, match="contains a control character"):
        parse_data_directory(directory)


@pytest.mark.parametrize("count", [0, 2, 8])
def test_wrong_number_of_words(count: int) -> None:
    with pytest.raises(UsageError, match="takes 3 to 7 arguments"):
        parse_first_stage((WORDS * 2)[:count], own_port=5432)


def test_remote_start_takes_two_words() -> None:
    assert parse_remote_start(["server2", "/data//x/"]) == Target("server2", "/data/x")
    with pytest.raises(UsageError, match="takes 2 arguments"):
        parse_remote_start(["server2"])


@given(st.text(min_size=1), st.text())
def test_slot_name_is_one_that_postgresql_accepts(host: str, directory: str) -> None:
    name = Target(host, directory).slot_name
    assert len(name.encode()) <= MAX_IDENTIFIER_BYTES
    assert set(name) <= set("abcdefghijklmnopqrstuvwxyz0123456789_")


def test_name_in_messages() -> None:
    assert Target("server2", "/data", NodeId(1)).name == "node 1"
    assert Target("server2", "/data").name == "server2:/data"
