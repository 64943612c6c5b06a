"""Paths and files of both servers contain bytes that are not UTF-8, in a cluster in SQL_ASCII.

The tests build on each other.
"""

import re
from collections.abc import Iterator

import pytest

from pgpool_recovery.files.text import text_of
from tests.harness.cluster import Cluster, ClusterPlan
from tests.harness.postgresql import Server
from tests.harness.product import Product
from tests.harness.site import FULL_COPY, assert_recovered, on_hosts, settings
from tests.harness.workspace import Workspace

pytestmark = pytest.mark.in_order

DATA, TABLESPACE = text_of(b"d\xe4ta"), text_of(b"t\xe4ble space")
OF_ITS_OWN = (
    b"application_name = 'r\xe9plica'",
    b"my.note = 'a\xc2\x85b\x0cc\xff'",  # U+0085 and a form feed do not end a line.
)


@pytest.fixture(scope="module")
def cluster(workspace: Workspace, product: Product, namespaces: None) -> Iterator[Cluster]:
    plan = ClusterPlan(
        data_directory=DATA,
        initdb_options=("--encoding=SQL_ASCII", "--locale=C"),
        settings={"wal_log_hints": "on", "wal_keep_size": "1GB"},
    )
    with on_hosts(workspace, product, plan) as made:
        place = made.node(0).machine.home / TABLESPACE
        made.node(0).create_tablespace("apart", place, also_on=[made.node(1)])
        made.primary.execute("CREATE TABLE there TABLESPACE apart AS SELECT 1 AS number")
        made.primary.execute(
            "CREATE DATABASE latin ENCODING 'LATIN1' TEMPLATE template0 LOCALE 'C'"
        )
        yield made


def recovered_by(cluster: Cluster, *methods: str) -> None:
    """Recover node 1, and assert that pgpool.log names these methods."""
    before = len(cluster.pgpool.log_text())
    cluster.recover(1)
    assert_recovered(cluster, 1)
    log = cluster.pgpool.log_text()[before:]
    assert "bug in" not in log
    assert cluster.node(1).sql("SELECT count(*) FROM there") == [("1",)]
    assert re.findall(r"NOTICE:  node 1: plan: ([\w-]+):", log) == [*methods], log


def add(server: Server, name: str, data: bytes) -> None:
    """Append bytes to a file of a stopped server."""
    with server.machine.path(server.data_directory / name).open("ab") as file:
        file.write(data)


def lines_of_its_own(server: Server) -> tuple[bytes, ...]:
    data = server.machine.path(server.data_directory / "postgresql.auto.conf").read_bytes()
    return tuple(line for line in data.split(b"\n") if line.startswith((b"appl", b"my.note")))


def test_standby_catches_up_and_its_files_stay_as_they_were(cluster: Cluster) -> None:
    node = cluster.node(1)
    node.stop()
    add(node, "postgresql.auto.conf", b"".join(line + b"\n" for line in OF_ITS_OWN))
    add(node, "postgresql.conf", b"# propri\xe9taire \x85\x0c\n")
    recovered_by(cluster, "catch-up")
    assert lines_of_its_own(node) == OF_ITS_OWN
    assert node.sql("SELECT length(current_setting('my.note'))") == [("7",)]


def test_rival_is_rewound_with_such_bytes_in_its_history(cluster: Cluster) -> None:
    node = cluster.node(1)
    node.promote()
    node.execute("CREATE TABLE only_of_rival AS SELECT 1")
    node.stop()
    (history,) = node.machine.path(node.data_directory / "pg_wal").glob("*.history")
    history.write_bytes(history.read_bytes().replace(b"no recovery", b"n\xf6 \x85 recovery"))
    cluster.node(0).execute("INSERT INTO there SELECT 1 WHERE false")
    recovered_by(cluster, "rewind")
    assert lines_of_its_own(node) == OF_ITS_OWN


def test_node_is_copied_in_full_and_keeps_them(cluster: Cluster) -> None:
    node = cluster.node(1)
    node.stop()
    add(cluster.node(0), "postgresql.auto.conf", b"my.other = '\xe4\x0c'\n")
    with settings(cluster, FULL_COPY):
        recovered_by(cluster, "basebackup")
    assert lines_of_its_own(node) == OF_ITS_OWN
