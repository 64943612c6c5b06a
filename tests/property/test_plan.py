"""What holds for every plan, whatever the situation is."""

import re
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pgpool_recovery.domain.wal import Lsn, Point, TimelineId
from pgpool_recovery.facts.facts import Configuration, Facts, FileIdentity, Filesystem, Login
from pgpool_recovery.facts.policy import Method
from pgpool_recovery.facts.rejection import Rejection
from pgpool_recovery.facts.running import RunningServer
from pgpool_recovery.facts.step.moving import (
    Clone,
    DiscardWaiting,
    PutInPlace,
    PutOldBack,
    RemoveOld,
    Reserve,
    SwapIn,
    TakeOut,
)
from pgpool_recovery.facts.step.place import Touches
from pgpool_recovery.facts.step.standby import CreateSlot, KeepToPast, Repoint, RepointRunning
from pgpool_recovery.facts.step.step import Step
from pgpool_recovery.facts.step.transfer import (
    CopyBaseBackup,
    Delta,
    Incremental,
    RestoreBackup,
    Rewind,
    RunCommand,
)
from pgpool_recovery.plan.ladder import make_plan
from pgpool_recovery.plan.plan import OldData, PassedOver, Plan
from tests.unit.plan.case import Case, case_of
from tests.unit.plan.read_words import contradictions
from tests.unit.plan.words import (
    GB,
    IN_RECOVERY,
    BackupWords,
    BaseWords,
    CommandWords,
    ConnectionsWords,
    ControlWords,
    ExpectedRefusal,
    HistoryWords,
    Left,
    LoginWords,
    PrimaryWords,
    ServerWords,
    Size,
    SlotWords,
    SummariesWords,
    SummaryWords,
    TablespaceWords,
    TargetWords,
    WalDirectoryWords,
    Words,
)

EXAMPLES = 400
SEGMENT = 16 * 2**20
STATES = (
    *IN_RECOVERY,
    "shut down",
    "in production",
    "shutting down",
    "in crash recovery",
    "starting up",
)
CHANGES: dict[Method, set[type[Step]]] = {
    Method.ATTACH: set(),
    Method.REPOINT: {RepointRunning},
    Method.CATCH_UP: {Repoint},
    Method.REWIND: {Rewind, Incremental},
    Method.INCREMENTAL: {Incremental},
    Method.RESTORE: {RestoreBackup},
    Method.COMMAND: {RunCommand},
    Method.DELTA: {Delta},
    Method.BASEBACKUP: {CopyBaseBackup},
}
"""The steps by which each method changes the data."""
DESTROYS = (
    *(DiscardWaiting, PutOldBack, RemoveOld, TakeOut),
    *(Rewind, Incremental, RestoreBackup, Delta, RunCommand),
)
PLACES = (Repoint, SwapIn, PutInPlace)
"""Only after one of these can a server be started on the data directory."""

lsns = st.builds(
    lambda segment, offset: Lsn(segment * SEGMENT + offset),
    st.integers(0x20, 0x63),
    st.sampled_from((0x28, 0x100, 0x8000)),
)
segments = st.integers(0x0A, 0x63).map(lambda number: Lsn(number * SEGMENT))
timelines = st.integers(1, 4).map(TimelineId)
points = st.builds(Point, timelines, lsns)
commands = st.lists(
    st.builds(
        CommandWords,
        name=st.sampled_from(("barman", "rsync")),
        keep_data=st.booleans(),
        problem=st.none() | st.just("No such file or directory."),
    ),
    max_size=2,
    unique_by=lambda one: one.name,
).map(tuple)
often = st.sampled_from((True, True, True, False))
sizes = st.integers(0, 60).map(lambda number: Size(number * GB))


@st.composite
def histories(draw: st.DrawFn, current: TimelineId) -> tuple[Left, ...]:
    """Draw the contents of a timeline's history file, in which some timelines may be missing."""
    former = [number for number in range(1, current) if draw(st.booleans())]
    ends = sorted(draw(st.lists(lsns, min_size=len(former), max_size=len(former))))
    return tuple(Left(TimelineId(number), end) for number, end in zip(former, ends, strict=True))


@st.composite
def summaries(draw: st.DrawFn) -> SummariesWords:
    """Draw a range of summarized WAL on one timeline."""
    timeline, (start, end) = draw(timelines), sorted(draw(st.tuples(lsns, lsns)))
    return SummariesWords(
        available=(SummaryWords(timeline, start, end),),
        reached=Point(timeline, end),
        running=draw(st.booleans()),
    )


@st.composite
def primaries(draw: st.DrawFn) -> PrimaryWords:
    """Draw a primary."""
    timeline = draw(timelines)
    drawn: dict[str, Any] = {
        "major": draw(st.integers(14, 18)),
        "timeline": timeline,
        "history": draw(histories(timeline)),
        "oldest_wal": draw(segments),
        "full_page_writes": draw(st.booleans()),
        "summarize_wal": draw(st.booleans()),
        "summaries": draw(st.none() | summaries()),
        "slots": draw(
            st.sampled_from(
                (
                    (),
                    (SlotWords("pgpool_node_1"),),
                    (SlotWords("pgpool_node_1", wal_status="lost"),),
                )
            )
        ),
    }
    return PrimaryWords(**drawn)


@st.composite
def controls(draw: st.DrawFn) -> ControlWords:
    """Draw the control file of a server in any state."""
    state = draw(st.sampled_from(STATES))
    return ControlWords(
        state=state,
        timeline=draw(timelines),
        redo=draw(lsns),
        minimum_recovery_end=draw(points) if state in IN_RECOVERY else None,
        checksums=draw(st.booleans()),
        wal_log_hints=draw(st.booleans()),
        backup_end_required=draw(st.booleans()),
    )


@st.composite
def targets(draw: st.DrawFn) -> TargetWords:
    """Draw a node, with anything in its data directory."""
    control = draw(controls())
    changing = draw(
        st.sampled_from((None, None, "rewind", "incremental", "restore", "basebackup", "finished"))
    )
    base = BaseWords(Point(control.timeline, control.redo), Point(control.timeline, control.redo))
    drawn: dict[str, Any] = {
        "contents": draw(
            st.sampled_from(("data", "data", "no control file", "nothing", "missing"))
        ),
        "size": draw(sizes),
        "waiting": draw(st.none() | sizes),
        "can_clone": draw(st.booleans()),
        "control": control,
        "backup_label": draw(st.none() | points | st.just("unreadable")),
        "history": draw(histories(control.newest)),
        "missing_wal": draw(st.none() | segments),
        "changing": changing,
        "resumable": base if changing == "incremental" and draw(st.booleans()) else None,
        "failed_starts": draw(st.integers(0, 3)),
        "wal_directory": draw(st.none() | st.just(WalDirectoryWords("/wal/15"))),
    }
    return TargetWords(**drawn)


@st.composite
def servers(draw: st.DrawFn) -> ServerWords:
    """Draw what a running server answers."""
    timeline, file = draw(timelines), draw(st.none() | timelines)
    received, replayed = draw(lsns), draw(lsns)
    drawn: dict[str, Any] = {
        "in_recovery": draw(often),
        "paused": not draw(often),
        "timeline": timeline,
        "received": received,
        "replayed": replayed,
        "all_replayed": draw(often),
        "torn": not draw(often),
        "histories": () if file is None else (HistoryWords(file, draw(histories(file))),),
        "sources": draw(st.sampled_from(({}, {}, {}, {"primary_slot_name": "command line"}))),
        "recovery_target_timeline": draw(st.sampled_from(("latest", "latest", "latest", "2"))),
    }
    return ServerWords(**drawn)


@st.composite
def running_targets(draw: st.DrawFn) -> TargetWords:
    """Draw a node whose server is running, and mostly answers."""
    target = draw(targets().filter(lambda drawn: drawn.changing is None))
    return replace(
        target,
        contents="data",
        process=4711,
        server=draw(servers()) if draw(often) else None,
        standby_signal=draw(often),
    )


def tablespaces(*on_target: Any) -> st.SearchStrategy[tuple[TablespaceWords, ...]]:
    """Draw none to two tablespaces."""
    kinds = st.sampled_from(on_target)
    return st.lists(kinds, max_size=2).map(
        lambda drawn: tuple(
            TablespaceWords(f"/ts{number}", on_target=kind) for number, kind in enumerate(drawn)
        )
    )


methods = st.permutations(tuple(Method)).flatmap(
    lambda order: st.integers(1, len(order)).map(lambda count: tuple(order[:count]))
)
policies = st.fixed_dictionaries(
    {},
    optional={
        "methods": methods.map(lambda drawn: [method.value for method in drawn]),
        "keep_old": st.sampled_from(("always", "when-space-allows", "never")),
        "stop_running": st.sampled_from(("never", "standby", "always")),
        "verify": st.sampled_from(("standard", "pages")),
    },
)
logins = st.sampled_from((LoginWords("repl"), LoginWords("repl", problem="connection refused")))
NOTHING = ExpectedRefusal(0, ())
"""The properties do not use what a situation's file would expect."""

anything = st.builds(
    Words,
    title=st.just("anything"),
    expect=st.just(NOTHING),
    primary=primaries(),
    target=targets(),
    tablespaces=tablespaces("own", "new", "moved", "foreign", "the primary's"),
    filesystems=st.fixed_dictionaries(
        {"/": sizes}, optional={"/var/lib/pgsql/15/data": sizes, "/ts0": sizes}
    ),
    connections=st.builds(
        ConnectionsWords, replication=st.tuples(logins), rewind=st.tuples(logins)
    ),
    policy=policies,
    backup=st.none() | st.builds(BackupWords, start=points, stop=points),
    commands=commands,
)
reachable = st.builds(
    Words,
    title=st.just("a primary that can be reached, a disk with room"),
    expect=st.just(NOTHING),
    primary=primaries(),
    target=targets(),
    tablespaces=tablespaces("own", "new", "moved"),
    filesystems=st.just({"/": Size(1000 * GB)}),
    backup=st.none() | st.builds(BackupWords, start=points, stop=points),
    commands=commands,
)
running = st.builds(
    Words,
    title=st.just("a server that runs, and a primary that can be reached"),
    expect=st.just(NOTHING),
    primary=primaries(),
    target=running_targets(),
    tablespaces=tablespaces("own", "new"),
    filesystems=st.just({"/": Size(1000 * GB)}),
    policy=policies,
)


def cases(words: st.SearchStrategy[Words]) -> st.SearchStrategy[Case]:
    """Draw situations that do not contradict themselves."""
    return words.filter(lambda drawn: not list(contradictions(drawn))).map(case_of)


def positions(made: Plan, kinds: tuple[type[Step], ...]) -> list[int]:
    """Return the positions of all steps of some kinds."""
    return [number for number, step in enumerate(made.steps) if isinstance(step, kinds)]


def in_place(made: Plan) -> list[int]:
    """Return the positions of the steps that change the data directory itself, or a clone of it."""
    kinds = (Rewind, Incremental, RestoreBackup, Delta, RunCommand)
    steps = [(number, made.steps[number]) for number in positions(made, kinds)]
    return [n for n, one in steps if not isinstance(one, RunCommand) or one.method.keep_data]


def promise_2_nothing_is_destroyed_before_target_and_slot_are_ours(made: Plan, _case: Case) -> None:
    """Whatever can still be refused during a run is done first."""
    assert isinstance(made.steps[0], Reserve)
    [slot] = positions(made, (CreateSlot,))
    assert all(slot < number for number in positions(made, (*DESTROYS, *PLACES)))


def the_primary_is_left_nothing_but_the_slot(made: Plan, _case: Case) -> None:
    """Promise 1: to undo a run on the primary, only the slot has to be dropped."""
    [touching] = [step for step in made.steps if step.touches is Touches.PRIMARY]
    assert isinstance(touching, CreateSlot)
    assert touching.name == made.slot_name


def a_plan_has_one_method(made: Plan, _case: Case) -> None:
    every = set().union(*CHANGES.values())
    done = {type(step) for step in made.steps} & every
    is_put_back_only = made.method is Method.CATCH_UP and bool(positions(made, (PutInPlace,)))
    assert done or is_put_back_only
    assert done <= CHANGES[made.method]
    assert made.method is not Method.REWIND or Rewind in done


def the_directory_can_be_started_by_nothing_but_the_last_step(made: Plan, case: Case) -> None:
    """Promise 4."""
    assert positions(made, PLACES) == [len(made.steps) - 1]
    out = positions(made, (Clone, TakeOut))
    changing = in_place(made)
    is_out_already = case.facts.target.is_away
    assert not changing or is_out_already or out[0] < changing[0]


def old_data_that_stays_is_touched_by_no_step(made: Plan, _case: Case) -> None:
    """Promise 3."""
    if made.old_data is not OldData.STAYS:
        return
    assert made.point_of_no_return is None
    assert not positions(made, (RemoveOld, TakeOut, PutInPlace))
    changing = in_place(made)
    assert not changing or positions(made, (Clone,))[0] < changing[0]


def a_method_is_passed_over_for_a_reason(made: Plan, case: Case) -> None:
    before = set(case.policy.methods[: case.policy.methods.index(made.method)])
    if case.facts.target.server_pid is not None:
        before &= {Method.ATTACH}
    unexpected = {Method.REPOINT, *({Method.RESTORE} if case.facts.backup is None else ())}
    unexpected |= set() if case.facts.own_methods else {Method.COMMAND}
    assert {over.method for over in made.passed_over} >= before - unexpected
    assert all(over.reasons for over in made.passed_over)


def a_method_that_failed_is_not_tried_again(made: Plan, case: Case) -> None:
    failed = PassedOver(made.method, (Rejection("it failed"),))
    again = make_plan(case.target, case.facts, case.policy, (failed,))
    if isinstance(again, Plan):
        assert again.method is not made.method
        assert failed in again.passed_over


def a_server_that_runs_is_led_to_what_has_all_that_it_has(made: Plan, case: Case) -> None:
    """Nothing that would harm a running server is done to its data either."""
    said, wal = case.facts.running, case.facts.primary.wal
    assert isinstance(said, RunningServer)
    assert said.received is not None
    assert said.replayed is not None
    assert wal is not None
    assert said.is_in_recovery
    for lsn in (said.replayed, *(() if said.is_torn else (said.received,))):
        assert wal.history.has(Point(said.timeline, lsn))
        assert lsn <= wal.written
    assert wal.has(said.replayed // wal.segment_bytes)
    kinds = [type(step) for step in made.steps if not isinstance(step, KeepToPast)]
    assert kinds == [Reserve, CreateSlot, RepointRunning]
    assert all(step.moved == () for step in made.steps if isinstance(step, KeepToPast))
    assert made.point_of_no_return is None


WHILE_IT_RUNS = (
    a_server_that_runs_is_led_to_what_has_all_that_it_has,
    the_primary_is_left_nothing_but_the_slot,
    a_plan_has_one_method,
    a_method_is_passed_over_for_a_reason,
    a_method_that_failed_is_not_tried_again,
)
ALWAYS = (
    promise_2_nothing_is_destroyed_before_target_and_slot_are_ours,
    the_primary_is_left_nothing_but_the_slot,
    a_plan_has_one_method,
    the_directory_can_be_started_by_nothing_but_the_last_step,
    old_data_that_stays_is_touched_by_no_step,
    a_method_is_passed_over_for_a_reason,
    a_method_that_failed_is_not_tried_again,
)
"""What is true of every plan with steps; one test checks all, as making situations takes long."""


def of_target(**changes: Any) -> Callable[[Facts], Facts]:
    return lambda facts: replace(facts, target=replace(facts.target, **changes))


def of_primary(**changes: Any) -> Callable[[Facts], Facts]:
    return lambda facts: replace(facts, primary=replace(facts.primary, **changes))


def of_data(**changes: Any) -> Callable[[Facts], Facts]:
    return lambda facts: of_target(data=replace(facts.target.data, **changes))(facts)


def with_logins(change: Callable[[Login], Login]) -> Callable[[Facts], Facts]:
    return lambda facts: replace(facts, logins=tuple(map(change, facts.logins)))


def of_another_cluster(facts: Facts) -> Facts:
    control = facts.target.control
    return of_target(
        is_empty=False,
        is_data_directory=True,
        control=None if control is None else replace(control, system_identifier="1"),
        major=facts.primary.major - 1 if control is None else facts.primary.major,
    )(facts)


def without_room(facts: Facts) -> Facts:
    """Leave no space anywhere, so that a copy would have to begin by removing what is there."""
    full = replace(facts.target.data.filesystem, free_bytes=0)
    return of_data(filesystem=full, size_bytes=0, is_empty=True, waiting_bytes=None)(facts)


def as_the_primary(facts: Facts) -> Facts:
    same = FileIdentity("boot", 1, 1)
    return of_primary(data_directory=same)(of_data(identity=same)(facts))


def too_low(facts: Facts) -> Facts:
    values = {"max_connections": "1"}
    low = Configuration("postgresql.conf", is_inside=True, values=values, primary_conninfo={})
    needed = {"max_connections": 100}
    return of_primary(standby_parameters=needed)(of_target(configuration=low)(facts))


WRONG: dict[str, Callable[[Facts], Facts]] = {
    "no login": lambda facts: replace(facts, logins=()),
    "login refused": with_logins(
        lambda login: replace(login, system_identifier=None, problem="rejected")
    ),
    "login leads elsewhere": with_logins(lambda login: replace(login, system_identifier="1")),
    "another cluster": of_another_cluster,
    "another major": of_target(major=13),
    "no programs": of_target(bin_directory=None),
    "no data directory": of_target(
        is_empty=False,
        is_data_directory=False,
        foreign_entries=("x",),
        is_away=False,
        changing=None,
    ),
    "read-only": of_data(filesystem=Filesystem(1, 0, is_read_only=True)),
    "not ours to write": of_data(can_write=False),
    "belongs to another user": of_data(problem="it belongs to another user"),
    "somebody else at work": of_target(is_busy=True),
    "managed by another tool": of_target(managed_by="Patroni"),
    "the primary itself": as_the_primary,
    "configuration unreadable": of_target(configuration_problem="syntax error"),
    "parameters too low for a standby": too_low,
    "the server called is a standby": of_primary(is_in_recovery=True),
    "wal_level": of_primary(wal_level="minimal"),
    "no WAL sender": of_primary(max_wal_senders=0),
    "no slot": of_primary(slots=(), max_replication_slots=0),
}
"""Each thing that can be checked beforehand, in a state that must prevent a recovery."""

many = settings(
    max_examples=EXAMPLES,
    deadline=None,
    suppress_health_check=[HealthCheck.filter_too_much, HealthCheck.too_slow],
)


@many
@given(cases(anything))
def test_every_situation_has_a_sound_plan_or_reasons(case: Case) -> None:
    made = make_plan(case.target, case.facts, case.policy)
    if not isinstance(made, Plan):
        assert made
        assert all(reason.message for reason in made)
        return
    assert all(made.sentences())
    if made.method is Method.ATTACH:
        assert made.steps == ()
        return
    for is_true in ALWAYS:
        is_true(made, case)


@many
@given(cases(reachable))
def test_every_reachable_primary_gives_a_plan(case: Case) -> None:
    made = make_plan(case.target, case.facts, case.policy)
    assert isinstance(made, Plan), made


NO_ROOM = re.compile("not enough space on|no space is left on")


@settings(many, max_examples=60)
@given(cases(reachable))
def test_promise_2_nothing_is_done_when_one_thing_that_was_checked_is_wrong(case: Case) -> None:
    assert isinstance(make_plan(case.target, case.facts, case.policy), Plan)
    for what, wrong in WRONG.items():
        made = make_plan(case.target, wrong(case.facts), case.policy)
        assert not isinstance(made, Plan) or made.steps == (), what


@settings(many, max_examples=60)
@given(cases(reachable))
def test_promise_2_full_copy_without_room_is_not_begun(case: Case) -> None:
    policy = replace(case.policy, methods=(Method.BASEBACKUP,))
    changed = replace(without_room(case.facts), primary=replace(case.facts.primary, data_bytes=9))
    made = make_plan(case.target, changed, policy)
    assert not isinstance(made, Plan)
    reasons = [reason for reason in made if NO_ROOM.match(reason.message)]
    assert reasons
    assert all(reason.is_for_space == reason.message.startswith("not") for reason in reasons)


@many
@given(cases(running))
def test_server_that_runs_is_left_running(case: Case) -> None:
    made = make_plan(case.target, case.facts, case.policy)
    if not isinstance(made, Plan):
        assert "is running" in made[0].message
        return
    assert made.method is Method.REPOINT
    for is_true in WHILE_IT_RUNS:
        is_true(made, case)
