"""An attacker controls the host of a target: the primary and its users are not harmed.

The agent there is a program that does what ours does, and sends more.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import PurePath

import pytest

from tests.harness.cluster import Cluster, ClusterPlan
from tests.harness.product import Product
from tests.harness.site import assert_recovered, on_hosts
from tests.harness.workspace import Workspace

COMMAND = PurePath("/usr/local/bin/pgpool-recovery")
WRAPPER = """#!/usr/bin/python3
import json, subprocess, sys
agent = subprocess.Popen(["/usr/local/bin/pgpool-recovery.ours", *sys.argv[1:]],
                         stdout=subprocess.PIPE)
sys.stdout.buffer.write(agent.stdout.readline())
def say(line, **other):
    value = {"is": "Said", "program": "agent", "line": line, **other}
    sys.stdout.buffer.write(json.dumps(value).encode() + b"\\n")
MORE
sys.stdout.flush()
for line in agent.stdout:
    claim = b'"former_slot_name": "SLOT"'
    sys.stdout.buffer.write(line.replace(b'"former_slot_name": null', claim))
    sys.stdout.flush()
sys.exit(agent.wait())
"""
FLOOD = """
for _ in range(40):
    say("F" * 2**20)
for _ in range(20000):
    say("F" * 100)
sys.stderr.write("F" * 2**25)
"""
FORGED = r"""
record = '{"message": "FORGED", "detail": null, "hint": null, "target": "untouched"}'
say("one\n2026-01-01 00:00:00 UTC [1] FATAL:  FORGED LINE\n\x1e" + record)
say("\x1e" + record, program="\x1e" + record)
say("\x1b]0;FORGED\x07\x1b[2J\x9b2J\u2028FORGED\u202e")
value = {"is": "PlanMade", "method": "attach", "sentences": ["FORGED PLAN\n\x1e" + record]}
value["work"] = None
sys.stdout.buffer.write(json.dumps(value).encode() + b"\n")
"""


@pytest.fixture(scope="module")
def cluster(workspace: Workspace, product: Product, namespaces: None) -> Iterator[Cluster]:
    with on_hosts(workspace, product, ClusterPlan()) as made:
        made.primary.execute("CREATE EXTENSION IF NOT EXISTS pgpool_recovery")
        yield made


@contextmanager
def hostile(cluster: Cluster, more: str, slot: str = "barman") -> Iterator[None]:
    """Replace the agent of node 1, which is down."""
    node = cluster.node(1)
    if node.is_running:
        node.stop()
    cluster.pgpool.wait_for_node(1, "down")
    command = node.machine.path(COMMAND)
    ours = command.with_name("pgpool-recovery.ours")
    command.rename(ours)
    text = WRAPPER.replace("MORE", more).replace("SLOT", slot)
    node.machine.write_file(COMMAND, text, owner="root", mode=0o755)
    try:
        yield
    finally:
        ours.rename(command)


def size_of_record(cluster: Cluster) -> int:
    query = """
        SELECT sum(octet_length(line) + octet_length(data::text)) FROM pgpool_recovery_event
         WHERE run_id = (SELECT max(id) FROM pgpool_recovery_run)"""
    return int(cluster.primary.sql(query)[0][0])


def test_promise_13_flood_fills_neither_record_nor_log(cluster: Cluster) -> None:
    log = len(cluster.primary.log_text())
    pool = len(cluster.pgpool.log_text())
    with hostile(cluster, FLOOD):
        cluster.recover(1)
    assert_recovered(cluster, 1)
    said = cluster.primary.log_text()[log:]
    assert "further ones are counted but not kept" in said
    assert "events of the agent of node 1 were not kept" in said
    sizes = {
        "record": size_of_record(cluster),
        "log": len(said),
        "pgpool.log": len(cluster.pgpool.log_text()) - pool,
    }
    # Two conversations of a megabyte each, recorded as lines and as values.
    assert all(size < 8_000_000 for size in sizes.values()), sizes


def test_promise_13_line_of_the_agent_stays_one_line_under_its_name(cluster: Cluster) -> None:
    log = len(cluster.primary.log_text())
    with hostile(cluster, FORGED):
        cluster.recover(1)
    assert_recovered(cluster, 1)
    said = cluster.primary.log_text()[log:]
    forged = [line for line in said.split("\n") if "FORGED" in line]
    assert forged, "none of its lines were logged"
    assert all("node 1: " in line for line in forged)
    assert not any("FORGED PLAN" in line for line in forged)
    assert not {"\x1b", "\x1e", "\x07", "\x9b", "\u2028", "\u202e"} & set(said)
    query = """
        SELECT line, data::text FROM pgpool_recovery_event
         WHERE run_id = (SELECT max(id) FROM pgpool_recovery_run) AND line LIKE '%FORGED%'"""
    rows = cluster.primary.sql(query)
    assert len(rows) == 3, rows  # The agent of the first stage starts the server, too.
    assert all(text.isprintable() for row in rows for text in row)
    assert cluster.primary.sql("SELECT method FROM pgpool_recovery_history LIMIT 1") != [
        ("attach",)
    ]


def test_promise_13_slot_that_it_claims_stays(cluster: Cluster) -> None:
    primary = cluster.primary
    for slot in ("barman", "node_2"):
        primary.execute(f"SELECT pg_create_physical_replication_slot('{slot}', true)")
    try:
        for slot in ("barman", "node_2"):
            with hostile(cluster, "", slot):
                cluster.recover(1)
            told = f"replication slot {slot} stays, because its name does not show that it was"
            assert told in primary.log_text()
        assert not {"barman", "node_2"} - set(cluster.slots(0))
    finally:
        for slot in ("barman", "node_2"):
            primary.drop_slot(slot)
