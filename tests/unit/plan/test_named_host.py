"""Where a password may be sent if a caller who is not a superuser names a host."""

import pytest

from pgpool_recovery.facts.facts import Conninfo
from pgpool_recovery.facts.rejection import Rejection
from pgpool_recovery.plan.named_host import Endpoint, OwnHost, endpoints_of, places_of

OWN = OwnHost(
    names=frozenset({"server1", "server1.example"}),
    addresses=frozenset({"192.0.2.1", "2001:db8::1", "127.0.0.1", "::1", "172.17.0.1", "fe80::1"}),
    socket_directories=("/run/postgresql",),
    port=5432,
)
TARGET = ("192.0.2.2", "172.17.0.1", "127.0.0.1")
KNOWN = frozenset({Endpoint("db.nat.example", 6432)})


def places(
    host: str, *resolved: str, port: int = 5432, is_local: bool = False
) -> tuple[Conninfo, ...] | Rejection:
    return places_of(
        Endpoint(host, port), resolved, OWN, KNOWN, target_addresses=TARGET, is_local=is_local
    )


@pytest.mark.parametrize(
    ("host", "resolved", "port", "expected"),
    [
        ("192.0.2.1", ["192.0.2.1"], 5432, {"host": "192.0.2.1"}),
        ("2001:db8::1", ["2001:db8::1"], 5432, {"host": "2001:db8::1"}),
        ("server1", ["127.0.1.1"], 5432, {"host": "server1"}),
        ("Server1.example", [], 5432, {"host": "Server1.example"}),
        ("db.nat.example", ["203.0.113.9"], 6432, {"host": "db.nat.example"}),
        ("db.example", ["192.0.2.1"], 5432, {"host": "db.example", "hostaddr": "192.0.2.1"}),
    ],
)
def test_host_that_is_ours(host: str, resolved: list[str], port: int, expected: Conninfo) -> None:
    """A name that is not written down here is passed on with the address that it has here."""
    assert places(host, *resolved, port=port) == (expected,)


@pytest.mark.parametrize(
    ("host", "resolved", "port", "why"),
    [
        ("203.0.113.9", ["203.0.113.9"], 5432, "resolves to 203.0.113.9"),
        ("evil.example", ["192.0.2.1", "203.0.113.9"], 5432, "resolves to 203.0.113.9"),
        ("evil.example", ["127.0.0.1"], 5432, "resolves to 127.0.0.1"),
        ("evil.example", ["fe80::1"], 5432, "resolves to fe80::1"),
        ("evil.example", [], 5432, "cannot be resolved on this host"),
        ("server1,evil.example", [], 5432, "cannot be resolved on this host"),
        ("172.17.0.1", ["172.17.0.1"], 5432, "The target's host also has the address 172.17.0.1"),
        ("192.0.2.1", ["192.0.2.1"], 7777, "listens on port 5432"),
        ("server1", ["192.0.2.1"], 7777, "listens on port 5432"),
        ("db.nat.example", ["203.0.113.9"], 5432, "resolves to 203.0.113.9"),
        ("/run/postgresql", [], 5432, "not a socket directory"),
    ],
)
def test_host_that_is_not_known_to_be_ours(
    host: str, resolved: list[str], port: int, why: str
) -> None:
    made = places(host, *resolved, port=port)
    assert isinstance(made, Rejection)
    assert why in str(made.detail)
    assert f'host = "{host}" and port = {port}' in str(made.hint)


@pytest.mark.parametrize(
    ("host", "resolved"), [("localhost", ["::1"]), ("/run/postgresql", []), ("127.0.0.1", [])]
)
def test_target_on_this_host_reaches_it_by_the_loopback(host: str, resolved: list[str]) -> None:
    assert places(host, *resolved, is_local=True) == ({"host": host},)


def test_socket_that_anybody_may_make_is_none_of_ours() -> None:
    assert isinstance(places("/tmp", is_local=True), Rejection)


@pytest.mark.parametrize(
    ("own", "expected"),
    [
        ({}, set()),
        ({"host": "a"}, {("a", 5432)}),
        ({"host": "a,b", "port": "1,2"}, {("a", 1), ("b", 2)}),
        ({"host": "a,b", "port": "1"}, {("a", 1), ("b", 1)}),
        ({"host": "a", "hostaddr": "192.0.2.1", "port": "1"}, {("a", 1), ("192.0.2.1", 1)}),
        ({"host": "a", "port": "x"}, set()),
    ],
)
def test_hosts_of_a_connection_string(own: Conninfo, expected: set[tuple[str, int]]) -> None:
    assert {(found.host, found.port) for found in endpoints_of(own)} == expected
