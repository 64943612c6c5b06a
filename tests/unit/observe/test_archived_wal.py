"""Which archives are tried, how often, and with what their WAL is compared."""

from collections.abc import Mapping
from typing import Any, cast

import pytest

from pgpool_recovery.config.settings import ArchiveSettings, Settings
from pgpool_recovery.domain.record import replace
from pgpool_recovery.domain.wal import Lsn, Point, TimelineId
from pgpool_recovery.facts.archived_history import Archive
from pgpool_recovery.facts.archived_wal import FetchedWal, Origin, WalTrial, WantedWal
from pgpool_recovery.facts.backup import Backup, NoBackup, Repository
from pgpool_recovery.facts.facts import Base, Facts, LocalWal
from pgpool_recovery.facts.own_wal import OwnWal
from pgpool_recovery.facts.policy import Policy
from pgpool_recovery.observe.archived_wal import (
    candidates,
    observe_archived_wal,
    why_not_brought,
)
from pgpool_recovery.plan.from_archive import Gap
from pgpool_recovery.plan.held_wal import gap_before_start
from pgpool_recovery.talk.request.directory import DigestWal
from pgpool_recovery.talk.request.host import AskArchive, TryArchive
from tests.unit.plan.archive import head
from tests.unit.plan.situation import SEGMENT, SYSTEM, TARGET, facts, primary, target, wal
from tests.unit.plan.words import OddWords

COMMAND, OTHER = "cp /archive/%f %p", "fetch %f %p"
OF_SETTINGS = Settings(archive=ArchiveSettings(restore_command=OTHER))
POINT = Point(TimelineId(1), Lsn(1))
REPOSITORY = Repository("main", "F", POINT, POINT, SYSTEM, 1, None)
AT_MOST_THREE = Settings(policy=Policy(workers=3))
"""So that not all files are tried in one round: there are four."""
BACKUP = Backup("/usr/bin/pgbackrest", 1, REPOSITORY, 15, ())


def behind(restore_command: str = COMMAND, **changes: Any) -> Facts:
    """Return a stopped standby in segment 50 whose primary has the WAL from segment 80 on."""
    own = OwnWal(files=("000000010000000000000032",))
    usual = target().configuration
    assert usual is not None
    values = {**usual.values, "restore_command": restore_command}
    node = target(configuration=replace(usual, values=values), own_wal=own)
    return replace(facts(primary=primary(wal=wal(oldest_segment=80)), target=node), **changes)


class Agent:
    """The agent of a node that reaches archives by some commands, and the primary's digests."""

    def __init__(self, *commands: str) -> None:
        self.commands = commands
        self.silent: set[float] = set()
        self.lacking: set[str] = set()
        self.took_s = 0.1
        self.digest = {"node": "same", "archive": "same", "primary": "same"}
        self.asked: list[Any] = []

    def ask(self, request: Any, *, timeout_s: float) -> Any:
        self.asked.append(request)
        match request:
            case TryArchive(command=command, wanted=wanted, timeout_s=within_s):
                assert timeout_s > (request.within_s or len(wanted) * within_s)
                if within_s in self.silent:
                    return WalTrial((), within_s, is_silent=True)
                if command not in self.commands:
                    return WalTrial((FetchedWal(wanted[0].name, None, problem="exit status 1"),))
                return WalTrial(tuple(map(self.fetched, wanted)), self.took_s)
            case DigestWal(parts=parts):
                return tuple(self.digest["node"] for _ in parts)
            case AskArchive():
                return Archive((), 0.1)
        raise AssertionError(request)

    def fetched(self, one: WantedWal) -> FetchedWal:
        if one.name in self.lacking:
            return FetchedWal(one.name, None, problem="exit status 1")
        digests = tuple(self.digest["archive"] for _ in one.parts)
        return FetchedWal(one.name, head(wal(), OddWords(one.name)).hex(), SEGMENT, digests)

    def row(self, query: str, **_: object) -> Mapping[str, str]:
        assert query == "wal_digest"
        return {"digest": self.digest["primary"]}


def observed(
    agent: Agent, given: Facts, settings: Settings = OF_SETTINGS, *, is_patient: bool = True
) -> Facts:
    both = cast("Any", agent)
    return observe_archived_wal(both, both, TARGET, given, settings, is_patient=is_patient)


def test_no_archive_is_tried_for_wal_that_the_primary_has() -> None:
    agent = Agent(COMMAND)
    has_all = replace(behind(), primary=primary(wal=wal(oldest_segment=50)))
    assert observed(agent, has_all).archived_wal == ()
    assert agent.asked == []


def test_first_archive_that_has_the_wal_is_the_last_one_that_is_tried() -> None:
    (only,) = observed(Agent(COMMAND, OTHER), behind()).archived_wal
    assert (only.origin, only.command) == (Origin.OWN, COMMAND)
    first, second = observed(Agent(OTHER), behind()).archived_wal
    assert [first.origin, second.origin] == [Origin.OWN, Origin.SETTINGS]


def test_files_of_both_ends_and_of_the_overlap_are_requested() -> None:
    agent = Agent(COMMAND)
    (found,) = observed(agent, behind(), AT_MOST_THREE).archived_wal
    asked, more = [one for one in agent.asked if isinstance(one, TryArchive)]
    assert [one.name for one in more.wanted] == ["000000010000000000000040"]
    assert [one.name for one in asked.wanted] == [
        "000000010000000000000032",
        "00000001000000000000004F",
        "000000010000000000000050",
    ]
    assert [bool(one.parts) for one in asked.wanted] == [True, False, True]
    assert found.of_node is not None
    assert found.of_primary is not None
    assert (found.of_node.upto, found.of_primary.upto) == (51 * SEGMENT, 81 * SEGMENT)


def test_files_in_between_have_the_time_of_one_call() -> None:
    agent = Agent(COMMAND)
    (found,) = observed(agent, behind(), AT_MOST_THREE).archived_wal
    asked = [one for one in agent.asked if isinstance(one, TryArchive)]
    assert [(one.within_s, one.calls) for one in asked] == [(None, 1), (10.0, 2)]
    assert [file.name for file in found.spread] == [one.name for one in asked[1].wanted]


def test_all_files_that_are_tried_in_one_round_are_requested_together() -> None:
    agent = Agent(COMMAND)
    (found,) = observed(agent, behind(), Settings()).archived_wal
    (asked,) = [one for one in agent.asked if isinstance(one, TryArchive)]
    assert (asked.at_once, len(asked.wanted)) == (4, 4)
    assert found.trial is not None
    tried = [file.name for file in (*found.trial.files, *found.spread)]
    assert tried == [one.name for one in asked.wanted]
    assert [file.name for file in found.spread] == ["000000010000000000000040"]


def test_archive_with_a_hole_leads_to_the_next_one() -> None:
    agent = Agent(COMMAND, OTHER)
    agent.lacking = {"000000010000000000000040"}
    first, second = observed(agent, behind()).archived_wal
    assert (first.origin, second.origin) == (Origin.OWN, Origin.SETTINGS)


def test_nothing_in_between_is_requested_from_an_archive_that_is_of_no_use() -> None:
    agent, separately = Agent(OTHER), replace(OF_SETTINGS, policy=AT_MOST_THREE.policy)
    observed(agent, behind())
    assert [one.command for one in agent.asked if isinstance(one, TryArchive)] == [
        COMMAND,
        OTHER,
    ]
    (useless, _) = observed(agent, behind(), separately).archived_wal
    assert [one.command for one in agent.asked if isinstance(one, TryArchive)][2:] == [
        COMMAND,
        OTHER,
        OTHER,
    ]
    assert useless.spread == ()


@pytest.mark.parametrize(
    ("who", "text", "of_node", "of_primary"),
    [
        ("node", "same", True, True),
        ("node", "other", False, True),
        ("primary", "other", True, False),
        ("primary", None, True, None),
        ("node", None, None, True),
        ("archive", None, None, None),
    ],
)
def test_wal_is_compared(who: str, text: Any, of_node: Any, of_primary: Any) -> None:
    agent = Agent(COMMAND)
    agent.digest[who] = text
    found, *_ = observed(agent, behind(), is_patient=False).archived_wal
    assert found.of_node is not None
    assert found.of_primary is not None
    assert (found.of_node.is_same, found.of_primary.is_same) == (of_node, of_primary)


def test_slow_command_gets_six_times_as_long_once() -> None:
    agent = Agent(COMMAND)
    agent.silent = {10.0}
    (found,) = observed(agent, behind(), Settings()).archived_wal
    limits = [one.timeout_s for one in agent.asked if isinstance(one, TryArchive)]
    assert limits == [10.0, 60.0, 60.0]
    assert found.trial is not None
    assert not found.trial.is_silent


def at_once(agent: Agent, settings: Settings, *, is_patient: bool = True) -> list[int]:
    observed(agent, behind(), settings, is_patient=is_patient)
    return [one.at_once for one in agent.asked if isinstance(one, TryArchive)]


def test_files_are_tried_at_the_same_time_as_they_are_fetched_ahead() -> None:
    assert at_once(Agent(COMMAND), Settings()) == [4]
    assert at_once(Agent(COMMAND), AT_MOST_THREE) == [3, 3]
    off = Settings(archive=ArchiveSettings(fetch_ahead=False))
    assert at_once(Agent(COMMAND), off) == [1, 1]


def test_only_who_gives_a_slow_command_more_time_tries_files_at_the_same_time() -> None:
    """Then it has to do with one of them: it may be slow because they were several."""
    assert at_once(Agent(COMMAND), Settings(), is_patient=False) == [1]
    agent = Agent(COMMAND)
    agent.silent = {10.0}
    assert at_once(agent, Settings())[:2] == [4, 1]


@pytest.mark.parametrize(("took_s", "expected"), [(3.3, 3), (3.4, 1)])
def test_files_in_between_are_tried_one_by_one_if_several_take_too_long(
    took_s: float, expected: int
) -> None:
    agent = Agent(COMMAND)
    agent.took_s = took_s
    assert at_once(agent, AT_MOST_THREE) == [3, expected]


def test_check_is_not_patient() -> None:
    agent = Agent(COMMAND)
    agent.silent = {10.0}
    (found,) = observed(agent, behind(), Settings(), is_patient=False).archived_wal
    assert found.trial is not None
    assert found.trial.is_silent


def test_history_files_of_a_command_that_is_not_the_nodes_are_requested() -> None:
    agent = Agent(OTHER)
    observed(agent, behind())
    (asked,) = [one for one in agent.asked if isinstance(one, AskArchive)]
    assert asked.command == OTHER


def commands(given: Facts, settings: Settings = OF_SETTINGS) -> list[tuple[Origin, str | None]]:
    return [(one.origin, one.problem) for one in candidates(given, settings)]


def test_candidates_in_their_order() -> None:
    with_backup = behind(backup=BACKUP)
    assert commands(with_backup) == [
        (Origin.OWN, None),
        (Origin.PGBACKREST, None),
        (Origin.SETTINGS, None),
    ]
    assert commands(behind("")) == [(Origin.SETTINGS, None)]
    assert commands(behind(OTHER)) == [(Origin.OWN, None)], "the same command is not tried twice"
    none = behind("", backup=NoBackup("pgbackrest is not installed"))
    assert commands(none, Settings()) == [
        (Origin.PGBACKREST, "The stanza cannot be read: pgbackrest is not installed.")
    ]


def test_command_that_does_not_work_is_not_tried_again() -> None:
    broken = behind(archive=Archive((), 60.0, is_silent=True))
    agent = Agent(COMMAND, OTHER)
    first, second = observed(agent, broken).archived_wal
    assert first.problem == "It did not end within 60 s."
    assert second.origin is Origin.SETTINGS
    fatal = behind(archive=Archive((), 1.0, fatal="exit status 255 for x (no route)"))
    (of_fatal, *_) = candidates(fatal, Settings())
    assert (
        of_fatal.problem
        == "It ends with exit status 255 for x (no route), which would end the server."
    )


STOPPED = Point(TimelineId(1), Lsn(50 * SEGMENT))
NEEDS = LocalWal(Base(STOPPED, STOPPED), 50)
SINCE_80 = wal(oldest_segment=80)


def before_the_start(agent: Agent, command: str = COMMAND) -> str | None:
    """Return why a prepared node, which needs segments 50 to 79, will not get them."""
    node = replace(behind(command).target, local_wal=NEEDS)
    gap = gap_before_start(node, SINCE_80)
    assert gap == Gap(50, 79)
    return why_not_brought(cast("Any", agent), node, gap, SINCE_80, Settings())


def test_what_was_lost_with_a_slot_may_come_from_the_archive() -> None:
    agent = Agent(COMMAND)
    assert before_the_start(agent) is None
    assert before_the_start(Agent()) == (
        "Its restore_command did not bring 000000010000000000000032: exit status 1."
    )
    agent.lacking = {"00000001000000000000004F"}
    assert before_the_start(agent) == (
        "Its restore_command did not bring 00000001000000000000004F: exit status 1."
    )
    assert before_the_start(agent, "") == "The node has no restore_command."


def test_slow_command_says_nothing_about_what_was_lost_with_a_slot() -> None:
    agent = Agent(COMMAND)
    agent.silent = {60.0}
    assert before_the_start(agent) is None


def test_nothing_is_lacking_before_the_start_of_a_server() -> None:
    node = replace(behind().target, local_wal=NEEDS)
    assert gap_before_start(node, wal(oldest_segment=50)) is None
    assert gap_before_start(replace(node, server_pid=1), SINCE_80) is None
    assert gap_before_start(replace(node, local_wal=None), SINCE_80) is None


def test_node_that_runs_or_is_half_changed() -> None:
    agent = Agent(COMMAND)
    assert observed(agent, replace(behind(), target=target(changing="rewind"))).archived_wal == ()
    assert observed(agent, replace(behind(), target=target(server_pid=1))).archived_wal == ()
    assert agent.asked == []
