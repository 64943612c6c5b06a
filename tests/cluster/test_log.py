"""The log for support (log/note.py), in a recovery that copies data."""

import re
from collections.abc import Iterator

import psycopg
import pytest

from tests.harness.cluster import Cluster, ClusterPlan
from tests.harness.product import Product
from tests.harness.site import assert_recovered, on_hosts, settings
from tests.harness.template import PASSWORDS
from tests.harness.workspace import Workspace

DEBUG = '[policy]\nmethods = ["rewind", "basebackup"]\n[log]\nlevel = "debug"\n'
HEAD = "DEBUG:  pgpool-recovery "
STAMP = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{3} UTC \+\d+\.\d{3} ")
OWN_SECRET = "0wn-s3cr3t"


@pytest.fixture(scope="module")
def cluster(workspace: Workspace, product: Product, namespaces: None) -> Iterator[Cluster]:
    plan = ClusterPlan(standbys=2, authentication="scram-sha-256")
    with on_hosts(workspace, product, plan) as made:
        yield made


def logged(cluster: Cluster) -> list[str]:
    """Return the lines of that log from the primary's server log."""
    lines = cluster.primary.log_text().split("\n")
    return [line.removeprefix(HEAD) for line in lines if line.startswith(HEAD)]


def test_log_of_a_recovery_has_what_support_needs(cluster: Cluster) -> None:
    """It has requests, answers and decisions, and each step and program with its duration."""
    old = cluster.primary
    old.execute(f"ALTER SYSTEM SET restore_command = 'PGPASSWORD={OWN_SECRET} false'")
    old.reload()
    cluster.fail_over()
    with settings(cluster, DEBUG), cluster.load(name="logged", through_pgpool=False) as load:
        cluster.recover(old.node_id)
        load.wait_for_commits(50)
    assert_recovered(cluster, old.node_id, load)
    lines = logged(cluster)
    text = "\n".join(lines)
    assert all(STAMP.match(line) for line in lines), text
    for process in ("recovery_1st_stage", "pgpool_remote_start"):
        assert re.search(rf"{process}\[\d+\]@\S+ .*: the log begins", text), text
    agent = rf"agent of node {old.node_id} \| \+\d+\.\d+ agent\[\d+\]@\S+: "
    assert_pairs(text, rf"asks the agent of node {old.node_id}: ")
    assert_pairs(text, f"{agent}does ")
    assert_pairs(text, f"{agent}runs ")
    assert_pairs(text, r"step \d+ of \d+: ")
    assert re.search(r"fact target: TargetFacts\(", text)
    assert re.search(r"plan method: basebackup\n", text)
    assert re.search(r"plan passed_over: \[PassedOver\(method: \S+, reasons: \[Rejection", text)
    assert re.search(
        r"runs \[\S*pg_receivewal .*\n(?:.*\n)*?"
        r".*runs pg_receivewal (?:ended|failed|was stopped) after",
        text,
    )
    assert re.search(r"query \w+ on the primary ended after \d+\.\d{3} s: '?\d+ rows", text)
    for secret in (*PASSWORDS.values(), OWN_SECRET):
        assert secret not in text
    assert HEAD not in cluster.pgpool.log_text(), "the caller got lines of the log"


def assert_pairs(text: str, begin: str) -> None:
    """Assert that all things of a kind that have begun have also ended, and that there are some."""
    ended = re.findall(rf"{begin}.* (?:ended|failed|was stopped) after \d+\.\d{{3}} s", text)
    both = re.findall(begin, text)
    assert len(ended) > 0, f"{begin} in\n{text}"
    assert len(both) == 2 * len(ended), f"{begin} in\n{text}"


def test_callers_get_nothing_of_it(cluster: Cluster) -> None:
    """What is logged is not sent as a NOTICE, and without the setting nothing is logged."""
    node, primary = cluster.node(cluster.primary.node_id ^ 1), cluster.primary
    words = (
        node.machine.address,
        str(node.data_directory),
        str(primary.port),
        node.node_id,
        str(node.port),
        primary.machine.address,
    )
    heard: list[str] = []
    with psycopg.connect(primary.conninfo_from_here("postgres", dbname="postgres")) as connection:
        connection.add_notice_handler(lambda diag: heard.append(str(diag.message_primary)))
        before = len(logged(cluster))
        connection.execute("SELECT pgpool_recovery_plan(%s, %s, %s, %s, %s, %s)", words)
        assert len(logged(cluster)) == before
        with settings(cluster, DEBUG):
            connection.execute("SELECT pgpool_recovery_plan(%s, %s, %s, %s, %s, %s)", words)
    assert len(logged(cluster)) > before
    assert not [line for line in heard if "pgpool-recovery " in line]
