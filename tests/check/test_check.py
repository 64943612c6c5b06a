"""pgpool_recovery_check() finds a healthy cluster healthy, and finds each thing that is broken."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.check.ask import Found, check
from tests.harness.cluster import Cluster, ClusterPlan
from tests.harness.postgresql import Server
from tests.harness.product import Product
from tests.harness.site import on_hosts, settings, slot_of, streams
from tests.harness.until import until
from tests.harness.workspace import Workspace

TAKES_S = 30
"""On two cores that others use as well; by itself it takes 3 to 4 seconds."""


@pytest.fixture(scope="module")
def cluster(workspace: Workspace, product: Product, namespaces: None) -> Iterator[Cluster]:
    plan = ClusterPlan(standbys=2, authentication="scram-sha-256", settings={"wal_log_hints": "on"})
    with on_hosts(workspace, product, plan) as made:
        yield made


def troubles(found: list[Found]) -> list[Found]:
    """Return the findings that are errors or warnings."""
    return [one for one in found if one.severity in ("error", "warning")]


def the_trouble(cluster: Cluster, **pool: str) -> Found:
    """Return the only error or warning of a cluster in which one thing is broken."""
    found = troubles(check(cluster, **pool))
    assert len(found) == 1, found
    return found[0]


@contextmanager
def without_file(server: Server, path: str | Path) -> Iterator[None]:
    """Move a file away for a while."""
    file = server.machine.path(path)
    aside = file.with_name(f"{file.name}.aside")
    file.rename(aside)
    try:
        yield
    finally:
        aside.rename(file)


def script(server: Server, name: str) -> Path:
    return Path(server.data_directory) / name


def test_healthy_cluster_gives_a_forecast_for_each_node_in_seconds(cluster: Cluster) -> None:
    began = time.monotonic()
    found = check(cluster)
    took_s = time.monotonic() - began
    print(f"a check of three nodes took {took_s:.1f} s")
    assert troubles(found) == []
    assert [one.node_id for one in found if one.severity == "ok"] == [0, 1, 2]
    facts = [one.fact for one in found if one.severity == "ok"]
    assert facts[0].startswith("after a failover to node 1, node 0 would come back by rewind, ")
    for node_id in (1, 2):
        assert facts[node_id].startswith(f"node {node_id} would come back by catch-up, about ")
    assert all("; without its data by basebackup, about " in fact for fact in facts)
    assert took_s < TAKES_S


def test_ssh_that_is_revoked_between_two_standbys(cluster: Cluster) -> None:
    """The primary can log in to both; the login would be missed only after a failover."""
    node = cluster.node(2)
    keys = node.machine.path(node.machine.home) / ".ssh" / "authorized_keys"
    text = keys.read_text()
    of_node_1 = cluster.host(1).path(cluster.host(1).home) / ".ssh"
    [public] = of_node_1.glob("id_*.pub")
    key = public.read_text().split()[1]
    keys.write_text("".join(line + "\n" for line in text.splitlines() if key not in line))
    try:
        found = the_trouble(cluster)
    finally:
        keys.write_text(text)
    assert (found.severity, found.node_id) == ("error", 1)
    assert found.fact.startswith("node 1 cannot start an agent on node 2, so node 2 could not")
    assert "Permission denied" in found.fact
    assert found.advice.startswith("On 10.")


def test_host_that_is_cut_off_is_one_finding(cluster: Cluster) -> None:
    cluster.host(2).cut()
    try:
        began = time.monotonic()
        found = troubles(check(cluster))
        took_s = time.monotonic() - began
    finally:
        cluster.host(2).mend()
    until(lambda: streams_by_own(cluster, 2), within_s=60, what="node 2 to stream again")
    cluster.pgpool.attach_node(2)
    assert [one.fact.partition(":")[0] for one in found] == ["could not log in to node 2 by ssh"]
    assert found[0].node_id == 2
    assert took_s < TAKES_S


def streams_by_own(cluster: Cluster, node_id: int) -> bool:
    """Return whether a node streams from the slot that the harness has given it."""
    return cluster.slots(0).get(cluster.node(node_id).slot, False) or streams(
        cluster.primary, node_id
    )


def test_password_file_that_is_missing(cluster: Cluster) -> None:
    node = cluster.node(1)
    with without_file(node, node.machine.home / ".pgpass"):
        found = troubles(check(cluster))
    assert {one.node_id for one in found} == {1}
    facts = [one.fact for one in found]
    for other in (0, 2):
        assert any(
            fact.startswith(f"node 1 cannot open a replication connection to node {other}, so ")
            and "no password supplied" in fact
            for fact in facts
        ), facts
    assert len(found) == 2


def test_password_file_that_is_open_to_others(cluster: Cluster) -> None:
    node = cluster.node(1)
    file = node.machine.path(node.machine.home) / ".pgpass"
    file.chmod(0o644)
    try:
        found = troubles(check(cluster))
    finally:
        file.chmod(0o600)
    [first] = [one for one in found if "is open to others" in one.fact]
    assert (first.severity, first.node_id) == ("error", 1)
    assert first.advice.endswith("chmod 0600 /var/lib/postgresql/.pgpass")
    assert "(mode 0644)" in first.fact


@pytest.mark.parametrize("name", ["recovery_1st_stage", "pgpool_remote_start"])
def test_stage_script_that_is_missing_on_a_standby(cluster: Cluster, name: str) -> None:
    node = cluster.node(2)
    with without_file(node, script(node, name)):
        found = the_trouble(cluster)
    assert (found.severity, found.node_id) == ("error", 2)
    assert f"/{name} of node 2 cannot run: it does not exist" in found.fact
    assert "pgpool-recovery install --data-directory" in found.advice


def test_stage_script_that_is_old_or_not_ours(cluster: Cluster) -> None:
    node = cluster.node(1)
    file = node.machine.path(script(node, "recovery_2nd_stage"))
    text = file.read_text()
    file.write_text(text.replace("Version 2", "Version 1"))
    try:
        old = the_trouble(cluster)
        file.write_text("#!/bin/sh\n")
        assert troubles(check(cluster)) == []
        [foreign] = [one for one in check(cluster) if one.severity == "info"]
    finally:
        file.write_text(text)
    assert (old.severity, old.node_id) == ("warning", 1)
    assert "is version 1" in old.fact
    assert "recovery_2nd_stage of node 1 is not pgpool-recovery's" in foreign.fact


def test_extension_for_each_pgpool(cluster: Cluster) -> None:
    primary = cluster.primary
    assert troubles(check(cluster, pgpool_version="4.3.5")) == []
    assert troubles(check(cluster, pgpool_version="4.7.1", recovery_database="postgres")) == []
    primary.execute("DROP EXTENSION pgpool_recovery", database="template1")
    try:
        assert troubles(check(cluster)) == []
        assert troubles(check(cluster, pgpool_version="4.7.1")) == []
        elsewhere = the_trouble(cluster, pgpool_version="4.3.5")
    finally:
        primary.execute("CREATE EXTENSION pgpool_recovery", database="template1")
    assert (elsewhere.severity, elsewhere.node_id) == ("error", 0)
    assert elsewhere.fact == (
        "database template1, where Pgpool-II 4.3.5 calls it, has no extension pgpool_recovery; "
        "it is in postgres"
    )
    assert elsewhere.advice == "In template1: CREATE EXTENSION pgpool_recovery"


def test_slot_that_is_not_in_use(cluster: Cluster) -> None:
    cluster.primary.execute("SELECT pg_create_physical_replication_slot('left_over', true)")
    cluster.node(2).execute("SELECT pg_create_physical_replication_slot('on_standby')")
    try:
        found = troubles(check(cluster))
    finally:
        cluster.primary.drop_slot("left_over")
        cluster.node(2).drop_slot("on_standby")
    assert [(one.severity, one.node_id) for one in found] == [("warning", 0), ("warning", 2)]
    assert found[0].fact.startswith("replication slot left_over of node 0 is not in use, belongs ")
    assert found[0].advice.endswith("SELECT pg_drop_replication_slot('left_over')")


def test_standby_that_is_down(cluster: Cluster) -> None:
    cluster.node(2).stop()
    cluster.pgpool.wait_for_node(2, "down")
    try:
        found = the_trouble(cluster)
    finally:
        cluster.recover(2)
    assert (found.severity, found.node_id) == ("warning", 2)
    assert found.fact == "the server of node 2 is not running"
    assert slot_of(2) in cluster.slots(0)
    assert troubles(check(cluster)) == []


def test_settings_of_pgpool_that_do_not_fit(cluster: Cluster) -> None:
    cluster.primary.execute("CREATE ROLE plain LOGIN")
    try:
        found = troubles(
            check(
                cluster,
                pgpool_version="4.7.1",
                recovery_user="plain",
                recovery_timeout="0",
                recovery_1st_stage_command="/etc/pgpool/recovery_1st_stage",
            )
        )
        cluster.primary.execute(
            "GRANT EXECUTE ON FUNCTION pgpool_remote_start(text, text), pgpool_recovery"
            "(text, text, text, text, integer, text, text) TO plain"
        )
        granted = troubles(check(cluster, pgpool_version="4.7.1", recovery_user="plain"))
    finally:
        cluster.primary.execute("DROP OWNED BY plain; DROP ROLE plain")
    facts = [one.fact for one in found]
    assert any("which is not a path inside the data directory" in fact for fact in facts), facts
    assert any(fact.startswith("recovery_timeout is 0") for fact in facts)
    assert any("plain is not a superuser and may not call" in fact for fact in facts)
    assert [one.fact for one in granted if "database postgres" in one.fact] == []


def test_script_that_pgpool_names_is_looked_for_on_every_node(cluster: Cluster) -> None:
    found = troubles(check(cluster, recovery_1st_stage_command="my_stage"))
    assert [one.node_id for one in found] == [0, 1, 2]
    assert all("/my_stage of node" in one.fact for one in found)


def test_settings_file_with_an_error_on_a_standby(cluster: Cluster) -> None:
    host = cluster.host(1)
    host.write_file("/etc/pgpool-recovery.toml", "[policy]\nkeep = 1\n", owner="root", mode=0o644)
    try:
        found = the_trouble(cluster)
    finally:
        host.path("/etc/pgpool-recovery.toml").unlink()
    assert (found.severity, found.node_id) == ("error", 1)
    assert "has 1 error: line 2: unknown setting keep in policy" in found.fact


def test_disk_without_room_for_a_second_copy(cluster: Cluster) -> None:
    """Node 1's data fills more than half of the filesystem that its data directory is on."""
    node, host = cluster.node(1), cluster.host(1)
    filler = host.path(node.machine.home) / "filler"
    node.stop()
    home = str(node.machine.home)
    used_mb = int(host.run(["du", "-sm", home], user="root").stdout.split()[0])
    host.run(["mount", "-o", f"remount,size={used_mb + 25}M", home], user="root")
    try:
        found = troubles(check(cluster))
    finally:
        host.run(["mount", "-o", "remount,size=50%", home], user="root")
        filler.unlink(missing_ok=True)
        cluster.recover(1)
    facts = [one.fact for one in found]
    assert any(
        "a full copy of node 1 would remove the old data before" in fact for fact in facts
    ), facts


METRICS = "/var/lib/postgresql/pgpool_recovery.prom"


def test_recovery_and_check_leave_their_numbers_for_prometheus(cluster: Cluster) -> None:
    node, file = cluster.node(2), cluster.host(0).path(METRICS)
    with settings(cluster, f'[metrics]\ntextfile = "{METRICS}"\n'):
        check(cluster)
        text = file.read_text()
        assert 'pgpool_recovery_check_findings{node="2",severity="ok"} 1\n' in text
        assert 'pgpool_recovery_check_findings{node="2",severity="error"} 0\n' in text
        node.stop()
        cluster.recover(2)
        text = file.read_text()
    labels = f'node="2",host="{node.machine.address}"'
    last = f'pgpool_recovery_last{{{labels},method="catch-up",state="recovered"}} 1\n'
    assert last in text, text
    assert f"pgpool_recovery_running{{{labels}}} 0\n" in text
    assert f"pgpool_recovery_last_succeeded{{{labels}}} 1\n" in text
    assert "pgpool_recovery_check_timestamp_seconds " in text
    assert file.stat().st_mode & 0o777 == 0o644
