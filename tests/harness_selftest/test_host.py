"""Hosts look like machines of their own, and can reach nothing but each other."""

import tempfile
from pathlib import Path

import pytest

from tests.harness.command import CommandError
from tests.harness.host import Host
from tests.harness.network import Network
from tests.harness.switch import NetworkAddress


def test_each_host_has_its_name_and_knows_the_others(network: Network) -> None:
    for host in network.hosts:
        assert host.run(["hostname"]).stdout == f"{host.name}\n"
        for other in network.hosts:
            found = host.run(["getent", "hosts", other.name]).stdout.split()
            assert found == [other.address, other.name]


def test_files_of_a_host_are_its_own(network: Network) -> None:
    alpha, beta, _ = network.hosts
    places = ["/etc", "/srv", "/opt", "/root", "/run", "/usr/local", "/usr/share/postgresql"]
    for place in places:
        alpha.write_file(f"{place}/harness-selftest", place, owner="root")
        assert alpha.run(["cat", f"{place}/harness-selftest"], user="root").stdout == place
        assert not beta.path(f"{place}/harness-selftest").exists()
        assert not Path(f"{place}/harness-selftest").exists()


def test_nothing_outside_can_be_changed_from_a_host(network: Network) -> None:
    alpha = network.host("alpha")
    for argv in (["mkdir", "/harness-selftest"], ["touch", "/home/harness-selftest"]):
        with pytest.raises(CommandError, match="Read-only file system"):
            alpha.run(argv, user="root")
    alpha.run(["rm", "-rf", "/usr/share/doc"], user="root")
    assert Path("/usr/share/doc").exists()


@pytest.mark.parametrize("above", ["/tmp", "/var/lib/postgresql", "/root"])
def test_checkout_is_seen_wherever_it_lies(above: str, namespaces: None) -> None:
    """A host sees the checkout even in a directory of which it otherwise has its own version."""
    with tempfile.TemporaryDirectory(dir=above, prefix="harness selftest ") as name:
        checkout = Path(name)
        part = checkout / "tests/harness/host.py"
        part.parent.mkdir(parents=True)
        part.write_text("seen")
        with Host("delta", NetworkAddress(1)) as host:
            host.boot(checkout)
            assert host.run(["cat", part], user="root").stdout == "seen"
            if above != "/root":
                assert host.run(["ls", "-A", above]).stdout == f"{checkout.name}\n"
                with pytest.raises(CommandError, match="Read-only file system"):
                    host.run(["touch", checkout / "new"], user="root")
        assert list(checkout.iterdir()) == [checkout / "tests"]


def test_a_host_starts_without_clusters_and_with_the_home_of_postgres(network: Network) -> None:
    alpha = network.host("alpha")
    assert alpha.run(["pg_lsclusters", "--no-header"]).stdout == ""
    assert alpha.run(["sh", "-c", "cd; pwd; ls -A"]).stdout == "/var/lib/postgresql\n"
    assert alpha.run(["stat", "-c", "%U %a", "/run/postgresql"]).stdout == "postgres 2775\n"


def test_a_host_sees_its_own_processes_only(network: Network) -> None:
    alpha, beta, _ = network.hosts
    child = alpha.spawn(["sleep", "600"], log="/srv/log", env={"MARK": "alpha"})
    [process] = [one for one in alpha.processes() if one.argv == ("sleep", "600")]
    assert process.pid == child.pid_inside
    assert (process.user, process.environ["MARK"]) == ("postgres", "alpha")
    assert Path(f"/proc/{child.pid}/cmdline").read_text() == "sleep\x00600\x00"
    assert "sleep" not in beta.run(["ps", "-eo", "comm"]).stdout
    alpha.run(["kill", str(process.pid)])
    assert child.wait(timeout_s=5) == -15


def test_shared_memory_is_not_shared_between_hosts(network: Network) -> None:
    namespaces = {host.path("/proc/1/ns/ipc").readlink() for host in network.hosts}
    assert len(namespaces) == 3
    network.host("alpha").run(["touch", "/dev/shm/mark"])
    assert network.host("beta").run(["ls", "/dev/shm"]).stdout == ""


def test_a_host_has_no_way_out(network: Network) -> None:
    with pytest.raises(CommandError, match="unreachable"):
        network.host("alpha").run(["bash", "-c", ": < /dev/tcp/192.0.2.1/80"])


def test_a_small_filesystem_gets_full(network: Network) -> None:
    alpha = network.host("alpha")
    alpha.small_filesystem("/srv/data", size_mb=2)
    assert alpha.run(["stat", "-c", "%U %a", "/srv/data"]).stdout == "postgres 700\n"
    fill = ["dd", "if=/dev/zero", "of=/srv/data/file", "bs=1M", "count=3"]
    with pytest.raises(CommandError, match="No space left on device"):
        alpha.run(fill)
    assert not Path("/srv/data").exists()
