"""Record what PostgreSQL's programs of a major say, for tests/unit/programs.

Usage, as root: python -m tests.cluster.record_programs MAJOR…

Each major is taken from this machine or from a system below PGPOOL_RECOVERY_SYSTEMS, as in
tests/harness/system.py: a root filesystem with postgresql-MAJOR, openssh-server, iproute2, procps
and python3 will do. Its files in tests/unit/programs/outputs/MAJOR are replaced.
"""

import shutil
import sys
from dataclasses import dataclass, replace
from pathlib import Path, PurePath

from pgpool_recovery.agent.directory.effective_value import DEFAULTS
from pgpool_recovery.domain.wal_page import LONG_HEADER_BYTES
from tests.harness.cluster import ClusterPlan
from tests.harness.cluster_site import Site, build_servers
from tests.harness.contents import wait_for_replay
from tests.harness.installation import Installation
from tests.harness.layout import PlainLayout
from tests.harness.machine import Machine
from tests.harness.network import Network
from tests.harness.postgresql import Server
from tests.harness.psql import conninfo
from tests.harness.system import system_with
from tests.harness.template import SUPERUSER
from tests.harness.until import until
from tests.harness.wal import end_of
from tests.harness.workspace import Workspace

Words = list[str | PurePath]
OUTPUTS = Path(__file__).resolve().parents[1] / "unit" / "programs" / "outputs"
POSITIONS = """
SELECT 'written', pg_current_wal_lsn();
SELECT 'restart_lsn', restart_lsn FROM pg_replication_slots WHERE active;
SELECT 'replay_lsn', replay_lsn FROM pg_stat_replication;
SELECT 'none', '0/0'::pg_lsn;
"""


@dataclass(frozen=True)
class Recorder:
    """Records what programs print on a host, under names that describe the situation."""

    directory: Path

    def write(self, name: str, text: str) -> None:
        file = self.directory / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)

    def say(self, name: str, server: Server, program: str, *words: str | PurePath) -> None:
        """Record the output of a program, standard error first, since the product reads both."""
        argv = [server.installation.program(program), *words]
        said = server.machine.run(argv, env={"LC_ALL": "C"}, check=False, timeout_s=120)
        self.write(name, said.stderr + said.stdout)

    def control(self, state: str, server: Server) -> None:
        self.say(f"controldata/{state}.txt", server, "pg_controldata", "-D", server.data_directory)

    def file(self, name: str, server: Server, path: str) -> None:
        self.write(name, server.machine.path(server.data_directory / path).read_text())


def record(workspace: Workspace, major: int) -> None:
    """Bring a primary and a standby into each situation, one after another."""
    directory = OUTPUTS / str(major)
    shutil.rmtree(directory, ignore_errors=True)
    recorder, system = Recorder(directory), system_with(major)
    names = ["node0", "node1"]
    with Network(names, systems=dict.fromkeys(names, system)) as network:
        hosts = [network.host(name) for name in names]
        settings = {"wal_log_hints": "on", "wal_keep_size": "1GB", "autovacuum": "off"}
        plan = ClusterPlan(postgresql_major=major, settings=settings, ssh=False)
        installation = system.installation(major)
        primary, standby = build_servers(
            workspace, plan, Site(hosts, hosts[0], hosts[0], installation)
        )
        record_defaults(recorder, hosts[0], installation)
        _while_both_run(recorder, primary, standby)
        _backups(recorder, primary, standby)
        _standby_stopped(recorder, primary, standby)
        _promoted(recorder, primary, standby)
        _crashed(recorder, standby)


def _while_both_run(recorder: Recorder, primary: Server, standby: Server) -> None:
    primary.execute("CREATE TABLE t AS SELECT g FROM generate_series(1, 10000) g; CHECKPOINT")
    wait_for_replay(standby, primary.wal_position())
    recorder.control("in_production", primary)
    recorder.control("in_archive_recovery", standby)
    _wal_header(recorder, primary)
    recorder.write("positions.txt", primary.execute(POSITIONS).stdout)
    recorder.write("identify_system.txt", _replication(primary, "IDENTIFY_SYSTEM"))
    recorder.file("postmaster_primary.pid", primary, "postmaster.pid")
    recorder.file("postmaster_standby.pid", standby, "postmaster.pid")
    entries = primary.machine.run(["ls", "-A", primary.data_directory]).stdout
    recorder.write("data_directory.txt", entries)
    recorder.say("version.txt", primary, "postgres", "--version")
    for name in ("max_locks_per_transaction", "recovery_target_timeline", "primary_conninfo"):
        recorder.say(f"setting/{name}.txt", standby, "postgres", *_in(standby), "-C", name)


def _wal_header(recorder: Recorder, server: Server) -> None:
    """Record the name of a WAL file, the header of its first page, and the system identifier."""
    name = server.sql("SELECT min(name) FROM pg_ls_waldir() WHERE length(name) = 24")[0][0]
    header = server.machine.path(server.data_directory / "pg_wal" / name).read_bytes()
    system = server.sql("SELECT system_identifier FROM pg_control_system()")[0][0]
    lines = (name, header[:LONG_HEADER_BYTES].hex(), system)
    recorder.write("wal_header.txt", "".join(f"{line}\n" for line in lines))


def record_defaults(recorder: Recorder, machine: Machine, installation: Installation) -> None:
    """Record the built-in defaults, with configuration files that have no settings."""
    empty = machine.home / "empty"
    machine.make_directory(empty, mode=0o700)
    for name in ("postgresql.conf", "postgresql.auto.conf"):
        machine.write_file(empty / name, "")
    postgres: Words = [installation.program("postgres"), "-D", empty, "-C"]
    said = {name: machine.run([*postgres, name]).stdout for name in sorted(DEFAULTS)}
    lines = [f"{name} = {value}" for name, value in said.items()]
    recorder.write("setting/defaults.txt", "".join(lines))


def _in(server: Server) -> Words:
    return ["-D", server.data_directory]


def _replication(server: Server, command: str) -> str:
    where = conninfo(
        host=str(server.machine.socket_directory),
        port=str(server.port),
        user=SUPERUSER,
        replication="true",
    )
    psql = [server.installation.program("psql"), "-X", "-A", "-t", "-d", where, "-c", command]
    return server.machine.run(psql).stdout


def _backups(recorder: Recorder, primary: Server, standby: Server) -> None:
    copy = _another(primary, "copy")
    source: Words = ["-d", primary.conninfo(), "-D", copy.data_directory, "-c", "fast"]
    primary.machine.run([primary.installation.program("pg_basebackup"), *source])
    recorder.file("backup_label_of_primary", copy, "backup_label")
    recorder.control("base_backup_of_primary", copy)
    other = _another(standby, "other")
    source = ["-d", standby.conninfo(), "-D", other.data_directory, "-c", "fast"]
    standby.machine.run([standby.installation.program("pg_basebackup"), *source])
    recorder.file("backup_label_of_standby", other, "backup_label")
    recorder.control("base_backup_of_standby", other)
    if primary.installation.major >= 17:
        _incremental(recorder, primary, copy)
    _backup_whose_end_is_missing(recorder, primary)


def _incremental(recorder: Recorder, primary: Server, full: Server) -> None:
    since = f"--incremental={full.data_directory}/backup_manifest"
    more = _another(primary, "more")
    source: Words = ["-d", primary.conninfo(), "-D", more.data_directory, "-c", "fast", since]
    recorder.say("incremental_without_summaries.txt", primary, "pg_basebackup", *source)
    primary.set(summarize_wal="on")
    base = _another(primary, "base").data_directory
    pg_basebackup = [primary.installation.program("pg_basebackup"), "-d", primary.conninfo()]
    pg_basebackup += ["-c", "fast"]
    primary.machine.run([*pg_basebackup, "-D", base])
    since = f"--incremental={base}/backup_manifest"
    primary.machine.run([*pg_basebackup, "-D", more.data_directory, since])
    recorder.file("backup_label_incremental", more, "backup_label")
    summaries = "SELECT tli, start_lsn, end_lsn FROM pg_available_wal_summaries()"
    recorder.write("summaries.txt", primary.execute(summaries).stdout)


def _backup_whose_end_is_missing(recorder: Recorder, primary: Server) -> None:
    """Copy the files by hand, and start a server on them with only the first WAL segment."""
    cut, own = _another(primary, "cut"), primary.data_directory
    start, stop = "pg_backup_start('by hand', true)", "pg_backup_stop()"
    if primary.installation.major < 15:
        start = "pg_start_backup('by hand', true, false)"
        stop = "pg_stop_backup(false, false)"
    said = primary.execute(
        f"""
        SELECT pg_walfile_name({start});
        \\! cp -a {own} {cut.data_directory}
        SELECT pg_switch_wal();
        SELECT labelfile FROM {stop};"""
    ).stdout
    name = said.split("\n", 1)[0]
    label = said[said.index("START WAL") :].rstrip('"\n') + "\n"
    where = cut.data_directory
    primary.machine.run(["sh", "-c", f"cd {where} && rm -rf postmaster.pid pg_wal/0*"])
    primary.machine.run(["cp", own / "pg_wal" / name, where / "pg_wal"])
    primary.machine.write_file(where / "backup_label", label)
    primary.machine.write_file(where / "standby.signal", "")
    cut.configure()
    recorder.file("backup_label_by_hand", cut, "backup_label")
    pg_ctl = cut.installation.program("pg_ctl")
    primary.machine.run([pg_ctl, "-D", where, "-W", "-l", cut.log_file, "start"])

    def has_begun() -> bool:
        return cut.controldata()["Backup start location"].strip("0/") != ""

    until(has_begun, within_s=30, what="recovery to have begun")
    recorder.file("postmaster_starting.pid", cut, "postmaster.pid")
    recorder.control("backup_without_its_end", cut)
    cut.kill()


def _another(server: Server, name: str) -> Server:
    """Return a second server, without files so far, on the host of another one."""
    machine = server.machine
    data = machine.home / name
    layout = PlainLayout(server.installation, data, machine.log_directory / f"{name}.log")
    return replace(server, layout=layout, port=machine.free_port(5433), settings={})


def _standby_stopped(recorder: Recorder, primary: Server, standby: Server) -> None:
    primary.execute("INSERT INTO t VALUES (0)")
    wait_for_replay(standby, primary.wal_position())
    standby.execute("CHECKPOINT")
    recorder.write("position_before_stop.txt", standby.wal_position() + "\n")
    standby.stop()
    recorder.control("shut_down_in_recovery", standby)
    end = end_of(standby)
    recorder.say("pg_waldump_no_record.txt", standby, "pg_waldump", *_from(standby, end))
    standby.start()
    recorder.write("server_log_of_standby.txt", standby.log_text())


def _from(server: Server, position: str) -> Words:
    return ["--path", server.data_directory / "pg_wal", "--limit", "1", "--start", position]


def _promoted(recorder: Recorder, primary: Server, standby: Server) -> None:
    """Promote the standby, and rewind what the former primary has written since."""
    standby.promote()
    recorder.write("history", _history(standby))
    recorder.write("timeline_history.txt", _replication(standby, "TIMELINE_HISTORY 2"))
    recorder.write("identify_system_on_timeline_2.txt", _replication(standby, "IDENTIFY_SYSTEM"))
    primary.execute("INSERT INTO t SELECT g FROM generate_series(1, 100) g; CHECKPOINT")
    recorder.write("position_of_rival.txt", primary.wal_position() + "\n")
    primary.stop()
    recorder.control("shut_down", primary)
    standby.execute("CHECKPOINT")
    words: Words = ["--target-pgdata", primary.data_directory, "--no-ensure-shutdown", "--progress"]
    words += ["--source-server", standby.conninfo(dbname="postgres")]
    aside = primary.machine.home / "aside"
    pg_wal = primary.data_directory / "pg_wal"
    primary.machine.run(["sh", "-c", f"mkdir {aside} && mv {pg_wal}/0* {aside}"])
    recorder.say("pg_rewind_missing_wal.txt", primary, "pg_rewind", *words)
    primary.machine.run(["sh", "-c", f"mv {aside}/* {pg_wal}"])
    recorder.say("pg_rewind.txt", primary, "pg_rewind", *words)
    recorder.control("rewound", primary)
    recorder.file("backup_label_of_pg_rewind", primary, "backup_label")


def _history(server: Server) -> str:
    file = server.data_directory / "pg_wal" / "00000002.history"
    return server.machine.path(file).read_text()


def _crashed(recorder: Recorder, server: Server) -> None:
    """Make a server crash in recovery: a directory is in the place of a file that it opens."""
    server.execute("CREATE TABLE gone AS SELECT g FROM generate_series(1, 1000) g; CHECKPOINT")
    ((path,),) = server.sql("SELECT pg_relation_filepath('gone')")
    server.execute("UPDATE gone SET g = 0")
    recorder.write("position_before_crash.txt", server.wal_position() + "\n")
    server.kill()
    recorder.control("killed_in_production", server)
    server.machine.run(["rm", server.data_directory / path])
    server.machine.run(["mkdir", server.data_directory / path])
    pg_ctl = [server.installation.program("pg_ctl"), "-w", *_in(server), "-l", server.log_file]
    server.machine.run([*pg_ctl, "start"], check=False)
    recorder.control("in_crash_recovery", server)


if __name__ == "__main__":
    with Workspace() as made:
        for word in sys.argv[1:]:
            record(made, int(word))
