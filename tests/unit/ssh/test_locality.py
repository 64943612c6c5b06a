"""Which hosts are reached without ssh."""

import socket
from pathlib import Path

import pytest

from pgpool_recovery.ssh.locality import (
    addresses_of,
    is_this_host,
    only_here,
    own_addresses,
    own_names,
)


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "127.0.0.5", "::1", "/run/postgresql"])
def test_loopback_and_sockets_are_local(host: str) -> None:
    assert is_this_host(host)


def test_addresses_of_the_interfaces_are_local() -> None:
    own = own_addresses()
    assert own
    for address in own:
        assert is_this_host(str(address))


@pytest.mark.parametrize("host", ["192.0.2.1", "2001:db8::1", "no-such-host.invalid"])
def test_other_hosts_are_not_local(host: str) -> None:
    assert not is_this_host(host)


def test_address_is_not_local_because_a_socket_can_be_bound_to_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """As with net.ipv4.ip_nonlocal_bind."""
    monkeypatch.setattr(socket.socket, "bind", lambda *_: None)
    assert not is_this_host("192.0.2.1")


def test_name_that_also_resolves_to_another_host_is_not_only_local(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    own = str(next(iter(own_addresses())))
    answers = {"both": [own, "192.0.2.1"], "own": [own], "none": []}
    monkeypatch.setattr(
        socket,
        "getaddrinfo",
        lambda host, *_, **__: [(2, 1, 6, "", (text, 0)) for text in answers[host]],
    )
    assert is_this_host("both")
    assert [bool(only_here(host)) for host in ("both", "own", "none")] == [False, True, False]


def test_impossible_name_has_no_address() -> None:
    assert addresses_of("server..x") == ()
    assert not is_this_host("server..x")


def test_names_are_those_in_the_machines_own_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Debian has the host name at 127.0.1.1, others beside localhost."""
    own = next(address for address in own_addresses() if not address.is_loopback)
    hosts = tmp_path / "hosts"
    hosts.write_text(
        "127.0.0.1 localhost Own loop.example # no-name\n::1 ip6-localhost\n"
        f"127.0.1.1 own.example Own\n{own} alias\n192.0.2.1 other\nnonsense x\n\n"
    )
    monkeypatch.setattr("pgpool_recovery.ssh.locality.HOSTS", hosts)
    monkeypatch.setattr(socket, "gethostname", lambda: "Own")
    monkeypatch.setattr(socket, "getfqdn", lambda: "localhost")
    assert own_names() == {"own", "own.example", "alias"}
