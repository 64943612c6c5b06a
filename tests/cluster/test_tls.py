"""A node that comes back still verifies its primary's certificate, and presents its own."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tests.harness.cluster import Cluster, ClusterPlan
from tests.harness.machine import Machine
from tests.harness.postgresql import Server
from tests.harness.product import Product
from tests.harness.site import FULL_COPY, assert_recovered, on_hosts, settings
from tests.harness.until import until
from tests.harness.workspace import Workspace

TLS = "/var/lib/postgresql/tls"
KEY_SECRET = "KEY-SECRET"
AUTHORITY = f"""
set -eu
mkdir -p {TLS}
cd {TLS}
openssl req -new -x509 -days 3 -nodes -subj /CN=authority -out ca.crt -keyout ca.key
certify() {{
    openssl req -new -nodes -subj "/CN=$1" -out request -keyout "$1.key"
    printf 'subjectAltName=DNS:%s' "$1" > extensions
    openssl x509 -req -in request -days 3 -CA ca.crt -CAkey ca.key -CAcreateserial \\
        -extfile extensions -out "$1.crt"
}}
certify node0
certify node1
certify repl
openssl rsa -aes256 -passout pass:{KEY_SECRET} -in repl.key -out repl.locked
chmod 600 *.key repl.locked
"""
NAMES = ("ca.crt", "node0.crt", "node0.key", "node1.crt", "node1.key", "repl.crt", "repl.locked")
SETTINGS = f"""
[replication]
user = "repl"
sslmode = "verify-full"
sslrootcert = "{TLS}/ca.crt"
"""


@pytest.fixture(scope="module")
def cluster(workspace: Workspace, product: Product, namespaces: None) -> Iterator[Cluster]:
    """Yield servers that accept the replication role by its certificate, else by its password."""
    with on_hosts(workspace, product, ClusterPlan(authentication="scram-sha-256")) as made:
        make_certificates(made)
        for server in made.servers:
            certificate = f"{TLS}/node{server.node_id}"
            server.set(
                ssl="on",
                ssl_ca_file=f"{TLS}/ca.crt",
                ssl_cert_file=f"{certificate}.crt",
                ssl_key_file=f"{certificate}.key",
            )
        yield made


def make_certificates(cluster: Cluster) -> None:
    first, *others = cluster.servers
    first.machine.run(["sh", "-c", AUTHORITY])
    for other in others:
        for name in NAMES:
            text = first.machine.path(f"{TLS}/{name}").read_text()
            other.machine.write_file(f"{TLS}/{name}", text)


@contextmanager
def arguments_on(machine: Machine, seen: set[str]) -> Iterator[None]:
    """Collect the arguments of every process of a machine, which any user there can read."""
    ended = threading.Event()

    def look() -> None:
        while not ended.wait(0.01):
            seen.update(" ".join(process.argv) for process in machine.processes())

    thread = threading.Thread(target=look)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


def primary_conninfo(server: Server) -> str:
    [[text]] = server.sql("SHOW primary_conninfo")
    return text


def shown(cluster: Cluster, since: int) -> str:
    """Return the record, and the contents of all logs except that of the node's own server."""
    record = cluster.primary.sql("SELECT line, data FROM pgpool_recovery_event")
    return "\n".join(
        [cluster.pgpool.log_text()[since:], cluster.primary.log_text(), *map(str, record)]
    )


def test_promise_7_password_of_a_key_is_used_kept_and_never_shown(cluster: Cluster) -> None:
    """The recovery is a full copy, for which the agent and pg_receivewal have to open the key."""
    primary, node = cluster.primary, cluster.node(1)
    primary.allow(f"hostssl replication repl {node.machine.network} cert")
    own = (
        f"host=node0 port={primary.port} user=repl application_name=node_1 "
        f"sslmode=verify-full sslrootcert={TLS}/ca.crt "
        f"sslcert={TLS}/repl.crt sslkey={TLS}/repl.locked sslpassword={KEY_SECRET}"
    )
    node.execute(f"ALTER SYSTEM SET primary_conninfo = '{own}'")
    node.restart()
    streaming = "SELECT 1 FROM pg_stat_replication WHERE application_name = 'node_1'"
    until(lambda: primary.sql(streaming), within_s=20, what="the node to stream by its key")
    node.stop()
    seen, since = set[str](), len(cluster.pgpool.log_text())
    slowly = FULL_COPY + 'max_rate = "40M"\n'
    with settings(cluster, slowly), arguments_on(node.machine, seen):
        cluster.recover(1)
    assert_recovered(cluster, 1)
    copies = [words for words in seen if "pg_receivewal --dbname" in words]
    assert copies
    assert all(f"sslkey={TLS}/repl.locked" in words for words in copies)
    assert not [words for words in seen if KEY_SECRET in words]
    assert KEY_SECRET not in shown(cluster, since)
    assert f"sslpassword={KEY_SECRET}" in primary_conninfo(node)
    assert "pgpool_recovery_" not in node.machine.run(["ls", "/tmp"]).stdout
    primary.hba_lines.clear()
    primary.allow()


def test_new_node_gets_what_the_settings_say(cluster: Cluster) -> None:
    """It reaches its primary by the name in the certificate, though pgpool.conf has an address."""
    node, address = cluster.node(1), cluster.primary.machine.address
    node.lose()
    with settings(cluster, SETTINGS):
        cluster.recover(1)
    assert_recovered(cluster, 1)
    written = primary_conninfo(node)
    assert "sslmode=verify-full" in written
    assert f"sslrootcert={TLS}/ca.crt" in written
    assert f"host=node0 hostaddr={address}" in written
    [[version]] = cluster.primary.sql(
        "SELECT version FROM pg_stat_ssl JOIN pg_stat_replication USING (pid)"
    )
    assert version.startswith("TLS")


def test_server_with_a_certificate_of_another_name_gets_no_node(cluster: Cluster) -> None:
    """Nothing falls back to a connection without verification."""
    primary, node = cluster.primary, cluster.node(1)
    primary.set(ssl_cert_file=f"{TLS}/node1.crt", ssl_key_file=f"{TLS}/node1.key")
    node.stop()
    cluster.pgpool.wait_for_node(1, "down")
    since = len(cluster.pgpool.log_text())
    with settings(cluster, SETTINGS):
        cluster.pgpool.recovery_node(1)
    said = cluster.pgpool.log_text()[since:]
    assert "node 1 cannot open a replication connection to the primary" in said
    assert 'does not match host name "node0"' in said
