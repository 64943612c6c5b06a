"""The network between hosts can be cut without a reset, repaired, and slowed down."""

import time

import pytest

from tests.harness.command import CommandError
from tests.harness.host import Host
from tests.harness.network import Network
from tests.harness.traffic import counting


def reaches(source: Host, target: Host) -> bool:
    """Return whether a TCP connection to the target's sshd succeeds within a second."""
    connect = f": < /dev/tcp/{target.name}/22"
    return source.run(["timeout", "1", "bash", "-c", connect], check=False).returncode == 0


def test_hosts_reach_each_other(network: Network) -> None:
    assert all(reaches(source, target) for source in network.hosts for target in network.hosts)


def test_two_networks_at_once_do_not_meet(network: Network) -> None:
    with Network(["alpha", "beta"]) as other:
        other.host("alpha").cut()
        assert not reaches(other.host("beta"), other.host("alpha"))
        assert reaches(network.host("beta"), network.host("alpha"))


def test_a_host_that_is_cut_off_reaches_no_other_host_until_mended(network: Network) -> None:
    alpha, beta, gamma = network.hosts
    beta.cut()
    assert not reaches(alpha, beta)
    assert not reaches(beta, alpha)
    assert reaches(alpha, gamma)
    assert reaches(beta, beta)
    beta.mend()
    assert reaches(alpha, beta)


def test_two_hosts_can_be_cut_from_each_other_alone(network: Network) -> None:
    alpha, beta, gamma = network.hosts
    alpha.cut(beta)
    assert not reaches(alpha, beta)
    assert not reaches(beta, alpha)
    assert reaches(alpha, gamma)
    assert reaches(beta, gamma)
    beta.mend(alpha)
    assert reaches(alpha, beta)


def test_packets_that_are_cut_vanish_in_silence(network: Network) -> None:
    """A cut drops packets silently.

    There is no "no route to host" after three seconds, as there would be if the host was off.
    """
    alpha, beta, _ = network.hosts
    beta.cut()
    connect = ["timeout", "4", "bash", "-c", ": < /dev/tcp/beta/22"]
    assert alpha.run(connect, check=False).returncode == 124


def test_a_connection_survives_a_short_cut(network: Network) -> None:
    alpha, beta, _ = network.hosts
    network.trust_all([alpha, beta])
    log = "/srv/ssh.log"
    session = alpha.spawn(["ssh", "-o", "BatchMode=yes", "beta", "sleep 1; echo back"], log=log)
    beta.cut()
    assert session.wait(timeout_s=0.5) is None
    beta.mend()
    assert session.wait(timeout_s=20) == 0
    assert alpha.path(log).read_text() == "back\n"


@pytest.mark.parametrize("towards", ["target", "source"])
def test_a_shaped_host_is_slow_in_both_directions(network: Network, towards: str) -> None:
    alpha, beta, _ = network.hosts
    network.trust_all([alpha, beta])
    sender, receiver = (alpha, beta) if towards == "target" else (beta, alpha)
    beta.shape(20)
    slow = seconds_to_send(sender, receiver, pretty_size=4)
    beta.shape(None)
    assert slow > 4 * 8 / 20 * 0.8
    assert seconds_to_send(sender, receiver, pretty_size=4) < slow / 2


def test_what_a_host_receives_is_counted(network: Network) -> None:
    alpha, beta, _ = network.hosts
    network.trust_all([alpha, beta])
    with counting(beta) as traffic:
        seconds_to_send(alpha, beta, pretty_size=4)
    received = traffic.received_bytes
    assert 4_000_000 < received < 4_500_000
    with counting(beta) as back:
        seconds_to_send(beta, alpha, pretty_size=4)
    assert back.received_bytes < 500_000
    assert traffic.received_bytes == received


def test_removing_a_limit_that_is_not_there_is_no_error(network: Network) -> None:
    network.host("alpha").shape(None)


def test_unknown_hosts_are_named(network: Network) -> None:
    with pytest.raises(LookupError, match="no host is named delta"):
        network.host("delta")
    with pytest.raises(CommandError, match="Could not resolve hostname delta"):
        network.host("alpha").run(["ssh", "-o", "BatchMode=yes", "delta", "true"])


def seconds_to_send(sender: Host, receiver: Host, *, pretty_size: int) -> float:
    swallow = f"ssh -o BatchMode=yes {receiver.name} 'cat >/dev/null'"
    began = time.monotonic()
    sender.run(["sh", "-c", f"head -c {pretty_size}000000 /dev/zero | {swallow}"])
    return time.monotonic() - began
