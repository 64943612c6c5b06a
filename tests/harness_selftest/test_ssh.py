"""ssh between hosts works where it was granted, and breaks in each of the ways it can break."""

from tests.harness.command import Completed
from tests.harness.host import Host
from tests.harness.network import Network
from tests.harness.ssh import authorize_ssh, revoke_ssh


def ssh(source: Host, target: str, command: str, *, user: str = "postgres") -> Completed:
    strict = ["-o", "BatchMode=yes", "-o", "StrictHostKeyChecking=yes", "-o", "ConnectTimeout=5"]
    return source.run(["ssh", *strict, target, command], user=user, check=False)


def trusting(network: Network) -> tuple[Host, Host]:
    """Two hosts, the first of which may log in to the second."""
    alpha, beta, _ = network.hosts
    authorize_ssh(alpha, beta)
    return alpha, beta


def test_postgres_logs_in_by_name_and_by_address(network: Network) -> None:
    alpha, beta = trusting(network)
    for target in (beta.name, beta.address):
        assert ssh(alpha, target, "hostname; id -un").output == "beta\npostgres\n"


def test_root_may_be_trusted_too_without_touching_this_machines_root(network: Network) -> None:
    alpha, beta, _ = network.hosts
    authorize_ssh(alpha, beta, user="root")
    assert ssh(alpha, "beta", "id -un", user="root").output == "root\n"


def test_trust_is_given_one_way_and_only_where_asked(network: Network) -> None:
    alpha, beta = trusting(network)
    assert "Host key verification failed" in ssh(beta, "alpha", "true").stderr
    assert "Host key verification failed" in ssh(alpha, "gamma", "true").stderr


def test_revoked_trust_is_permission_denied(network: Network) -> None:
    alpha, beta = trusting(network)
    revoke_ssh(alpha, beta)
    assert "Permission denied (publickey)" in ssh(alpha, "beta", "true").stderr


def test_a_new_host_key_is_noticed(network: Network) -> None:
    alpha, beta = trusting(network)
    beta.sshd.replace_host_key()
    assert "REMOTE HOST IDENTIFICATION HAS CHANGED" in ssh(alpha, "beta", "true").stderr


def test_a_stopped_sshd_refuses_connections_and_comes_back(network: Network) -> None:
    alpha, beta = trusting(network)
    beta.sshd.stop()
    assert "Connection refused" in ssh(alpha, "beta", "true").stderr
    beta.sshd.start()
    assert ssh(alpha, "beta", "true").returncode == 0
