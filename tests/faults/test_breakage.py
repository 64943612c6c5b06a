"""Each fault of facts/breakage.md really happens here, and a second try completes.

After each fault, the cause is in pgpool.log, the old data is untouched, and nothing is left running
or reserved on any host. That file also has what the stock scripts do.
"""

import shlex
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path, PurePath

import pytest

from pgpool_recovery.domain.wal import parse_lsn
from tests.faults.call import Call
from tests.harness.cluster import Cluster, ClusterPlan
from tests.harness.command import CommandError
from tests.harness.product import Product
from tests.harness.site import (
    FULL_COPY,
    assert_recovered,
    left_over,
    on_hosts,
    settings,
    slot_of,
    write_settings,
)
from tests.harness.ssh import authorize_ssh, revoke_ssh
from tests.harness.until import until
from tests.harness.workspace import Workspace


@pytest.fixture(scope="module")
def cluster(workspace: Workspace, product: Product, namespaces: None) -> Iterator[Cluster]:
    with on_hosts(workspace, product, ClusterPlan()) as made:
        made.primary.execute(
            "CREATE TABLE filler AS SELECT g, repeat('x', 500) t FROM generate_series(1, 60000) g"
        )
        yield made


@pytest.fixture
def down(cluster: Cluster) -> Cluster:
    """Return the cluster with node 1 down, and with its data as the stopped server left it."""
    node = cluster.node(1)
    if node.is_running:
        node.stop()
    cluster.pgpool.wait_for_node(1, "down")
    until(lambda: not any(cluster.slots(0).values()), within_s=20, what="the slots to be free")
    return cluster


def fingerprint(cluster: Cluster) -> str:
    """Return a fingerprint that changes if any file of node 1's data directory is touched."""
    data = shlex.quote(str(cluster.node(1).data_directory))
    find = f"find {data} -printf '%p %s %T@ %i\\n' | sort | sha256sum"
    return cluster.node(1).machine.run(["sh", "-c", find]).stdout


def said_in_log(cluster: Cluster, action: Callable[[], object]) -> str:
    """Return what Pgpool-II wrote to its log while `action` ran."""
    before = len(cluster.pgpool.log_text())
    action()
    return cluster.pgpool.log_text()[before:]


def fails(cluster: Cluster) -> str:
    """Try to recover node 1, assert that it failed, and return what pgpool.log got."""
    output: list[str] = []
    log = said_in_log(cluster, lambda: output.append(cluster.pgpool.recovery_node(1).output))
    assert "Command Successful" not in output[0]
    assert "ERROR" in output[0]
    return log


@contextmanager
def nothing_changes(cluster: Cluster) -> Iterator[None]:
    """Assert that the block changes neither old data nor the primary's slots and leaves nothing."""
    data, slots = fingerprint(cluster), cluster.slots(0)
    yield
    assert_nothing_runs(cluster)  # First, because an agent is still undoing its work then.
    assert fingerprint(cluster) == data, "the old data was touched"
    until(lambda: cluster.slots(0) == slots, within_s=10, what=f"the slots to be {slots} again")
    assert left_over(cluster.node(1)) == []


def assert_nothing_runs(cluster: Cluster) -> None:
    """Assert that no program of ours runs on any host."""

    def running() -> list[str]:
        return [
            " ".join(process.argv)
            for node_id in (0, 1)
            for process in cluster.node(node_id).machine.processes()
            if any("pgpool-recovery" in word or "pgpool_recovery" in word for word in process.argv)
            or process.argv[:1] == ("ssh",)
            or "pg_receivewal" in " ".join(process.argv[:1])
        ]

    until(lambda: not running(), within_s=5, what=f"nothing to run, but there is {running()}")


def recovers(cluster: Cluster) -> None:
    cluster.recover(1)
    assert_recovered(cluster, 1)


def test_ssh_is_refused(down: Cluster) -> None:
    hosts = down.host(0), down.host(1)
    revoke_ssh(*hosts)
    try:
        with nothing_changes(down):
            log = fails(down)
    finally:
        authorize_ssh(*hosts)
    assert "could not log in to node 1 by ssh" in log
    assert "Permission denied" in log
    recovers(down)


def test_unknown_host_key(down: Cluster) -> None:
    down.host(1).sshd.replace_host_key()
    try:
        with nothing_changes(down):
            log = fails(down)
    finally:
        authorize_ssh(down.host(0), down.host(1))
    assert "could not log in to node 1 by ssh" in log
    assert "REMOTE HOST IDENTIFICATION HAS CHANGED" in log
    recovers(down)


def test_promise_7_unknown_host_key_whatever_ssh_config_says(down: Cluster) -> None:
    """With the options of the stock scripts, any host at the node's address would get the data."""
    host, file = down.host(0), PurePath("/var/lib/postgresql/.ssh/config")
    host.write_file(file, "StrictHostKeyChecking no\nUserKnownHostsFile /dev/null\n", mode=0o600)
    try:
        with nothing_changes(down):
            log = fails(down)
        assert "could not log in to node 1 by ssh" in log
        assert "Host key verification failed" in log
        with settings(down, "[ssh]\ncheck_host_keys = false\n"):
            recovers(down)
    finally:
        host.path(file).unlink()


def test_agent_is_missing(down: Cluster) -> None:
    command = down.host(1).path("/usr/local/bin/pgpool-recovery")
    away = command.with_suffix(".away")
    command.rename(away)
    try:
        with nothing_changes(down):
            log = fails(down)
    finally:
        away.rename(command)
    assert "node 1 has no pgpool-recovery agent" in log
    recovers(down)


WRAPPED = """
import os, sys
from pgpool_recovery.agent import serve
done = serve.Agent._do
def do(self, request):
    if type(getattr(request, "step", None)).__name__ == "CopyBaseBackup":
        {does}
    return done(self, request)
serve.Agent._do = do
from pgpool_recovery.cli.main import main
sys.exit(main())
"""
UNEXPECTED = {
    "another build": (
        'os.write(1, b\'{"is": "Throttled"}\\n\')',
        "the agent of node 1 speaks another protocol",
    ),
    "a bug": ("raise KeyError('x')", "bug in the agent: KeyError"),
}


@pytest.mark.parametrize("what", UNEXPECTED)
def test_promise_1_and_8_what_is_not_expected_of_an_agent(down: Cluster, what: str) -> None:
    """No slot is left; the log and the record name the node, the step, the cause and the state."""
    does, cause = UNEXPECTED[what]
    command = down.host(1).path("/usr/local/bin/pgpool-recovery")
    away, first_line = command.with_suffix(".away"), command.read_text().splitlines()[0]
    command.rename(away)
    command.write_text(first_line + WRAPPED.format(does=does))
    command.chmod(0o755)
    try:
        with nothing_changes(down):
            log = fails(down)
    finally:
        away.replace(command)
    assert "node 1: could not copy about" in log
    assert f": {cause}" in log
    assert "The target is untouched." in log
    query = "SELECT message, target_state FROM pgpool_recovery_history LIMIT 1"
    message, state = down.node(0).sql(query)[0]
    assert message.startswith("node 1: could not copy about")
    assert message.endswith(cause)
    assert state == "untouched"
    recovers(down)


def test_target_drops_packets(down: Cluster) -> None:
    with nothing_changes(down):
        down.host(1).cut(down.host(0))
        try:
            log = fails(down)
        finally:
            down.host(1).mend(down.host(0))
    assert "could not log in to node 1 by ssh" in log
    assert "timed out" in log
    recovers(down)


def test_replication_role_is_refused(down: Cluster) -> None:
    address = down.node(1).machine.address
    down.node(0).allow(f"host replication all {address}/32 reject")
    try:
        with nothing_changes(down):
            log = fails(down)
    finally:
        del down.node(0).hba_lines[0]
        down.node(0).configure()
        down.node(0).reload()
    assert "node 1 cannot open a replication connection to the primary" in log
    assert "pg_hba.conf rejects replication connection" in log
    recovers(down)


def test_all_replication_slots_are_in_use(down: Cluster) -> None:
    names = "SELECT slot_name FROM pg_replication_slots WHERE slot_name LIKE 'full%'"
    down.node(0).drop_slot(slot_of(1))
    for number in range(10 - len(down.slots(0))):
        down.node(0).execute(f"SELECT pg_create_physical_replication_slot('full_{number}')")
    try:
        with nothing_changes(down):
            log = fails(down)
    finally:
        down.node(0).execute(f"SELECT pg_drop_replication_slot(slot_name) FROM ({names}) s")
    assert "all replication slots of the primary are in use" in log
    recovers(down)


def test_no_wal_sender_is_free(down: Cluster) -> None:
    restart_primary(down, max_wal_senders="1")
    try:
        with nothing_changes(down):
            log = fails(down)
    finally:
        restart_primary(down, max_wal_senders="10")
    assert "the primary does not have enough free WAL senders" in log
    recovers(down)


def restart_primary(cluster: Cluster, **settings: str) -> None:
    """Restart the primary without Pgpool-II noticing, so that it promotes no node."""
    cluster.pgpool.stop()
    cluster.node(0).set(**settings)
    cluster.node(0).restart()
    cluster.pgpool.start(keep_status=True)
    cluster.pgpool.wait_for_node(1, "down")


def test_target_runs_still_when_it_was_only_detached(down: Cluster) -> None:
    recovers(down)
    down.pgpool.detach_node(1)
    down.pgpool.wait_for_node(1, "down")
    slots = down.slots(0)
    log = fails(down)
    assert "server of node 1 is running" in log
    assert down.node(1).is_running
    assert down.slots(0) == slots
    down.pgpool.attach_node(1)
    down.pgpool.wait_for_node(1, "up")


def test_data_directory_of_another_cluster(down: Cluster) -> None:
    data = down.node(1).data_directory
    away = data.with_name("away")
    machine = down.node(1).machine
    machine.run(["mv", str(data), str(away)])
    machine.run([down.node(1).installation.program("initdb"), "-D", str(data), "--no-sync"])
    try:
        with nothing_changes(down):
            log = fails(down)
    finally:
        machine.run(["rm", "-rf", str(data)])
        machine.run(["mv", str(away), str(data)])
    assert "node 1 belongs to another cluster" in log
    assert "Its system identifier is" in log
    recovers(down)


def test_other_major_version_and_no_data_directory_at_all(down: Cluster) -> None:
    machine, data = down.node(1).machine, down.node(1).data_directory
    machine.write_file(data / "PG_VERSION", "12\n")
    with nothing_changes(down):
        assert "node 1 has a data directory of PostgreSQL 12" in fails(down)
    machine.path(data / "PG_VERSION").unlink()
    with nothing_changes(down):
        assert "is neither empty nor a data directory" in fails(down)
    machine.write_file(data / "PG_VERSION", f"{down.node(1).installation.major}\n")
    recovers(down)


def test_directory_that_cannot_be_replaced(down: Cluster) -> None:
    machine, data = down.node(1).machine, down.node(1).data_directory
    machine.run(["chown", "-R", "root", str(data)], user="root")
    try:
        log = fails(down)
    finally:
        machine.run(["chown", "-R", "postgres", str(data)], user="root")
    assert "cannot be used: it belongs to another user" in log
    assert f"as root: chown -R postgres: {data}" in log
    assert "neither empty" not in log, "it could not be read"
    recovers(down)


@contextmanager
def small_disk(cluster: Cluster, size_mb: int, *, with_data: bool) -> Iterator[PurePath]:
    """Put the directory above node 1's data directory on a filesystem of a limited size."""
    host, parent = cluster.host(1), cluster.node(1).data_directory.parent
    host.run(["cp", "-a", str(parent), "/var/lib/postgresql/saved"])
    host.small_filesystem(parent, size_mb, owner="postgres", mode=0o700)
    if with_data:
        host.run(["sh", "-c", f"cp -a /var/lib/postgresql/saved/. {shlex.quote(str(parent))}"])
    try:
        yield parent
        assert_nothing_runs(cluster)  # A program that works in it would keep it mounted.
    finally:
        host.run(["umount", str(parent)], user="root")
        host.run(["rm", "-rf", "/var/lib/postgresql/saved"])


def test_disk_is_too_small(down: Cluster) -> None:
    with small_disk(down, 40, with_data=False) as parent:
        log = fails(down)
        assert_nothing_runs(down)
        assert down.host(1).run(["ls", "-A", str(parent)]).stdout == ""
    assert "not enough space on node 1" in log
    assert "has 40 MB free" in log
    recovers(down)


def test_disk_without_room_for_both_when_the_old_is_to_be_kept(down: Cluster) -> None:
    write_settings(down, FULL_COPY + 'keep_old = "always"\n')
    with small_disk(down, size_of_data(down) + 40, with_data=True), nothing_changes(down):
        log = fails(down)
    assert "not enough space on node 1" in log
    assert "beside the old data" in log


def test_disk_without_room_for_both_gives_the_old_up(down: Cluster) -> None:
    """By default, everything that can be checked is checked before the old data is removed."""
    down.node(1).set(work_mem="9MB")
    with small_disk(down, size_of_data(down) + 100, with_data=True):
        assert "the old data is removed before the copy" in said_in_log(
            down, lambda: down.recover(1)
        )
        assert_recovered(down, 1)
        assert down.node(1).sql("SHOW work_mem") == [("9MB",)], "its own configuration was lost"
        down.node(1).stop()
        down.pgpool.wait_for_node(1, "down")
    recovers(down)


def size_of_data(cluster: Cluster) -> int:
    """Return the pretty_size of node 1's data directory."""
    data = str(cluster.node(1).data_directory)
    return int(cluster.host(1).run(["du", "-sm", data]).stdout.split()[0])


def copying(cluster: Cluster, name: str) -> Call:
    """Return a first stage of node 1 that is in the middle of its copy."""
    call = Call(cluster.node(0), cluster.node(1), name)

    def is_copying() -> bool:
        query = "SELECT 1 FROM pg_stat_progress_basebackup WHERE phase LIKE 'streaming%'"
        return bool(cluster.node(0).sql(query))

    until(is_copying, within_s=20, what="the copy to be under way")
    return call


@contextmanager
def slow_copy(cluster: Cluster, more_settings: str = "") -> Iterator[None]:
    """Let a copy take about ten seconds, uncompressed, as the filler would else take one second."""
    slow = f'{FULL_COPY}max_rate = "5M"\ncompress = "none"\n{more_settings}'
    with settings(cluster, slow, FULL_COPY):
        yield


def test_disk_fills_up_in_the_middle(down: Cluster) -> None:
    """The estimate was right when it was made, but then another program wrote."""
    with (
        small_disk(down, 2 * size_of_data(down) + 300, with_data=True) as parent,
        slow_copy(down),
        nothing_changes(down),
    ):
        call = copying(down, "full")
        ballast = parent / "ballast"
        down.host(1).run(["dd", "if=/dev/zero", f"of={ballast}", "bs=1M"], check=False)
        said = call.ends(30)
        down.host(1).path(ballast).unlink()
    assert "could not copy about" in said
    assert "No space left on device" in said
    assert f"Make room on the filesystem mounted at {parent} of {down.host(1).name}" in said
    assert "The target is untouched." in said
    recovers(down)


def test_full_disk_at_the_first_write(down: Cluster) -> None:
    """No other method is tried, least of all one that removes data, and no lock is left."""
    host, data = down.host(1), down.node(1).data_directory
    workspace = data.with_name(f"{data.name}.pgpool_recovery")
    host.run(["mkdir", "-m", "700", str(workspace)])
    options = "size=4k,nr_inodes=1,mode=700,uid=postgres"
    with settings(down, "", FULL_COPY):
        host.run(["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(workspace)], user="root")
        try:
            log = fails(down)
            assert_nothing_runs(down)  # The agent may still hold the lock that lies in it.
        finally:
            host.run(["umount", str(workspace)], user="root")
            host.run(["rmdir", str(workspace)])
        assert f'could not reserve {data}: could not write "{workspace}/lock": No space' in log
        assert f"No inode is free on the filesystem mounted at {workspace} of {host.name}." in log
        assert f"Make room on the filesystem mounted at {workspace} of {host.name}" in log
        assert "The target is untouched." in log
        assert "another recovery" not in log
        assert "looking for another method" not in log
        with nothing_changes(down):
            pass
        recovers(down)


ENDS: dict[str, Callable[[Cluster, Call], object]] = {
    "cancel": lambda cluster, call: cluster.node(0).execute(
        f"SELECT pg_cancel_backend({call.backend_pid})"
    ),
    "terminate": lambda cluster, call: cluster.node(0).execute(
        f"SELECT pg_terminate_backend({call.backend_pid})"
    ),
    "killed client": lambda _, call: call.psql.kill(),
}


@pytest.mark.parametrize("end", ENDS)
def test_ended_in_the_middle(down: Cluster, end: str) -> None:
    """Within five seconds nothing runs on any host, no slot is left, and the old data is whole."""
    with slow_copy(down), nothing_changes(down):
        call = copying(down, end.replace(" ", "_"))
        ENDS[end](down, call)
        said = call.ends(5)
        assert_nothing_runs(down)
        until(lambda: not left_over(down.node(1)), within_s=5, what="the half copy to be gone")
    if end == "cancel":
        assert "canceling statement due to user request" in said
        assert "The target is untouched." in said
    recovers(down)


@pytest.mark.parametrize("mode", ["fast", "immediate"])
def test_primary_is_stopped_in_the_middle(down: Cluster, mode: str) -> None:
    down.pgpool.stop()  # It would promote the other node.
    with slow_copy(down):
        data = fingerprint(down)
        call = copying(down, f"stop_{mode}")
        down.node(0).stop(mode)
        call.ends(5)
        assert_nothing_runs(down)
        until(lambda: not left_over(down.node(1)), within_s=5, what="the half copy to be gone")
        assert fingerprint(down) == data
    down.node(0).start()
    down.pgpool.start(keep_status=True)
    down.pgpool.wait_for_node(1, "down")
    recovers(down)


def test_link_is_lost_in_the_middle(down: Cluster) -> None:
    """Both ends give up on their own, and neither waits for the other."""
    with slow_copy(down):
        data, slots = fingerprint(down), down.slots(0)
        call = copying(down, "lost_link")
        down.host(1).cut()
        try:
            said = call.ends(60)
            until(lambda: down.slots(0) == slots, within_s=10, what="the slot to be free")
            until(lambda: not left_over(down.node(1)), within_s=90, what="no half copy")
        finally:
            down.host(1).mend()
    assert "the connection to node 1 was lost" in said
    assert "The target is untouched." in said
    assert_nothing_runs(down)
    assert fingerprint(down) == data
    recovers(down)


def test_agent_is_killed_in_the_middle(down: Cluster) -> None:
    """A half copy is left, at a place and under a name that the next recovery knows."""
    with slow_copy(down):
        data, slots = fingerprint(down), down.slots(0)
        call = copying(down, "killed_agent")
        machine = down.node(1).machine
        agents = [p.pid for p in machine.processes() if p.argv[-1:] == ("agent",)]
        machine.run(["kill", "-KILL", *map(str, agents)], user="root")
        said = call.ends(20)
        assert "the connection to node 1 was lost" in said
        assert_nothing_runs(down)
        until(lambda: down.slots(0) == slots, within_s=10, what="the slot to be free")
        assert fingerprint(down) == data
        assert left_over(down.node(1)) == ["data.pgpool_recovery"]
    recovers(down)


def test_copy_does_not_get_on(down: Cluster) -> None:
    """The hosts and the connection are alive, but no more data arrives."""
    machine = down.node(0).machine
    with slow_copy(down, "[timeout]\nstall_s = 6\n"), nothing_changes(down):
        call = copying(down, "stalled")
        ((sender,),) = down.node(0).sql("SELECT pid FROM pg_stat_progress_basebackup")
        machine.run(["kill", "-STOP", str(sender)])
        try:
            said = call.ends(60)
        finally:
            machine.run(["kill", "-CONT", str(sender)])
        until(lambda: not left_over(down.node(1)), within_s=5, what="the half copy to be gone")
    assert "the primary was silent for 6 s during the base backup" in said
    assert "The target is untouched." in said
    recovers(down)


def test_second_recovery_at_the_same_time_is_refused(down: Cluster) -> None:
    """This is promise 6; Pgpool-II's own lock does not prevent a call by SQL."""
    with slow_copy(down):
        call = copying(down, "first")
        log = fails(down)
        assert "node 1: another recovery of this node is running" in log
        down.node(0).execute(f"SELECT pg_cancel_backend({call.backend_pid})")
        call.ends()
    recovers(down)


def test_started_server_dies(down: Cluster) -> None:
    """The node's own configuration has an error that only shows when the server starts."""
    node = down.node(1)
    broken = node.data_directory / "conf.d" / "99-broken.conf"
    node.machine.write_file(broken, "shared_preload_libraries = 'no_such_library'\n")
    log = fails(down)
    assert "the server ended before it accepted connections" in log
    assert 'could not access file "no_such_library"' in log
    assert "The target is copied, but not started." in log
    assert left_over(node) == ["data.pgpool_recovery"], "the old data is no longer there"
    node.machine.path(broken).unlink()
    recovers(down)


def test_copy_died_before_it_was_consistent_and_the_old_data_comes_back(down: Cluster) -> None:
    """Recovery renames backup_label at once, so without it a copy may still be inconsistent."""
    node = down.node(1)
    with slow_copy(down):
        call = copying(down, "died")
        down.node(0).execute("SELECT pg_create_restore_point('here'); SELECT pg_switch_wal()")
        call.ends(30)
    slow = node.data_directory / "conf.d" / "99-slow.conf"
    seen = node.machine.home / "first_segment"
    first = f"test -e {seen} || echo %f > {seen}; grep -q %f {seen} || sleep 60"
    command = f"case %f in *.history) ;; *) {first} ;; esac; false"
    node.machine.write_file(slow, f"restore_command = '{command}'\n")
    node.machine.run(
        [
            node.installation.program("pg_ctl"),
            "-D",
            str(node.data_directory),
            "-W",
            "-l",
            str(node.log_file),
            "start",
        ]
    )
    label = node.machine.path(node.data_directory / "backup_label")
    until(lambda: not label.exists(), within_s=20, what="recovery to have begun")
    node.kill()
    node.machine.path(slow).unlink()
    assert parse_lsn(node.controldata()["Backup start location"]) > 0
    assert left_over(node) == ["data.pgpool_recovery"]
    log = said_in_log(down, lambda: recovers(down))
    assert "put the old data back in place of a copy that never ran well" in log


def test_tablespace_directory_of_another_cluster(down: Cluster) -> None:
    """It is where the new tablespace belongs; a copy would refuse that as well."""
    node, location = down.node(1), PurePath("/var/lib/postgresql/ts/taken")
    down.node(0).create_tablespace("taken", Path(location))
    ((directory,),) = down.node(0).sql(
        "SELECT pg_ls_dir(pg_tablespace_location(oid)) FROM pg_tablespace WHERE spcname = 'taken'"
    )
    theirs = location / directory / "16384" / "1"
    node.machine.write_file(theirs, "theirs")
    try:
        with nothing_changes(down):
            log = fails(down)
        assert "holds data that is not known to be the node's own" in log
        assert node.machine.path(theirs).read_text() == "theirs"
    finally:
        node.machine.run(["rm", "-rf", str(location)])
    recovers(down)
    down.node(0).execute("DROP TABLESPACE taken")


def test_primary_conninfo_elsewhere_does_not_win(down: Cluster) -> None:
    node = down.node(1)
    others = {
        "primary_conninfo": "host=nowhere",
        "primary_slot_name": "other",
        "recovery_target_timeline": "1",
    }
    node.set(**others)
    try:
        recovers(down)
        assert node.sql("SHOW primary_slot_name") == [(slot_of(1),)]
    finally:
        for name in others:
            del node.settings[name]
        node.configure()


def test_metacharacters_in_every_argument(down: Cluster) -> None:
    """Promise 7: they name a host, a directory or a port that does not exist; nothing is run."""
    touch = "touch /tmp/evil"
    evil = [
        f"$({touch})",
        f"`{touch}`",
        f'"; {touch}; "',
        f"'; {touch};'",
        f"-oProxyCommand={touch}",
    ]
    for position in (0, 1, 2, 4, 5):
        for text in evil:
            words = ["node1", "/nowhere", "5432", "1", "5432", "node0"]
            words[position] = text
            literals = ", ".join("'" + word.replace("'", "''") + "'" for word in words)
            with pytest.raises(CommandError, match="pgpool_recovery failed"):
                down.node(0).execute(f"SELECT pgpool_recovery('recovery_1st_stage', {literals})")
    for node_id in (0, 1):
        assert not down.host(node_id).path("/tmp/evil").exists()


@pytest.fixture(autouse=True)
def only_full_copies(cluster: Cluster) -> None:
    """Allow only full copies, because these tests are about what can go wrong with one."""
    write_settings(cluster, FULL_COPY)
