"""Every finding occurs where it should, and in a healthy cluster none does."""

from dataclasses import replace

import build
import pytest

from pgpool_recovery.check.finding import Finding, Kind, Severity, as_json, in_order
from pgpool_recovery.check.host import EXTENSION_VERSION
from pgpool_recovery.check.judge import judge
from pgpool_recovery.check.report import ExtensionFacts, Report, RoleFacts
from pgpool_recovery.check.trap import KINDS
from pgpool_recovery.plan.facts import Filesystem, Login, Slot
from pgpool_recovery.plan.node_facts import Problem, StageScript
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


FULL = place(filesystem=Filesystem(device=1, free_bytes=5 * GB))
HOPELESS = place(filesystem=Filesystem(device=1, free_bytes=0), size_bytes=GB)
BARE = control(state="in archive recovery", has_wal_log_hints=False)

CASES: dict[Kind, tuple[Report, list[int | None], str]] = {
    Kind.REFUSED: (
        with_target(1, bin_directory=None),
        [1],
        "a recovery of node 1 would be refused: node 1 has no programs of PostgreSQL 15",
    ),
    Kind.OLD_DATA_GOES: (
        with_target(1, data=FULL),
        [1],
        (
            "a full copy of node 1 would remove the old data before it copies: it needs about 12 "
            "GB on the filesystem of /var/lib/pgsql/15/data, where 5120 MB are free, and 10 GB "
            "more will be"
        ),
    ),
    Kind.NO_PRIMARY: (
        replace(report(), primary_place=None),
        [None],
        "none of the nodes is the server that was asked",
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
        "pgpool-recovery of node 1 is version 1.9, that of the primary is 2.0.0",
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
            "node 1 cannot start an agent on node 2, so that node 2 could not be recovered if node "
            "1 were the primary: Permission denied"
        ),
    ),
    Kind.HOST_KEYS: (
        replace(report(), checks_host_keys=False),
        [None],
        (
            "check_host_keys is false in the settings, so whoever answers in the place of a node "
            "is trusted, unless ssh_config forbids it"
        ),
    ),
    Kind.NO_REPLICATION_LOGIN: (
        with_node(1, lambda old: replace(old, peers=old.peers | {2: NO_LOGIN})),
        [1],
        (
            "node 1 cannot open a replication connection to node 2, so that it could not be "
            "recovered if node 2 were the primary: no password supplied"
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
        "the server of node 1 does not run",
    ),
    Kind.NOT_STREAMING: (
        with_target(2, is_standby=False),
        [2],
        "node 2 runs and is not known to stream from the primary",
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
            "stage script /var/lib/pgsql/15/data/recovery_1st_stage of node 1 is of version 1.9, "
            "the primary has 2.0.0"
        ),
    ),
    Kind.FOREIGN_SCRIPT: (
        with_surroundings(1, scripts=(StageScript("recovery_1st_stage", None, None),)),
        [1],
        (
            "stage script /var/lib/pgsql/15/data/recovery_1st_stage of node 1 is none of "
            "pgpool-recovery"
        ),
    ),
    Kind.NO_PYTHON: (
        with_surroundings(2, server=server(has_python=False)),
        [2],
        "node 2 has no PL/Python, so that no recovery can be called there",
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
        "database template1, in which Pgpool-II calls it, has no extension pgpool_recovery",
    ),
    Kind.EXTENSION_ELSEWHERE: (
        in_databases("4.3.5", template1=None, postgres="2.0"),
        [0],
        (
            "database template1, in which Pgpool-II 4.3.5 calls it, has no extension "
            "pgpool_recovery; it is in postgres"
        ),
    ),
    Kind.FOREIGN_OWNER: (
        of_owner(ForeignOwner("template1", "schema", "public", "app")),
        [0],
        (
            "schema public of database template1 belongs to app, who is no superuser, so that our "
            "sessions do not use the extension pgpool_recovery there; and the owner decides what "
            "Pgpool-II's own call finds, which names no schema"
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
            "the filesystem of /var/lib/pgsql/15/data of node 0 is mounted with the option noexec, "
            "so that no stage script runs there"
        ),
    ),
    Kind.PASSWORD_FILE: (
        with_surroundings(1, open_password_file="/home/p/.pgpass (mode 0644)"),
        [1],
        (
            "password file /home/p/.pgpass (mode 0644) of node 1 is open to others, so that libpq "
            "does not read it"
        ),
    ),
    Kind.NO_HINTS: (
        with_target(2, control=BARE),
        [2],
        (
            "node 2 has neither data checksums nor wal_log_hints, so that pg_rewind cannot bring "
            "it back when it has diverged"
        ),
    ),
    Kind.NO_SUMMARIES: (
        of_17(),
        [1],
        "summarize_wal is off on node 1, so that a node whose WAL is gone needs a full copy",
    ),
    Kind.WAL_LEVEL: (
        with_server(2, wal_level="minimal"),
        [2],
        'wal_level of node 2 is "minimal", so that no standby can follow it',
    ),
    Kind.WAL_SENDERS: (
        with_server(2, max_wal_senders="2"),
        [2],
        "max_wal_senders of node 2 is 2; as the primary it needs 3, 2 of them for a full copy",
    ),
    Kind.REPLICATION_SLOTS: (
        with_server(2, max_replication_slots="1"),
        [2],
        (
            "max_replication_slots of node 2 is 1; as the primary it needs one for each of the 2 "
            "other nodes"
        ),
    ),
    Kind.NO_WAL_KEPT: (
        without_slots(),
        [1, 2],
        (
            "nothing keeps the WAL that node 1 needs when it has been down for a while: it has no "
            "replication slot, and wal_keep_size is 0"
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
    Kind.STAGE_COMMAND: (
        with_pool(recovery_1st_stage_command="/etc/stage"),
        [None],
        (
            'recovery_1st_stage_command is "/etc/stage", which is not the plain name of a file of '
            "the data directory"
        ),
    ),
    Kind.RECOVERY_TIMEOUT: (
        with_pool(recovery_timeout="0"),
        [None],
        "recovery_timeout is 0, so that Pgpool-II waits for a recovered node hardly at all",
    ),
    Kind.RECOVERY_USER: (
        of_role(),
        [0],
        (
            "recovery_user pgpool is no superuser and may not call pgpool_recovery in database "
            "template1"
        ),
    ),
    Kind.HOLDS_FAILOVERS_UP: (
        in_databases("4.4.2", template1="2.0"),
        [None],
        (
            "while Pgpool-II 4.4.2 runs a recovery itself, as by pcp_recovery_node, it may handle "
            "no failure of another node until that has ended"
        ),
    ),
}

FORECASTS = [
    (
        "after a failover to node 1, node 0 would come back by rewind, about 1024 MB in about 11 "
        "s; without its data by basebackup, about 10 GB in about 2 min"
    ),
    (
        "node 1 would come back by catch-up, about 800 MB in about 10 s; without its data by "
        "basebackup, about 10 GB in about 2 min"
    ),
    (
        "node 2 would come back by catch-up, about 800 MB in about 10 s; without its data by "
        "basebackup, about 10 GB in about 2 min"
    ),
]


def found(made: Report, kind: Kind) -> list[Finding]:
    return [finding for finding in judge(made) if finding.kind is kind]


def test_healthy_nodes_have_a_forecast_each_and_nothing_else() -> None:
    assert [(one.kind, one.node_id) for one in judge(report())] == [
        (Kind.FORECAST, number) for number in range(3)
    ]
    assert [one.fact for one in judge(report())] == FORECASTS


def test_every_kind_has_its_case() -> None:
    """But for the traps of Pgpool-II, which this report does not show (test_trap.py)."""
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
    assert one.fact.endswith("so that our sessions do not use the extension pgpool_recovery there")


@pytest.mark.parametrize(
    ("version", "second", "advice"),
    [
        ("4.4.2", "", "pgpool-recovery recover NODE"),
        ("4.4.2", "recovery_2nd_stage", "Install Pgpool-II 4.5 or later."),
        ("4.5.0", "", None),
    ],
)
def test_recovery_by_pgpool_itself(version: str, second: str, advice: str | None) -> None:
    """Clients have to be held back during a second stage, so there only a newer one helps."""
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
    [one] = found(made, Kind.NO_EXTENSION)
    assert one.fact.endswith("has no extension pgpool_recovery: it is not accepting")


def test_nobody_is_blamed_for_a_node_that_cannot_be_reached_or_does_not_run() -> None:
    """Only the node itself: what the others could not reach there follows from it."""
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


def test_primary_without_hints_needs_a_full_copy_after_a_failover() -> None:
    made = with_target(0, control=control(state="in production", has_wal_log_hints=False))
    assert "node 0 would come back by basebackup, " in found(made, Kind.FORECAST)[0].fact


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
