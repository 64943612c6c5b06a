"""Which hosts are reached without ssh."""

import socket

import pytest

from pgpool_recovery.ssh.locality import is_this_host, own_addresses


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "127.0.0.5", "::1", "/run/postgresql"])
def test_loopback_and_sockets_are_here(host: str) -> None:
    assert is_this_host(host)


def test_addresses_of_the_interfaces_are_here() -> None:
    own = own_addresses()
    assert own
    for address in own:
        assert is_this_host(str(address))


@pytest.mark.parametrize("host", ["192.0.2.1", "2001:db8::1", "no-such-host.invalid"])
def test_others_are_not(host: str) -> None:
    assert not is_this_host(host)


def test_address_that_a_socket_may_be_bound_to_is_not_here_for_that(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """As with net.ipv4.ip_nonlocal_bind."""
    monkeypatch.setattr(socket.socket, "bind", lambda *_: None)
    assert not is_this_host("192.0.2.1")
