"""Every finding occurs where it should, and none occurs in a healthy cluster."""

from dataclasses import replace

import build
import pytest

from pgpool_recovery.check.finding import Finding, Kind, Severity, as_json, in_order
from pgpool_recovery.check.host import EXTENSION_VERSION
from pgpool_recovery.check.judge import judge
from pgpool_recovery.check.question import PoolFacts
from pgpool_recovery.check.report import ExtensionFacts, Report, RoleFacts
from pgpool_recovery.check.trap import KINDS
from pgpool_recovery.domain.standby import Fault, Trouble
from pgpool_recovery.domain.wal import History, Lsn, Point, TimelineId
from pgpool_recovery.facts.access import Access, Lacks, Obstacle
from pgpool_recovery.facts.archived_history import Archive, ArchivedHistory
from pgpool_recovery.facts.facts import Filesystem, Login, Slot, Stream
from pgpool_recovery.facts.leftover import LeftFiles, Leftover
from pgpool_recovery.facts.node import Archiver, Confinement, NodeFacts, Problem, StageScript
from pgpool_recovery.facts.own_method import OwnMethod
from pgpool_recovery.facts.pace import Pace
from pgpool_recovery.facts.policy import CopySource, Method, Policy
from pgpool_recovery.postgres.extension import ForeignOwner
from tests.unit.check.situation import (
    around,
    node,
    peer,
    report,
    server,
    with_node,
    with_pool,
    with_server,
    with_setting,
    with_surroundings,
    with_target,
)
from tests.unit.plan.situation import GB, control, place

REFUSED_LOGIN = Login(
    {"host": "server0", "port": "5432", "user": "repl"}, None, "no password supplied"
)
NO_LOGIN = peer(logins=(REFUSED_LOGIN,))
NO_SQL = peer(sql_logins=(REFUSED_LOGIN,))
UNTRIED = peer(logins=(), sql_logins=(), untried=Problem("nothing proves it"))
UNREACHED = {
    2: Problem("could not log in to node 2 by ssh", "Permission denied.", "Give it a key.")
}


def with_slot(number: int, **changes: object) -> Report:
    """Return the healthy report with one more slot on a server."""
    healthy = Slot("x", is_physical=True, is_active=False, wal_status="reserved", kept_bytes=5 * GB)
    return with_surroundings(number, server=server(slots=(replace(healthy, **changes),)))  # type: ignore[arg-type]


PAUSED = Trouble(Fault.PAUSED, "has paused its replay")
FROM_NODE_2 = Policy(source=CopySource("2"))
AWAY = Slot(
    "pgpool_node_3", is_physical=True, is_active=False, wal_status="reserved", kept_bytes=5 * GB
)
FAILOVER = Slot(
    "sub",
    is_physical=False,
    is_active=True,
    wal_status="reserved",
    kept_bytes=0,
    is_failover=True,
)


def with_primary_slots(*slots: Slot, **settings: str) -> Report:
    """Return the healthy report with more slots on the primary, and settings there."""
    made = with_surroundings(0, server=with_setting(server(), **settings))
    primary = made.primary
    return replace(made, primary=replace(primary, slots=(*primary.slots, *slots)))


CONFINED = Confinement("postgresql_t", may_run_ssh=False)


def with_confinement(number: int, confinement: Confinement) -> Report:
    """Return the healthy report with a server that SELinux confines."""
    return with_node(number, lambda old: replace(old, confinement=confinement))


def with_method(number: int, problem: str | None, **changes: object) -> Report:
    """Return the healthy report with a command of the settings that a node cannot run."""
    method = OwnMethod("barman", ("/usr/local/bin/barman", "{node}"), problem=problem)

    def change(old: NodeFacts) -> NodeFacts:
        return replace(old, facts=replace(old.facts, own_methods=(method,)))

    return replace(with_node(number, change), **changes)  # type: ignore[arg-type]


def without_slots() -> Report:
    made = report()
    return replace(made, primary=replace(made.primary, slots=()))


def without_standbys() -> Report:
    made = report()
    return replace(made, nodes={0: made.nodes[0]}, unreached=UNREACHED)


def of_17() -> Report:
    return with_surroundings(1, server=with_setting(server(version=170002), summarize_wal="off"))


def of_role(**changes: bool) -> Report:
    role = RoleFacts("pgpool", exists=True, is_superuser=False, can_login=True)
    made = replace(report(), role=replace(role, **changes))  # type: ignore[arg-type]
    extensions = (ExtensionFacts("template1", "2.0", may_call=False),)
    return replace(made, extensions=extensions)


def in_databases(version: str | None, **versions: str | None) -> Report:
    made = report() if version is None else with_pool(pgpool_version=version)
    found = (ExtensionFacts(name, has, may_call=True) for name, has in versions.items())
    return replace(made, extensions=tuple(found))


def of_owner(owner: ForeignOwner) -> Report:
    one = ExtensionFacts(owner.database, "2.0", may_call=True, foreign=owner)
    return replace(report(), extensions=(one,))


def with_trouble(fault: Fault, what: str, detail: str | None = None) -> Report:
    return with_node(1, lambda one: replace(one, trouble=Trouble(fault, what, detail, "Mend it.")))


def with_archiver(number: int, failing: str | None, *waiting: str) -> Report:
    """Return the healthy report with a server that archives, and what it fails to archive."""
    return with_surroundings(number, server=server(archiver=Archiver(failing, 7, waiting)))


def with_archive(number: int, archive: Archive, command: str = "cp /a/%f %p") -> Report:
    """Return the healthy report with a restore_command of one node, and what it returned."""

    def change(old: NodeFacts) -> NodeFacts:
        own = old.facts.target.configuration
        assert own is not None
        own = replace(own, values=own.values | {"restore_command": command})
        target = replace(old.facts.target, configuration=own)
        return replace(old, facts=replace(old.facts, target=target, archive=archive))

    return with_node(number, change)


STRAY = ArchivedHistory(
    TimelineId(2), History(TimelineId(2), (Point(TimelineId(1), Lsn(0x3000060)),)), "no reason"
)
FULL = place(filesystem=Filesystem(device=1, free_bytes=5 * GB))
HOPELESS = place(filesystem=Filesystem(device=1, free_bytes=2 * GB), size_bytes=GB)
BARE = control(state="in archive recovery", has_wal_log_hints=False)

ROOTS = Obstacle("/data/log/old.log", Lacks.READING, "root", "0600", is_ours=False)
OF_ROOT = Access(host="server2", user="postgres", obstacles=(ROOTS,))

TARGET_TIME = Leftover("recovery_target_time", "2026", "/data/postgresql.auto.conf:3")


def with_configuration(number: int, *left: Leftover, trigger_file: str | None = None) -> Report:
    """Return the healthy report with settings that one node would start with."""
    own = node(number).facts.target.configuration
    assert own is not None
    return with_target(
        number, configuration=replace(own, leftovers=left, trigger_file=trigger_file)
    )


def beside_samples(number: int, place: str, follow: str = "/etc/follow_primary.sh %d %h") -> Report:
    """Return three nodes whose Pgpool-II calls a script that is not ours."""

    def change(old: NodeFacts) -> NodeFacts:
        own = old.facts.target.configuration
        assert own is not None
        target = replace(old.facts.target, configuration=replace(own, conninfo_place=place))
        return replace(old, facts=replace(old.facts, target=target))

    made = with_node(number, change)
    pool = PoolFacts({"follow_primary_command": follow})
    return replace(made, question=replace(made.question, pool=pool))


CASES: dict[Kind, tuple[Report, list[int | None], str]] = {
    Kind.REFUSED: (
        with_target(1, bin_directory=None),
        [1],
        "a recovery of node 1 would be refused: node 1 does not have the programs of PostgreSQL 15",
    ),
    Kind.OLD_DATA_GOES: (
        with_target(1, data=FULL),
        [1],
        (
            "a full copy of node 1 would remove the old data before it copies: it needs about 12 "
            "GB on the filesystem of /var/lib/pgsql/15/data, where 5120 MB is free, and 10 GB "
            "more will be"
        ),
    ),
    Kind.NO_PRIMARY: (
        replace(report(), primary_place=None),
        [None],
        "none of the nodes is the server on which the check was called",
    ),
    Kind.NO_STANDBY: (
        without_standbys(),
        [0],
        "node 0 is the primary, and there is no standby that could take over",
    ),
    Kind.NOT_REACHED: (
        replace(report(), nodes={0: node(0), 1: node(1)}, unreached=UNREACHED),
        [2],
        "could not log in to node 2 by ssh: Permission denied",
    ),
    Kind.AGENT_VERSION: (
        with_node(1, lambda old: replace(old, agent_version="1.9")),
        [1],
        "pgpool-recovery of node 1 is version 1.9, but that of the primary is 2.0.0",
    ),
    Kind.SETTINGS_FILE: (
        with_surroundings(2, settings_problem="settings file /etc/x has 1 error: unknown"),
        [2],
        "on node 2: settings file /etc/x has 1 error: unknown",
    ),
    Kind.NO_SSH: (
        with_node(
            1,
            lambda old: replace(
                old, peers=old.peers | {2: peer(problem=Problem("no", "Permission denied."))}
            ),
        ),
        [1],
        (
            "node 1 cannot start an agent on node 2, so node 2 could not be recovered if node 1 "
            "were the primary: Permission denied"
        ),
    ),
    Kind.HOST_KEYS: (
        replace(report(), checks_host_keys=False),
        [None],
        (
            "check_host_keys is false in the settings, so any host that answers in place of a "
            "node is trusted, unless ssh_config forbids it"
        ),
    ),
    Kind.NO_REPLICATION_LOGIN: (
        with_node(1, lambda old: replace(old, peers=old.peers | {2: NO_LOGIN})),
        [1],
        (
            "node 1 cannot open a replication connection to node 2, so it could not be recovered "
            "if node 2 were the primary: no password supplied"
        ),
    ),
    Kind.NO_REWIND_LOGIN: (
        with_node(1, lambda old: replace(old, peers=old.peers | {2: NO_SQL})),
        [1],
        (
            "node 1 cannot open the SQL connection to node 2 that pg_rewind needs: no password "
            "supplied"
        ),
    ),
    Kind.LOGIN_NOT_TRIED: (
        with_node(1, lambda old: replace(old, peers=old.peers | {2: UNTRIED})),
        [1],
        "node 1 did not try to log in to node 2: nothing proves it",
    ),
    Kind.CONNECTIONS_NOT_TRIED: (
        with_node(1, lambda old: replace(old, peers={})),
        [1],
        "there was no time left for node 1 to try its connections to node 0, node 2",
    ),
    Kind.NO_OWN_LOGIN: (
        with_surroundings(1, server=None, server_problem="no pg_hba.conf entry."),
        [1],
        "the stage commands of node 1 cannot log in to its own server: no pg_hba.conf entry",
    ),
    Kind.DOWN: (
        with_node(
            1,
            lambda old: replace(
                old,
                surroundings=around(server=None),
                facts=replace(old.facts, target=replace(old.facts.target, server_pid=None)),
            ),
        ),
        [1],
        "the server of node 1 is not running",
    ),
    Kind.NOT_STREAMING: (
        with_target(2, is_standby=False),
        [2],
        "node 2 is running but is not known to stream from the primary",
    ),
    Kind.SECOND_PRIMARY: (
        with_trouble(Fault.PRIMARY, "accepts writes alongside the primary"),
        [1],
        "node 1 accepts writes alongside the primary",
    ),
    Kind.OTHER_DATA: (
        with_trouble(Fault.AHEAD, "has replayed what the primary does not have", "It has been."),
        [1],
        "node 1 has replayed what the primary does not have: It has been",
    ),
    Kind.RECOVERY_TARGET: (
        with_trouble(Fault.TARGET, "has a recovery target (recovery_target_time)"),
        [1],
        "node 1 has a recovery target (recovery_target_time)",
    ),
    Kind.REPLAY_PAUSED: (
        with_trouble(Fault.PAUSED, "does not replay: it is paused"),
        [1],
        "node 1 does not replay: it is paused",
    ),
    Kind.SLOT_TAKEN: (
        with_trouble(Fault.SLOT_TAKEN, "does not stream from the primary"),
        [1],
        "node 1 does not stream from the primary",
    ),
    Kind.SCRIPT: (
        with_surroundings(
            1, scripts=(StageScript("pgpool_remote_start", "it does not exist", None),)
        ),
        [1],
        (
            "stage script /var/lib/pgsql/15/data/pgpool_remote_start of node 1 cannot run: it does "
            "not exist"
        ),
    ),
    Kind.SCRIPT_VERSION: (
        with_surroundings(1, scripts=(StageScript("recovery_1st_stage", None, "1.9"),)),
        [1],
        (
            "stage script /var/lib/pgsql/15/data/recovery_1st_stage of node 1 is version 1.9, "
            "but the primary has 2.0.0"
        ),
    ),
    Kind.FOREIGN_SCRIPT: (
        with_surroundings(1, scripts=(StageScript("recovery_1st_stage", None, None),)),
        [1],
        (
            "stage script /var/lib/pgsql/15/data/recovery_1st_stage of node 1 is not "
            "pgpool-recovery's"
        ),
    ),
    Kind.WRITTEN_IN_VAIN: (
        beside_samples(2, "/var/lib/pgsql/15/data/postgresql.auto.conf:5"),
        [2],
        (
            "primary_conninfo of node 2 is set in postgresql.auto.conf and overrides whatever "
            "follow_primary_command, which is not pgpool-recovery's, writes elsewhere: after a "
            "failover a standby would keep following the server that is gone"
        ),
    ),
    Kind.NO_PYTHON: (
        with_surroundings(2, server=server(has_python=False)),
        [2],
        "node 2 has no PL/Python, so no recovery can be called there",
    ),
    Kind.EXTENSION_FILES: (
        with_surroundings(2, server=server(extension="1.4")),
        [2],
        (
            "the files of extension pgpool_recovery 2.0 are not on node 2, which has those of 1.4; "
            "CREATE EXTENSION and an update need them there once it is the primary"
        ),
    ),
    Kind.NO_EXTENSION: (
        in_databases(None, template1=None, postgres=None),
        [0, 0],
        "database template1, where Pgpool-II calls it, has no extension pgpool_recovery",
    ),
    Kind.EXTENSION_NOT_SEEN: (
        replace(
            with_pool(pgpool_version="4.3.5"),
            extensions=(ExtensionFacts("template1", None, may_call=True, problem="no login"),),
        ),
        [0],
        (
            "it is not known whether database template1, where Pgpool-II 4.3.5 calls it, has the "
            "extension pgpool_recovery: no login"
        ),
    ),
    Kind.EXTENSION_ELSEWHERE: (
        in_databases("4.3.5", template1=None, postgres="2.0"),
        [0],
        (
            "database template1, where Pgpool-II 4.3.5 calls it, has no extension "
            "pgpool_recovery; it is in postgres"
        ),
    ),
    Kind.FOREIGN_OWNER: (
        of_owner(ForeignOwner("template1", "schema", "public", "app")),
        [0],
        (
            "schema public of database template1 belongs to app, who is not a superuser, so our "
            "sessions do not use the extension pgpool_recovery there; Pgpool-II's own call names "
            "no schema, so the owner decides which function it calls"
        ),
    ),
    Kind.OLD_EXTENSION: (
        in_databases("4.7.1", template1=None, postgres="1.4"),
        [0],
        "extension pgpool_recovery in database postgres has version 1.4, not 2.0",
    ),
    Kind.NOEXEC: (
        with_surroundings(0, is_noexec=True),
        [0],
        (
            "the filesystem of /var/lib/pgsql/15/data of node 0 is mounted with the option "
            "noexec, so no stage script can run there"
        ),
    ),
    Kind.OWN_METHOD: (
        with_method(1, "No such file or directory."),
        [1],
        (
            "method barman of the settings cannot make the data of node 1, because "
            "/usr/local/bin/barman cannot be run there (No such file or directory)"
        ),
    ),
    Kind.CONFINED: (
        with_confinement(2, CONFINED),
        [2],
        (
            "the server of node 2 is confined by SELinux (postgresql_t), which does not let it run "
            "ssh, so it could not recover a node on another host"
        ),
    ),
    Kind.PASSWORD_FILE: (
        with_surroundings(1, open_password_file="/home/p/.pgpass (mode 0644)"),
        [1],
        (
            "password file /home/p/.pgpass (mode 0644) of node 1 is open to others, so libpq "
            "does not read it"
        ),
    ),
    Kind.FILES: (
        with_target(1, access=OF_ROOT),
        [1],
        (
            "a recovery that replaces the data of node 1 would be refused: /data/log/old.log of "
            "node 1 cannot be read (/data/log/old.log belongs to root, with mode 0600. The node "
            "keeps its own files, so they must be readable)"
        ),
    ),
    Kind.NO_HINTS: (
        with_target(2, control=BARE),
        [2],
        (
            "node 2 has neither data checksums nor wal_log_hints, so pg_rewind cannot bring it "
            "back once it has diverged"
        ),
    ),
    Kind.MINOR_RELEASE: (
        with_surroundings(1, server=server(version=150016, is_in_recovery=True)),
        [1],
        (
            "node 1 runs PostgreSQL 15.16, but the primary runs 15.7; a standby may fail on WAL "
            "of another minor release"
        ),
    ),
    Kind.NO_SUMMARIES: (
        of_17(),
        [1],
        "summarize_wal is off on node 1, so incremental cannot bring back a node without WAL",
    ),
    Kind.WAL_LEVEL: (
        with_server(2, wal_level="minimal"),
        [2],
        'wal_level of node 2 is "minimal", so no standby can follow it',
    ),
    Kind.WAL_SENDERS: (
        with_server(2, max_wal_senders="2"),
        [2],
        "max_wal_senders of node 2 is 2; as the primary it needs 3, 2 of them for a full copy",
    ),
    Kind.SHUTDOWN_TIMEOUT: (
        with_server(2, wal_sender_shutdown_timeout="9999"),
        [2],
        (
            "wal_sender_shutdown_timeout of node 2 is 9999 ms; as the primary it might stop before "
            "a standby has everything, so a switchover would be refused"
        ),
    ),
    Kind.REPLICATION_SLOTS: (
        with_server(2, max_replication_slots="1"),
        [2],
        (
            "max_replication_slots of node 2 is 1; as the primary it needs one for each of the 2 "
            "other nodes"
        ),
    ),
    Kind.LEFT_SETTING: (
        with_configuration(0, TARGET_TIME),
        [0],
        (
            "node 0 has recovery_target_time = '2026' from /data/postgresql.auto.conf:3, with "
            "which it would not be a standby of the primary"
        ),
    ),
    Kind.KEPT_SETTING: (
        with_configuration(2, Leftover("archive_cleanup_command", "", "/data/postgresql.conf:9")),
        [2],
        "node 2 has archive_cleanup_command from /data/postgresql.conf:9",
    ),
    Kind.LEFT_MARK: (
        with_target(1, left_files=LeftFiles(marks=("patroni.dynamic.json",))),
        [1],
        "node 1 has patroni.dynamic.json, but whatever created it no longer manages the node",
    ),
    Kind.NO_WAL_KEPT: (
        without_slots(),
        [1, 2],
        (
            "nothing keeps the WAL that node 1 needs after it has been down for a while: it has "
            "no replication slot, and wal_keep_size is 0"
        ),
    ),
    Kind.ORPHANED_SLOT: (
        with_slot(0),
        [0],
        (
            "replication slot x of node 0 is not in use, belongs to none of the nodes, and keeps "
            "5120 MB of WAL"
        ),
    ),
    Kind.LAGGING_SLOT: (
        with_slot(0, is_active=True),
        [0],
        "replication slot x of node 0 lags and keeps 5120 MB of WAL, more than max_wal_size",
    ),
    Kind.LOST_SLOT: (
        with_slot(0, wal_status="lost"),
        [0],
        'replication slot x of node 0 has lost WAL that it should keep (wal_status "lost")',
    ),
    Kind.SOURCE: (
        replace(with_target(2, server_pid=None), policy=FROM_NODE_2),
        [2],
        "full copies and deltas are to be read from node 2, but its server is not running",
    ),
    Kind.STRAY_HISTORY: (
        with_archive(1, Archive((STRAY,), 0.1)),
        [1],
        (
            "the archive of node 1 has 00000002.history, which is not the primary's: once the "
            "stream of node 1 breaks, it does not stream again (It leads from timeline 1 (left at "
            '0/3000060) to timeline 2 ("no reason"); the primary is on timeline 1. Another server '
            "was promoted and archives to the same place; a server that reads the file follows "
            "that server or does not start)"
        ),
    ),
    Kind.HISTORY_NOT_ARCHIVED: (
        with_archiver(0, "00000002.history", "00000002.history"),
        [0],
        (
            "the archiver of node 0 cannot archive 00000002.history, the history of its own "
            "timeline; it has failed 7 times"
        ),
    ),
    Kind.ARCHIVER_FAILS: (
        with_archiver(0, "000000010000000000000007"),
        [0],
        "the archiver of node 0 fails at 000000010000000000000007; it has failed 7 times",
    ),
    Kind.SLOW_RESTORE_COMMAND: (
        with_archive(2, Archive((), 10.02, is_silent=True), "ssh x cat /a/%f > %p"),
        [2],
        (
            "restore_command of node 2 did not end within 10 s when it was asked for a history "
            "file; a promotion of node 2 calls it up to 5 times before it accepts writes, which "
            "takes more than 50 s"
        ),
    ),
    Kind.UNLIMITED_RESTORE_COMMAND: (
        with_archive(2, Archive((), 0.3), "pgbackrest --stanza=main archive-get %f %p"),
        [2],
        (
            "restore_command of node 2 calls another host (pgbackrest) without a time limit; a "
            "promotion of node 2 calls it up to 5 times before it accepts writes, now 0.3 s "
            "each, and waits minutes for a host that does not answer, until TCP gives up"
        ),
    ),
    Kind.IDLE_SLOT: (
        with_primary_slots(AWAY, idle_replication_slot_timeout="3600"),
        [0],
        (
            "replication slot pgpool_node_3 of node 0 is not in use: the first checkpoint 3600 s "
            "after its node left invalidates it (idle_replication_slot_timeout), and the 5120 MB "
            "of WAL that it keeps are removed"
        ),
    ),
    Kind.FAILOVER_SLOT: (
        with_primary_slots(FAILOVER),
        [1, 2],
        (
            "failover slot sub would be lost by a failover to node 1: sync_replication_slots is "
            "off there"
        ),
    ),
    Kind.AWAITED_SLOT: (
        with_primary_slots(AWAY, synchronized_standby_slots="pgpool_node_1, pgpool_node_3"),
        [0],
        (
            "synchronized_standby_slots of node 0 names replication slot pgpool_node_3, which is "
            "not in use: logical decoding of failover slots waits for it, so their "
            "subscribers receive nothing and WAL is kept"
        ),
    ),
    Kind.STAGE_COMMAND: (
        with_pool(recovery_1st_stage_command="/etc/stage"),
        [None],
        (
            'recovery_1st_stage_command is "/etc/stage", which is not a path inside the data '
            "directory"
        ),
    ),
    Kind.RECOVERY_TIMEOUT: (
        with_pool(recovery_timeout="0"),
        [None],
        "recovery_timeout is 0, so Pgpool-II hardly waits for a recovered node",
    ),
    Kind.RECOVERY_USER: (
        of_role(),
        [0],
        (
            "recovery_user pgpool is not a superuser and may not call pgpool_recovery in database "
            "template1"
        ),
    ),
    Kind.HOLDS_FAILOVERS_UP: (
        in_databases("4.4.2", template1="2.0"),
        [None],
        (
            "while Pgpool-II 4.4.2 runs a recovery itself, as with pcp_recovery_node, it may not "
            "handle a failure of another node until that has ended"
        ),
    ),
}

FORECASTS = [
    (
        "after a failover to node 1, node 0 would come back by rewind, about 1024 MB in about 11 "
        "s (the link: 95 MB/s); without its data by basebackup, about 10 GB in about 2 min (the "
        "link: 95 MB/s)"
    ),
    (
        "node 1 would come back by catch-up, about 800 MB in about 10 s (the link: 95 MB/s); "
        "without its data by basebackup, about 10 GB in about 2 min (the link: 95 MB/s)"
    ),
    (
        "node 2 would come back by catch-up, about 800 MB in about 10 s (the link: 95 MB/s); "
        "without its data by basebackup, about 10 GB in about 2 min (the link: 95 MB/s)"
    ),
]


def found(made: Report, kind: Kind) -> list[Finding]:
    return [finding for finding in judge(made) if finding.kind is kind]


def test_healthy_nodes_have_a_forecast_each_and_nothing_else() -> None:
    assert [(one.kind, one.node_id) for one in judge(report())] == [
        (Kind.FORECAST, number) for number in range(3)
    ]
    assert [one.fact for one in judge(report())] == FORECASTS


def test_scripts_that_write_where_it_counts_are_no_finding() -> None:
    auto, samples = "/data/postgresql.auto.conf:5", "/data/myrecovery.conf:1"
    assert found(beside_samples(2, samples), Kind.WRITTEN_IN_VAIN) == []
    ours = "/usr/local/bin/pgpool-recovery follow_primary %d"
    assert found(beside_samples(2, auto, ours), Kind.WRITTEN_IN_VAIN) == []
    assert found(beside_samples(2, auto, ""), Kind.WRITTEN_IN_VAIN) == []


def test_standby_that_follows_another_node_is_said_to() -> None:
    made = CASES[Kind.NOT_STREAMING][0]
    [node_id] = CASES[Kind.NOT_STREAMING][1]
    assert node_id is not None

    def led(host: str) -> Report:
        node = made.nodes[node_id]
        own = node.facts.target.configuration
        assert own is not None
        own = replace(own, primary_conninfo={"host": host, "port": "5432"}, conninfo_place="/x:1")
        target = replace(node.facts.target, configuration=own)
        changed = replace(node, facts=replace(node.facts, target=target))
        return replace(made, nodes={**made.nodes, node_id: changed})

    other = next(n for n in made.question.nodes if n.node_id not in (0, node_id))
    [finding] = found(led(other.host), Kind.NOT_STREAMING)
    assert f"its primary_conninfo points to {other.name}, in /x:1" in finding.fact
    assert f"pgpool-recovery recover {node_id}" in str(finding.advice)
    [finding] = found(led(made.question.nodes[0].host), Kind.NOT_STREAMING)
    assert "primary_conninfo" not in finding.fact


def test_script_of_ones_own_is_not_to_be_replaced() -> None:
    """What keeps it from running is named with its fix, and ours only as an alternative."""
    for problem, cure in (
        ("it does not belong to the user of the server", "as root: chown root "),
        ("it can be written by others", ": chmod go-w "),
        ("it is not executable", ": chmod u+x "),
        ("it can be replaced by others", "every directory and link"),
        ("it is not a regular file", "Check it on"),
    ):
        made = with_surroundings(1, scripts=(StageScript("recovery_1st_stage", problem, None),))
        [finding] = found(made, Kind.SCRIPT)
        assert finding.advice is not None
        assert cure in finding.advice
        own, _, ours = finding.advice.partition("If it is not meant to be your own: ")
        assert "install" not in own
        assert "pgpool-recovery install" in ours
    ours_itself = StageScript("recovery_1st_stage", "it is not executable", "2.0")
    [finding] = found(with_surroundings(1, scripts=(ours_itself,)), Kind.SCRIPT)
    assert "your own" not in str(finding.advice)


def test_every_kind_has_its_case() -> None:
    """Except the traps of Pgpool-II, which this report does not show (test_trap.py)."""
    assert set(CASES) == set(Kind) - {Kind.FORECAST} - KINDS


@pytest.mark.parametrize("kind", CASES, ids=lambda kind: kind.title)
def test_finding_occurs_for_its_nodes_with_its_fact(kind: Kind) -> None:
    made, nodes, fact = CASES[kind]
    ours = found(made, kind)
    assert [one.node_id for one in ours] == nodes
    assert ours[0].fact == fact
    assert ours[0].advice


@pytest.mark.parametrize("kind", CASES, ids=lambda kind: kind.title)
def test_facts_are_in_postgresqls_style_and_advice_is_a_sentence_or_a_command(kind: Kind) -> None:
    for one in found(CASES[kind][0], kind):
        assert not one.fact.endswith(".")
        assert one.fact[0].islower() or one.fact.startswith("extension")
        assert one.advice is None or one.advice[0].isupper()


def test_another_major_is_no_minor_release() -> None:
    """And the primary is not one of its own standbys, whatever it says now."""
    other = with_surroundings(1, server=server(version=160007))
    assert found(other, Kind.MINOR_RELEASE) == []
    assert found(with_surroundings(0, server=server(version=150016)), Kind.MINOR_RELEASE) == []


@pytest.mark.parametrize(
    "confinement",
    [
        replace(CONFINED, may_run_ssh=True),
        replace(CONFINED, may_run_ssh=None),
        replace(CONFINED, domain="unconfined_service_t"),
    ],
)
def test_server_that_may_run_ssh_or_is_not_confined_is_no_finding(confinement: Confinement) -> None:
    assert judge(with_confinement(1, confinement)) == judge(report())


def test_confined_server_needs_no_ssh_to_nodes_on_its_host() -> None:
    made = with_confinement(1, CONFINED)
    nodes = tuple(replace(one, host="server1") for one in made.question.nodes)
    alone = replace(made, question=replace(made.question, nodes=nodes))
    assert Kind.CONFINED not in {finding.kind for finding in judge(alone)}


def test_archives_that_work_are_no_findings() -> None:
    quick = Archive((), 0.3)
    for made in (
        with_archiver(0, None),
        with_archive(1, quick),
        with_archive(1, quick, "timeout 10 scp a:%f %p"),
        with_archive(1, quick, "pgbackrest --stanza=a --protocol-timeout=10 archive-get %f %p"),
    ):
        assert {one.kind for one in judge(made)} == {Kind.FORECAST}


def test_history_that_only_waits_is_not_archived_either() -> None:
    made = with_archiver(0, None, "00000003.history")
    [one] = found(made, Kind.HISTORY_NOT_ARCHIVED)
    assert "00000003.history" in one.fact


def test_slow_restore_command_has_its_time_told() -> None:
    [one] = found(with_archive(1, Archive((), 3.0)), Kind.SLOW_RESTORE_COMMAND)
    assert "took 3.0 s when" in one.fact
    assert one.fact.endswith("before it accepts writes, which takes 15 s")
    [one] = found(with_archive(1, Archive((), 30.0)), Kind.SLOW_RESTORE_COMMAND)
    assert one.fact.endswith("which takes 2 min 30 s")


def test_stray_history_refuses_the_next_recovery_as_well() -> None:
    made = with_archive(1, Archive((STRAY,), 0.1))
    [one] = found(made, Kind.REFUSED)
    assert "a recovery of node 1 would be refused: the archive of node 1 has" in one.fact


SYNCED = replace(FAILOVER, is_active=False, is_synced=True)


def on_standby(*slots: Slot, dbname: str | None = "postgres", **settings: str) -> list[str]:
    """Return why a failover to node 1 would lose the slot, with these slots and settings there."""
    settings = {"sync_replication_slots": "on", "hot_standby_feedback": "on"} | settings
    standby = with_setting(server(is_in_recovery=True, slots=slots), **settings)
    made, one = with_primary_slots(FAILOVER), node(1)
    own = one.facts.target.configuration
    assert own is not None
    words = {} if dbname is None else {"dbname": dbname}
    target = replace(one.facts.target, configuration=replace(own, primary_conninfo=words))
    changed = replace(
        one,
        surroundings=around(server=standby),
        facts=replace(one.facts, target=target),
    )
    made = replace(made, nodes=made.nodes | {1: changed, 2: node(0)})
    facts = [one.fact for one in found(made, Kind.FAILOVER_SLOT) if one.node_id == 1]
    return [fact.partition(": ")[2] for fact in facts]


@pytest.mark.parametrize(
    ("slots", "dbname", "settings", "why"),
    [
        ((SYNCED,), "postgres", {}, []),
        ((), None, {}, ["its primary_conninfo names no database"]),
        ((), "postgres", {"hot_standby_feedback": "off"}, ["hot_standby_feedback is off there"]),
        ((), "postgres", {}, ["it is not synchronised"]),
        ((replace(SYNCED, is_temporary=True),), "postgres", {}, ["it is synchronised but still"]),
        ((replace(SYNCED, is_synced=False),), "postgres", {}, ["the node has a slot of its own"]),
        (
            (replace(SYNCED, wal_status="lost", invalidation_reason="wal_removed"),),
            "postgres",
            {},
            ['it was invalidated there ("wal_removed")'],
        ),
    ],
)
def test_failover_slot_that_a_failover_would_lose(
    slots: tuple[Slot, ...], dbname: str | None, settings: dict[str, str], why: list[str]
) -> None:
    reasons = on_standby(*slots, dbname=dbname, **settings)
    assert len(reasons) == len(why)
    assert all(reason.startswith(begin) for reason, begin in zip(reasons, why, strict=True))


def test_slot_that_a_standby_has_synchronised_is_not_called_an_orphan() -> None:
    made = with_surroundings(1, server=server(is_in_recovery=True, slots=(SYNCED,)))
    assert found(made, Kind.ORPHANED_SLOT) == []


def test_orphan_that_holds_back_vacuum_says_so() -> None:
    end = "of WAL; VACUUM cannot remove rows that are younger than it"
    assert found(with_slot(0, holds_xmin=True), Kind.ORPHANED_SLOT)[0].fact.endswith(end)
    xmin = replace(AWAY, name="x", holds_xmin=True)
    made = with_surroundings(1, server=server(is_in_recovery=True, slots=(xmin,)))
    (one,) = found(made, Kind.ORPHANED_SLOT)
    assert one.fact.endswith(f"{end} on the primary as well")


def test_awaited_slot_that_is_used_or_that_is_not_there() -> None:
    used = with_primary_slots(synchronized_standby_slots="pgpool_node_1")
    assert found(used, Kind.AWAITED_SLOT) == []
    gone = with_primary_slots(synchronized_standby_slots="gone")
    assert "names replication slot gone, which does not exist" in (
        found(gone, Kind.AWAITED_SLOT)[0].fact
    )


@pytest.mark.parametrize(
    ("made", "why"),
    [
        (replace(report(), policy=Policy(source=CopySource("7"))), "which does not exist"),
        (with_node(2, lambda old: replace(old, trouble=PAUSED)), "it has paused its replay"),
        (
            with_target(
                2,
                configuration=replace(
                    node(2).facts.target.configuration,  # type: ignore[type-var]
                    leftovers=(Leftover("recovery_min_apply_delay", "1h", "postgresql.conf:1"),),
                ),
            ),
            "its replay is delayed (recovery_min_apply_delay)",
        ),
        (
            replace(
                report(),
                primary=replace(
                    report().primary,
                    synchronous_standby_names="ANY 1 (*)",
                    streams=(Stream("pgpool_node_2", None, "server2"),),
                ),
            ),
            "it is synchronous, so commits would wait for its disks",
        ),
        (
            replace(report(nodes={0: node(0)}, unreached=UNREACHED)),
            "its host could not be examined",
        ),
    ],
)
def test_source_that_could_not_be_read(made: Report, why: str) -> None:
    policy = made.policy if made.policy.source_node else FROM_NODE_2
    [one] = found(replace(made, policy=policy), Kind.SOURCE)
    assert one.fact.endswith(why)


def test_source_that_needs_no_check() -> None:
    for named in ("primary", "auto", "0", "1"):
        assert found(replace(report(), policy=Policy(source=CopySource(named))), Kind.SOURCE) == []
    down = replace(with_target(0, server_pid=None), policy=Policy(source=CopySource("0")))
    assert found(down, Kind.SOURCE) == [], "the primary is read as without the setting"


@pytest.mark.parametrize(
    "made",
    [
        with_method(1, None),
        with_method(1, "No such file or directory.", policy=Policy(methods=(Method.DELTA,))),
    ],
    ids=["it can be run", "the policy does not use it"],
)
def test_command_of_a_method_that_is_fine_or_not_used_is_no_finding(made: Report) -> None:
    assert Kind.OWN_METHOD not in {finding.kind for finding in judge(made)}


def test_slot_that_was_idle_for_too_long_says_so() -> None:
    (one,) = found(
        with_slot(0, wal_status="lost", invalidation_reason="idle_timeout"), Kind.LOST_SLOT
    )
    assert one.fact.endswith('(wal_status "lost", invalidation_reason "idle_timeout")')
    assert one.advice is not None
    assert one.advice.startswith("Raise idle_replication_slot_timeout. ")


def test_role_that_is_missing_or_may_not_log_in() -> None:
    assert [one.fact for one in found(of_role(exists=False), Kind.RECOVERY_USER)] == [
        "recovery_user pgpool does not exist"
    ]
    assert [one.fact for one in found(of_role(can_login=False), Kind.RECOVERY_USER)] == [
        "recovery_user pgpool may not log in"
    ]
    assert found(of_role(is_superuser=True), Kind.RECOVERY_USER) == []


def test_extension_in_one_of_two_databases_is_enough_while_nobody_knows_the_version() -> None:
    made = judge(in_databases(None, template1=None, postgres="2.0"))
    assert [one for one in made if one.severity is not Severity.OK] == []
    made = judge(in_databases("4.7.0", template1=None, postgres="2.0"))
    assert [one for one in made if one.severity is not Severity.OK] == []


def test_owner_in_a_database_in_which_pgpool_calls_nothing() -> None:
    (one,) = found(of_owner(ForeignOwner("records", "schema", "public", "app")), Kind.FOREIGN_OWNER)
    assert one.fact.endswith("so our sessions do not use the extension pgpool_recovery there")


@pytest.mark.parametrize(
    ("version", "second", "advice"),
    [
        ("4.4.2", "", "pgpool-recovery recover NODE"),
        ("4.4.2", "recovery_2nd_stage", "Install Pgpool-II 4.5 or later."),
        ("4.5.0", "", None),
    ],
)
def test_recovery_by_pgpool_itself(version: str, second: str, advice: str | None) -> None:
    """Clients must be held back during a second stage, so only a newer Pgpool-II helps there."""
    made = with_pool(pgpool_version=version, recovery_2nd_stage_command=second)
    advices = [str(one.advice) for one in found(made, Kind.HOLDS_FAILOVERS_UP)]
    assert len(advices) == (advice is not None)
    assert all(str(advice) in one for one in advices)


def test_extension_where_only_the_record_is_does_not_serve_pgpool() -> None:
    made = in_databases(None, template1=None, postgres=None, records="2.0")
    assert len(found(made, Kind.EXTENSION_ELSEWHERE)) == 2


def test_database_that_cannot_be_entered_says_why() -> None:
    locked = ExtensionFacts("template1", None, may_call=True, problem="it is not accepting.")
    made = replace(with_pool(pgpool_version="4.3.5"), extensions=(locked,))
    [one] = found(made, Kind.EXTENSION_NOT_SEEN)
    assert one.fact.startswith("it is not known whether database template1")
    assert one.fact.endswith("has the extension pgpool_recovery: it is not accepting")
    assert found(made, Kind.NO_EXTENSION) == []


def test_nobody_is_blamed_for_a_node_that_cannot_be_reached_or_does_not_run() -> None:
    """Only the node itself is reported: that the others could not reach it follows from that."""
    blind = {2: peer(problem=Problem("no"), logins=(REFUSED_LOGIN,))}
    nodes = {number: replace(node(number), peers=blind) for number in (0, 1)}
    made = judge(replace(report(), nodes=nodes, unreached=UNREACHED))
    assert [one.kind for one in made if one.severity is Severity.ERROR] == [Kind.NOT_REACHED]
    down = replace(node(2), surroundings=around(server=None))
    nodes = {number: replace(node(number), peers={2: NO_LOGIN}) for number in (0, 1)}
    made = judge(replace(report(), nodes=nodes | {2: down}))
    assert found(replace(report(), nodes=nodes | {2: down}), Kind.NO_REPLICATION_LOGIN) == []
    assert Kind.NO_OWN_LOGIN in [one.kind for one in made]


def test_no_room_at_all_is_refused_only_once() -> None:
    refused = found(with_target(1, data=HOPELESS), Kind.REFUSED)
    assert [one.node_id for one in refused] == [1]
    assert "a recovery of node 1 without its data would be refused: not enough" in refused[0].fact


def test_login_that_is_missing_after_a_failover_is_no_refusal_besides() -> None:
    made = with_node(0, lambda old: replace(old, peers=old.peers | {1: NO_LOGIN}))
    assert found(made, Kind.REFUSED) == []
    assert [one.node_id for one in found(made, Kind.NO_REPLICATION_LOGIN)] == [0]
    assert 0 not in [one.node_id for one in found(made, Kind.FORECAST)]


def test_primary_without_hints_needs_a_comparison_after_a_failover() -> None:
    made = with_target(0, control=control(state="in production", has_wal_log_hints=False))
    told = found(made, Kind.FORECAST)[0].fact
    assert "node 0 would come back by delta (no earlier recovery to judge by); " in told


def test_forecast_is_judged_by_the_recoveries_on_record() -> None:
    """Of the primary, too, which has the record that its successor would go on with."""
    copied = Pace(Method.BASEBACKUP, 2, "server2", "/var/lib/pgsql/15/data", 10 * GB, 500.0, 100.0)
    told = [one.fact for one in found(replace(report(), paces=(copied,)), Kind.FORECAST)]
    assert len(told) == len(FORECASTS)
    took = "by basebackup, about 10 GB in about 10 min (as the last full copy of node 2: 20 MB/s)"
    assert all(took in fact for fact in told), told


def test_forecast_without_a_record_and_a_link_has_no_time() -> None:
    made = with_node(1, lambda old: replace(old, link_bytes_per_s=None))
    (told,) = (one.fact for one in found(made, Kind.FORECAST) if one.node_id == 1)
    assert told == (
        "node 1 would come back by catch-up, about 800 MB; without its data by basebackup, about "
        "10 GB (no earlier recovery to judge by)"
    )


@pytest.mark.parametrize("patience_ms", ["-1", "10000"])
def test_primary_that_waits_for_its_standbys_on_shutdown(patience_ms: str) -> None:
    made = with_server(2, wal_sender_shutdown_timeout=patience_ms)
    assert found(made, Kind.SHUTDOWN_TIMEOUT) == []


def test_worst_comes_first_and_nothing_twice() -> None:
    one, other = Finding(Kind.DOWN, 1, "down"), Finding(Kind.NO_SSH, 2, "no ssh")
    assert in_order([one, other, one]) == (other, one)
    assert as_json([other]) == {
        "version": 1,
        "findings": [
            {
                "severity": "error",
                "node_id": 2,
                "finding": "no ssh",
                "fact": "no ssh",
                "advice": None,
            }
        ],
    }


def test_version_of_the_extension_is_known() -> None:
    assert build.VERSION == EXTENSION_VERSION


LEFT = {
    "recovery_target_timeline": ("current", Kind.LEFT_SETTING),
    "promote_trigger_file": ("/tmp/promote", Kind.LEFT_SETTING),
    "recovery_end_command": ("", Kind.KEPT_SETTING),
    "recovery_min_apply_delay": ("60000ms", Kind.KEPT_SETTING),
}


@pytest.mark.parametrize("name", LEFT)
def test_setting_that_is_none_of_a_standbys(name: str) -> None:
    value, kind = LEFT[name]
    left = Leftover(name, value, "/data/postgresql.conf:9")
    made = with_configuration(1, left, trigger_file="/tmp/promote")
    assert [one.kind for one in judge(made) if one.kind is not Kind.FORECAST] == [kind]
    assert name in str([one.fact for one in judge(made)])


def test_trigger_file_that_is_not_there_is_nothing() -> None:
    made = with_configuration(1, Leftover("promote_trigger_file", "/tmp/promote", "/data/x:9"))
    assert {one.kind for one in judge(made)} == {Kind.FORECAST}


def test_setting_of_a_command_line_also_refuses() -> None:
    left = replace(TARGET_TIME, is_on_command_line=True)
    kinds = [one.kind for one in judge(with_configuration(1, left))]
    assert kinds[:2] == [Kind.REFUSED, Kind.LEFT_SETTING]


def test_recovery_conf_of_old_is_found() -> None:
    made = with_target(1, left_files=LeftFiles(has_recovery_conf=True))
    assert Kind.LEFT_SETTING in {one.kind for one in judge(made)}


def test_file_in_the_way_is_found_on_the_node_and_on_what_would_be_the_primary() -> None:
    made = with_target(1, access=OF_ROOT)
    [one] = found(made, Kind.FILES)
    assert one.node_id == 1
    assert one.advice is not None
    assert "On server2, as root: chown -R postgres /data/log/old.log." in one.advice
    refused = found(made, Kind.REFUSED)
    assert [one.node_id for one in refused] == [0]
    assert "node 0 would be refused: /data/log/old.log of the primary" in refused[0].fact


def test_file_that_cannot_be_written_only_makes_a_full_copy() -> None:
    read_only = Obstacle("/data/base/1", Lacks.CHANGING, "postgres", "0400", is_ours=True)
    made = with_target(1, access=replace(OF_ROOT, obstacles=(ROOTS, read_only)))
    refused, copied = (one.fact for one in found(made, Kind.FILES))
    assert "/data/log/old.log" in refused
    assert "/data/base/1" not in refused
    assert copied.startswith(
        "the data of node 1 could not be changed in place, so a recovery would copy all of it: "
        "/data/base/1 of node 1 cannot be written"
    )


def test_file_in_the_way_on_the_primary_refuses_full_copies() -> None:
    primary = replace(report().primary, access=OF_ROOT)
    nodes = {
        number: replace(node(number), facts=replace(node(number).facts, primary=primary))
        for number in range(3)
    }
    refused = found(replace(report(), primary=primary, nodes=nodes), Kind.REFUSED)
    assert [one.node_id for one in refused] == [1, 2]
    assert all("without its data" in one.fact for one in refused)
