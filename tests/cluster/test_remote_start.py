"""pgpool_remote_start starts the node as its host does, waits, and reports why it cannot."""

import re
from collections.abc import Iterator

import pytest

from tests.faults.call import Call
from tests.harness.cluster import Cluster, ClusterPlan
from tests.harness.command import CommandError
from tests.harness.product import Product
from tests.harness.site import (
    FULL_COPY,
    left_over,
    on_hosts,
    settings,
    streams,
    wait_for_no_agent,
    write_settings,
)
from tests.harness.until import until
from tests.harness.workspace import Workspace


@pytest.fixture(scope="module", params=["plain", "debian"])
def cluster(
    request: pytest.FixtureRequest, workspace: Workspace, product: Product, namespaces: None
) -> Iterator[Cluster]:
    with on_hosts(workspace, product, ClusterPlan(layout=request.param)) as made:
        made.pgpool.stop()  # The functions are called by hand here.
        yield made


@pytest.fixture
def copied(cluster: Cluster) -> Cluster:
    """Return a cluster whose node 1 the first stage has copied, but which was not started."""
    if cluster.node(1).is_running:
        cluster.node(1).stop()
    write_settings(cluster, FULL_COPY)
    first_stage(cluster)
    return cluster


def first_stage(cluster: Cluster) -> None:
    node, primary = cluster.node(1), cluster.node(0)
    primary.execute(
        f"SELECT pgpool_recovery('recovery_1st_stage', '{node.machine.address}', "
        f"'{node.data_directory}', '5432', 1, '5432', '{primary.machine.address}')"
    )


def remote_start(cluster: Cluster) -> str:
    """Call the function as Pgpool-II does, and return the notices that psql shows."""
    node = cluster.node(1)
    call = f"SELECT pgpool_remote_start('{node.machine.address}', '{node.data_directory}')"
    return cluster.node(0).execute(call).stderr


def test_starts_it_as_its_host_does_and_again_is_no_error(copied: Cluster) -> None:
    assert left_over(copied.node(1)), "there is no old data that a failed start could need"
    said = remote_start(copied)
    way = "pg_ctlcluster" if copied.plan.layout == "debian" else "pg_ctl"
    assert f"start the server with {way}" in said
    assert "the new server runs, so the old data was removed" in said
    assert streams(copied.node(0), 1)
    assert left_over(copied.node(1)) == []
    if copied.plan.layout == "debian":
        status = copied.node(1).machine.run(["pg_lsclusters", "--no-header"]).stdout
        assert "online,recovery" in status
    assert "it was running already" in remote_start(copied)


def test_server_does_not_bear_the_marks_of_the_recovery(copied: Cluster) -> None:
    """It has neither the login to the primary nor the mark by which processes are ended."""
    remote_start(copied)
    postmaster = copied.node(1).processes()[0]
    names = {word.partition("=")[0] for word in postmaster.environ or ()}
    assert not {"PGHOST", "PGPORT", "PGDATABASE", "PGPOOL_RECOVERY_ID"} & names


def test_dead_server_is_reported_with_the_last_lines_of_its_log(copied: Cluster) -> None:
    conf = copied.node(1).layout.configuration_directory / "conf.d" / "99-broken.conf"
    copied.node(1).machine.write_file(conf, "shared_preload_libraries = 'no_such_library'\n")
    try:
        with pytest.raises(CommandError) as caught:
            remote_start(copied)
    finally:
        copied.node(1).machine.path(conf).unlink()
    said = caught.value.completed.output
    assert "the server ended before it accepted connections" in said
    assert 'could not access file "no_such_library"' in said
    assert "The target is copied, but not started." in said
    assert left_over(copied.node(1)), "the old data is gone"
    remote_start(copied)


def test_replaying_server_is_distinguished_from_a_dead_one(copied: Cluster) -> None:
    """The restore_command is slow, so the server is starting up for seconds."""
    conf = copied.node(1).layout.configuration_directory / "conf.d" / "99-slow.conf"
    copied.node(1).machine.write_file(conf, "restore_command = 'sleep 4; false'\n")
    try:
        with settings(copied, "[timeout]\nstart_s = 2\n"), pytest.raises(CommandError) as caught:
            remote_start(copied)
        said = caught.value.completed.output
        assert re.search(r"the server accepts no connections after [\d.]+ s", said)
        assert "It is running, but its replay has made no progress for 2 s." in said
        assert "The target is started." in said
        assert copied.node(1).is_running
        assert left_over(copied.node(1)), "the old data is gone"
        remote_start(copied)
        assert left_over(copied.node(1)) == []
    finally:
        copied.node(1).machine.path(conf).unlink()


ENDS = {
    "lost agent": ("the connection to ", "-KILL", ("agent",)),
    "killed runner": ("It did not report the state of the target.", "-KILL", ("start",)),
    "cancel": ("canceling statement due to user request", "", ()),
}


@pytest.mark.parametrize("end", ENDS)
def test_state_after_a_start_that_was_ended_is_reported(copied: Cluster, end: str) -> None:
    """The new data is in place, and its server comes up after the call has ended."""
    if copied.plan.layout == "debian":
        pytest.skip("the way a server is started makes no difference here")
    node, primary = copied.node(1), copied.node(0)
    conf = node.layout.configuration_directory / "conf.d" / "99-slow.conf"
    node.machine.write_file(conf, "restore_command = 'sleep 5; false'\n")
    words, force, ending = ENDS[end]
    try:
        call = Call(primary, node, end.replace(" ", "_"), is_start=True)
        until(lambda: node.is_running, within_s=30, what="the server to be started")
        if end == "cancel":
            primary.execute(f"SELECT pg_cancel_backend({call.backend_pid})")
        else:
            machine = node.machine if end == "lost agent" else primary.machine
            found = [p for p in machine.processes() if is_ours(p.argv, ending[0])]
            machine.run(["kill", force, *(str(p.pid) for p in found)], user="root")
        said = call.ends(60)
    finally:
        node.machine.path(conf).unlink()
    assert words in said
    assert "The target is untouched." not in said
    assert "Traceback" not in primary.log_text()
    if end != "killed runner":
        assert "The target is started." in said, said
    assert left_over(node), "the old data is gone"
    wait_for_no_agent(node)  # An agent could otherwise start a second server.
    remote_start(copied)
    assert streams(primary, 1)


def is_ours(argv: tuple[str, ...], what: str) -> bool:
    """Return whether this is the agent, or the runner of the remote start."""
    if what == "agent":
        return argv[-1:] == ("agent",)
    return any(word.endswith("pgpool_remote_start") for word in argv[:3])


def test_standby_that_does_not_stream_is_not_given_to_pgpool(copied: Cluster) -> None:
    """It would serve outdated data forever, so it is stopped, since we have started it."""
    address = copied.node(1).machine.address
    copied.node(0).allow(f"host replication all {address}/32 reject")
    try:
        with (
            settings(copied, "[timeout]\nstreaming_s = 3\n"),
            pytest.raises(CommandError) as caught,
        ):
            remote_start(copied)
    finally:
        del copied.node(0).hba_lines[0]
        copied.node(0).configure()
        copied.node(0).reload()
    said = caught.value.completed.output
    assert "does not stream from the primary" in said
    assert "Its server was stopped." in said
    assert "pg_hba.conf rejects replication connection" in said
    assert "The target is started, and stopped again." in said
    assert not copied.node(1).is_running
    assert left_over(copied.node(1)), "the old data is gone"
    remote_start(copied)
    assert streams(copied.node(0), 1)


def test_command_of_the_settings(copied: Cluster) -> None:
    node = copied.node(1)
    script = "/var/lib/postgresql/start-it"
    words = " ".join(f"'{word}'" for word in node.layout.start_argv())
    node.machine.write_file(script, f"#!/bin/sh\ntouch {script}.was-used\n{words}\n", mode=0o700)
    text = f'[node.1]\nhost = "{node.machine.address}"\nstart_command = ["{script}"]\n'
    with settings(copied, text):
        assert f"start the server with {script}" in remote_start(copied)
    assert node.machine.path(f"{script}.was-used").exists()


def test_systemd_unit_is_started_if_sudo_allows_it(copied: Cluster) -> None:
    """The test has stand-ins for systemctl and sudo, because its hosts have no systemd."""
    node = copied.node(1)
    machine = node.machine
    unit = "postgresql-15.service"
    if copied.plan.layout == "debian":
        unit = f"postgresql@{node.installation.major}-main.service"
    start = " ".join(f"'{word}'" for word in node.layout.start_argv())
    shows = (
        f"Id=other.service\nEnvironment=\n\nId={unit}\nEnvironment=PGDATA={node.data_directory}/"
    )
    systemctl = (
        "#!/bin/sh\ncase $1 in\nlist-unit-files) echo 'postgresql@.service disabled'; "
        f"echo 'other.service enabled'; echo '{unit} disabled';;\n"
        f'show) test "$2 $3" = "other.service {unit}" && cat <<X\n{shows}\nX\n;;\n'
        f'start) test "$2" = {unit} && {start};;\nesac\n'
    )
    machine.write_file("/usr/local/bin/systemctl", systemctl, owner="root", mode=0o755)
    sudo = '#!/bin/sh\nshift\ntest "$1" = --list && exit 0\nexec "$@"\n'
    machine.write_file("/usr/local/bin/sudo", sudo, owner="root", mode=0o755)
    machine.make_directory("/run/systemd/system", owner="root")
    try:
        assert f"start the server with systemctl start {unit}" in remote_start(copied)
        node.stop()
        machine.write_file("/usr/local/bin/sudo", "#!/bin/sh\nexit 1\n", owner="root", mode=0o755)
        said = remote_start(copied)
        assert f"sudo does not let this user start {unit}" in said
        assert "start the server with pg_ctl" in said
    finally:
        machine.run(["rm", "-rf", "/run/systemd"], user="root")
        machine.run(["rm", "/usr/local/bin/sudo", "/usr/local/bin/systemctl"], user="root")


@pytest.mark.parametrize(
    ("directory", "message"),
    [
        ("/nowhere", "is not a data directory"),
        ("relative", "is not an absolute path"),
        ("/var/lib/../lib", 'contains ".."'),
    ],
)
def test_wrong_directory(cluster: Cluster, directory: str, message: str) -> None:
    call = f"SELECT pgpool_remote_start('{cluster.node(1).machine.address}', '{directory}')"
    with pytest.raises(CommandError, match=message):
        cluster.node(0).execute(call)
