"""In a model of PostgreSQL, no plan that keeps data ends with anything that the primary lacks.

Nor does it end with a server that cannot stream. PGPOOL_RECOVERY_PAST_SECONDS is how long to search
for a history that breaks this; without it, the tests take a few seconds.
"""

import os
import time
from collections.abc import Sequence
from copy import deepcopy
from dataclasses import dataclass, replace

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from pgpool_recovery.domain.control_data import (
    IN_ARCHIVE_RECOVERY,
    SHUT_DOWN,
    SHUT_DOWN_IN_RECOVERY,
)
from pgpool_recovery.domain.wal import History, Lsn, Point, TimelineId, segment_of_file
from pgpool_recovery.facts.facts import Facts, LocalWal, Login
from pgpool_recovery.facts.own_wal import CONTROL, OwnWal, history_file
from pgpool_recovery.facts.policy import Method, Policy
from pgpool_recovery.facts.running import RELOADED, RunningServer
from pgpool_recovery.facts.step.standby import KeepToPast
from pgpool_recovery.observe.past import Pair, checkpoint_of, compared
from pgpool_recovery.plan.divergence import base_of, fork_of
from pgpool_recovery.plan.ladder import make_plan
from pgpool_recovery.plan.past import point_to_compare
from pgpool_recovery.plan.plan import Plan
from tests.property.wal_model import (
    PER_SEGMENT,
    RECORD,
    SEGMENT,
    Branch,
    Content,
    Disk,
    Primary,
    Standby,
    StuckError,
    newest_timeline,
    start,
)
from tests.unit.plan import situation

EXAMPLES = 300
KINDS = ("standby", "standby", "standby", "running", "stopped primary", "crashed primary")
SECONDS = float(os.environ.get("PGPOOL_RECOVERY_PAST_SECONDS", "0"))


@dataclass(frozen=True)
class World:
    """A primary and a node, and who wrote what; `base`, `redo` and `received` count records."""

    primary: Primary
    node: Branch
    kind: str
    redo: int
    base: int
    received: int
    pg_wal: Disk
    archive: Disk

    @property
    def data(self) -> Content:
        """The writer of each record in the node's pages."""
        return {number: self.node.writer_of(number) or "" for number in range(self.base)}


@st.composite
def chains(draw: st.DrawFn, name: str, root: Branch, depth: int) -> Branch:
    """Draw successive promotions, each at a position that its predecessor had written."""
    branch = root
    for number in range(depth):
        begin = draw(st.integers(max(branch.begin, 1) + 1, branch.end))
        skipped = draw(st.sampled_from((0, 0, 0, 1)))
        timeline = TimelineId(branch.history.current + 1 + skipped)
        left = Point(branch.history.current, Lsn(begin * RECORD))
        branch = Branch(
            writer=f"{name}{number}",
            history=History(timeline, (*branch.history.ends, left)),
            before=branch,
            begin=begin,
            end=begin + draw(st.integers(1, 20)),
        )
    return branch


def begin_of(branch: Branch, timeline: int) -> int:
    return branch.history.begin_of(TimelineId(timeline)) // RECORD


def past_of(branch: Branch) -> list[Branch]:
    """Return a branch and all its predecessors."""
    return [branch, *([] if branch.before is None else past_of(branch.before))]


@st.composite
def worlds(draw: st.DrawFn) -> World:
    """Draw a primary, sometimes a rival, and a node that has followed any of them."""
    root = Branch("root", History(TimelineId(1)), None, 0, draw(st.integers(10, 40)))
    branch = draw(chains("new", root, draw(st.integers(0, 2))))
    node = draw(st.sampled_from(past_of(branch)))
    if draw(st.integers(0, 2)) == 0:
        node = draw(rivals(branch, root))
    oldest = draw(st.integers(0, branch.end // PER_SEGMENT)) * draw(st.integers(0, 1))
    disk = Disk(branch.files(oldest), branch.histories())
    primary = Primary(branch, oldest, disk)
    kind = draw(st.sampled_from(KINDS))
    received = node.end if "primary" in kind else draw(st.integers(3, node.end))
    base = received if "primary" in kind else draw(st.integers(2, received))
    redo = base - 1 if kind == "stopped primary" else draw(st.integers(1, base - 1))
    pg_wal = Disk(node.files(redo // PER_SEGMENT, upto=received), node.histories())
    for timeline in [t for t in node.histories() if begin_of(node, t) > received]:
        del pg_wal.histories[timeline]
    for timeline in list(pg_wal.histories):  # It could not have got there without those between.
        for gap in range(2, timeline):
            pg_wal.histories.setdefault(gap, History(TimelineId(gap)))
    if draw(st.integers(0, 3)) == 0:
        pg_wal.histories = branch.histories() | pg_wal.histories
    if draw(st.integers(0, 5)) == 0:
        stray = TimelineId(branch.history.current + 1)
        ends = (Point(TimelineId(1), Lsn(4 * RECORD)),)
        pg_wal.histories.setdefault(stray, History(stray, ends))
    is_told = node.writer_of(redo) == "rival" and oldest <= redo // PER_SEGMENT
    if is_told and draw(st.booleans()):
        # It was pointed at the primary by hand. An older checkpoint could not show that.
        pg_wal.files |= branch.files(max(oldest, base // PER_SEGMENT))
    archive = draw(archives(branch)) if draw(st.booleans()) else Disk()
    world = World(primary, node, kind, redo, base, received, pg_wal, archive)
    if kind == "running":
        assume(is_where_it_would_be(world))
    return world


def server_of(world: World) -> Standby:
    """Return the node's running server."""
    timeline = world.node.timeline_of(world.base - 1)
    find = world.pg_wal.histories.get
    newest = find(newest_timeline(timeline, find))
    is_known = newest is not None and timeline in newest.timelines
    ends = tuple(point for point in world.node.history.ends if point.timeline < timeline)
    return Standby(
        deepcopy(world.pg_wal),
        world.archive,
        world.primary,
        world.base,
        timeline,
        world.data,
        newest if is_known and newest is not None else History(timeline, ends),
    )


def is_where_it_would_be(world: World) -> bool:
    """Return whether a running server has not already replayed something else from its archive."""
    server = server_of(world)
    server.replay_files()
    return all(world.node.writer_of(number) == who for number, who in server.replayed.items())


@st.composite
def rivals(draw: st.DrawFn, branch: Branch, root: Branch) -> Branch:
    """Draw another server, with this one's history or with a history of its own."""
    if branch.before is not None and draw(st.booleans()):
        end = branch.begin + draw(st.integers(1, 20))
        return replace(branch, writer="rival", end=end)
    return draw(chains("rival", draw(st.sampled_from((root, branch))), 1))


@st.composite
def archives(draw: st.DrawFn, branch: Branch) -> Disk:
    """Draw what the primary and its predecessors have archived, including their dead ends."""
    files = {
        name: content
        for one in past_of(branch)
        for name, content in one.files(0).items()
        if len(content) == PER_SEGMENT
    }
    names = draw(st.sets(st.sampled_from(sorted(files)))) if files else set()
    histories = branch.histories() if draw(st.booleans()) else {}
    return Disk({name: files[name] for name in names}, dict(histories))


def facts_of(world: World) -> Facts:
    """Return the facts that we would observe."""
    branch, node = world.primary.branch, world.node
    wal = situation.wal(
        history=branch.history,
        written=Lsn(branch.end * RECORD),
        segment_bytes=SEGMENT,
        oldest_segment=world.primary.oldest,
        is_summarized=True,
    )
    states = {
        "standby": IN_ARCHIVE_RECOVERY if world.received % 2 else SHUT_DOWN_IN_RECOVERY,
        "running": IN_ARCHIVE_RECOVERY,
        "stopped primary": SHUT_DOWN,
        "crashed primary": "in production",
    }
    is_standby = "primary" not in world.kind
    redo = Point(node.timeline_of(world.redo), Lsn(world.redo * RECORD))
    end = Point(node.timeline_of(world.base - 1), Lsn(world.base * RECORD))
    control = situation.control(
        state=states[world.kind],
        timeline=redo.timeline,
        redo=redo.lsn,
        checkpoint=redo.lsn,
        minimum_end=end if is_standby else promoted_at(world, redo),
    )
    newest = control.newest_timeline
    target = situation.target(
        major=17,
        control=control,
        history=world.pg_wal.histories.get(newest),
        local_wal=LocalWal(base_of(control, None), first_missing(world, redo)),
        own_wal=OwnWal(tuple(readable(world.pg_wal)), tuple(world.pg_wal.histories.values())),
        server_pid=4711 if world.kind == "running" else None,
    )
    login = Login({"host": "server1", "user": "postgres"}, situation.SYSTEM, None)
    primary = situation.primary(version=170000, wal=wal)
    facts = situation.facts(
        primary=primary, target=target, rewind_logins=(login,), running=running(world)
    )
    point = point_to_compare(facts)
    if point is None or point.timeline not in branch.history.timelines:
        return facts
    own, checkpoint = target.own_wal, checkpoint_of(facts)
    found = compared(lambda pairs: compare(world, pairs), point, wal, own, checkpoint)
    return replace(facts, compared=found)


def promoted_at(world: World, redo: Point) -> Point | None:
    """Return the minimum recovery end of a primary before its first checkpoint.

    CreateEndOfRecoveryRecord in xlog.c sets it.
    """
    node = world.node
    if world.kind != "crashed primary" or redo.timeline == node.history.current:
        return None
    return Point(node.history.current, Lsn((node.begin + 1) * RECORD))


def readable(disk: Disk) -> list[str]:
    """Return the files whose first page is valid."""
    return [
        name
        for name, content in disk.files.items()
        if segment_of_file(name, SEGMENT) * PER_SEGMENT in content
    ]


def first_missing(world: World, redo: Point) -> int:
    known = {f"{timeline:08X}" for timeline in world.primary.branch.history.timelines}
    there = {segment_of_file(name, SEGMENT) for name in readable(world.pg_wal) if name[:8] in known}
    number = redo.lsn // SEGMENT
    while number in there:
        number += 1
    return number


def compare(world: World, pairs: Sequence[Pair]) -> dict[Pair, bool | None]:
    """Compare files as the digests do: by existence, and by the writer of each record."""
    found: dict[Pair, bool | None] = {}
    for pair in pairs:
        if pair.own.name == CONTROL:
            found[pair] = is_same_checkpoint(world, pair)
            continue
        own = world.pg_wal.files.get(pair.own.name)
        others = [world.primary.disk.files.get(name) for name in pair.others]
        other = next((content for content in others if content is not None), None)
        begin = segment_of_file(pair.own.name, SEGMENT) * PER_SEGMENT + pair.own.offset // RECORD
        numbers = range(begin, begin + -(-pair.own.size_bytes // RECORD))
        is_there = own is not None and other is not None
        found[pair] = (
            [own.get(n) for n in numbers] == [other.get(n) for n in numbers]  # type: ignore[union-attr]
            if is_there
            else None
        )
    return found


def is_same_checkpoint(world: World, pair: Pair) -> bool | None:
    """Return whether the primary has the control file's checkpoint at that position."""
    for name in pair.others:
        if name in world.primary.disk.files:
            writer = world.primary.disk.files[name].get(world.redo)
            return writer == world.node.writer_of(world.redo)
    return None


def running(world: World) -> RunningServer | None:
    if world.kind != "running":
        return None
    timeline = world.node.timeline_of(world.base - 1)
    known = [TimelineId(int(name[:8], 16)) for name in world.pg_wal.files]
    newest = max((timeline, *known))
    histories = [one for number, one in world.pg_wal.histories.items() if number >= newest]
    return RunningServer(
        login={"port": "5432", "dbname": "postgres"},
        is_in_recovery=True,
        is_paused=False,
        timeline=newest,
        histories=tuple(histories),
        receiving=None,
        received=Lsn(world.received * RECORD),
        replayed=Lsn(world.base * RECORD),
        is_torn=False,
        recovery_target_timeline="latest",
        sources=dict.fromkeys(RELOADED, "configuration file"),
    )


def carry_out(world: World, made: Plan) -> World:
    """Change the node's pg_wal as the plan says."""
    pg_wal, branch = deepcopy(world.pg_wal), world.primary.branch
    for step in made.steps:
        if not isinstance(step, KeepToPast):
            continue
        for name in step.moved:
            pg_wal.files.pop(name, None)
            if name.endswith(".history"):
                del pg_wal.histories[int(name[:8], 16)]
        for name in step.fetched:
            assert name in world.primary.disk.files, f"the primary has no {name}"
            pg_wal.files[name] = dict(world.primary.disk.files[name])
        for timeline in step.histories:
            pg_wal.histories[timeline] = branch.histories()[timeline]
        for timeline in step.gaps:
            pg_wal.histories[timeline] = History(timeline)
    return replace(world, pg_wal=pg_wal)


def see_equal(world: World, found: Content) -> None:
    branch = world.primary.branch
    differing = [n for n in range(branch.end) if found.get(n) != branch.writer_of(n)]
    assert not differing, f"record {differing[0]} is not the primary's: {found}"
    assert len(found) == branch.end, "it has more than the primary"


def see_data_in_the_past(world: World) -> None:
    branch = world.primary.branch
    assert world.base <= branch.end
    for number, writer in world.data.items():
        assert branch.writer_of(number) == writer, f"record {number} is {writer}'s"


def see(world: World, facts: Facts, made: Plan) -> None:
    """Assert what the model's node ends with after a plan."""
    after, node = carry_out(world, made), world.node
    match made.method:
        case Method.CATCH_UP:
            see_data_in_the_past(world)
            see_equal(world, started(after).replayed)
        case Method.INCREMENTAL:
            see_data_in_the_past(world)
            see_incremental(after)
        case Method.REWIND:
            control, history = facts.target.control, facts.target.history
            assert control is not None
            fork = fork_of(control, history, world.primary.branch.history)
            assert fork is not None
            for number in range(fork.lsn // RECORD):
                assert node.writer_of(number) == world.primary.branch.writer_of(number), number
        case Method.REPOINT:
            see_data_in_the_past(world)
            see_running(after)
            see_equal(world, started(after).replayed)


def started(world: World) -> Standby:
    """Return the node's server, once it has been started and streams."""
    node = world.node
    redo = Point(node.timeline_of(world.redo), Lsn(world.redo * RECORD))
    end = Point(node.timeline_of(world.base - 1), Lsn(world.base * RECORD))
    disks = deepcopy(world.pg_wal), world.archive
    return start(*disks, world.primary, redo, end, world.data, node.writer_of(world.redo))


def see_incremental(world: World) -> None:
    """Assert that a node with the primary's blocks up to here replays what is written next."""
    branch = world.primary.branch
    later = replace(branch, end=branch.end + 3)
    disk = Disk(later.files(world.primary.oldest), world.primary.disk.histories)
    here = Point(branch.history.current, Lsn(branch.end * RECORD))
    data = {number: branch.writer_of(number) or "" for number in range(branch.end)}
    primary = Primary(later, world.primary.oldest, disk)
    world.pg_wal.histories.setdefault(branch.history.current, branch.history)
    checkpoint = later.writer_of(branch.end)
    done = start(world.pg_wal, world.archive, primary, here, here, data, checkpoint)
    see_equal(replace(world, primary=primary), done.replayed)


def see_running(world: World) -> None:
    server = server_of(world)
    server.follow()
    see_equal(world, server.replayed)


POLICY = Policy()


def look(world: World) -> str | None:
    """Make the plan, and assert its outcome; return the method."""
    facts = facts_of(world)
    made = make_plan(situation.TARGET, facts, POLICY)
    if not isinstance(made, Plan):
        return None
    try:
        see(world, facts, made)
    except (AssertionError, StuckError) as error:
        error.add_note("\n".join((*made.sentences(), *map(str, made.steps))))
        raise
    return str(made.method)


quick = settings(
    max_examples=EXAMPLES,
    deadline=None,
    suppress_health_check=[HealthCheck.filter_too_much, HealthCheck.too_slow],
)


@quick
@given(worlds())
def test_promise_12_no_plan_ends_with_what_the_primary_lacks(world: World) -> None:
    look(world)


@pytest.mark.skipif(not SECONDS, reason="PGPOOL_RECOVERY_PAST_SECONDS is not set")
@pytest.mark.timeout(0)
def test_promise_12_for_as_long_as_the_environment_says() -> None:
    ends = time.monotonic() + SECONDS
    while time.monotonic() < ends:
        test_promise_12_no_plan_ends_with_what_the_primary_lacks()


def test_every_method_that_keeps_data_comes_up() -> None:
    """Otherwise the property would show nothing about a method."""
    seen: set[str | None] = set()

    @settings(quick, database=None)
    @given(worlds())
    def collect(world: World) -> None:
        seen.add(look(world))

    collect()
    assert {"repoint", "catch-up", "rewind", "incremental"} <= seen


def test_history_files_have_the_names_that_plans_move() -> None:
    assert history_file(TimelineId(2))[:8] == f"{2:08X}"
