"""The forecast of a duration, and the time left while a recovery runs: never more than is known."""

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from pgpool_recovery.domain.event import Event, PlanMade, Progress, StepFinished, StepStarted
from pgpool_recovery.domain.work import Work
from pgpool_recovery.facts.pace import Pace
from pgpool_recovery.facts.policy import Method, Policy, Rate
from pgpool_recovery.history.run import MAX_LEFT_S, RunState
from pgpool_recovery.plan.duration import WORKS, duration_of
from pgpool_recovery.plan.situation import Situation
from tests.unit.plan.situation import TARGET, facts

STEPS = 6
COUNTS = st.integers(0, 2**62)
SECONDS = st.floats(0, 1e6)
RATES = st.floats(allow_nan=True, allow_infinity=True)
WORKED = st.builds(
    Work,
    st.integers(1, STEPS),
    COUNTS,
    st.none() | SECONDS,
    st.none() | SECONDS,
)
FULL = st.builds(Work, st.integers(1, STEPS), COUNTS, SECONDS, SECONDS)
PACES = st.builds(
    Pace,
    st.sampled_from(sorted(WORKS)),
    st.sampled_from([1, 2]),
    st.just("server2"),
    st.just("/data"),
    st.integers(1, 2**50),
    st.floats(0.001, 1e6),
    SECONDS,
)


def events(work: Work | None) -> list[Event]:
    """Return the events of a run that succeeds, without progress."""
    story: list[Event] = [PlanMade("basebackup", (), work)]
    for number in range(1, STEPS + 1):
        story += [StepStarted("do it", number, STEPS), StepFinished(number, STEPS, 1.0)]
    return story


def state_after(story: list[Event]) -> RunState:
    state = RunState()
    for event in story:
        state = state.after(event)
    return state


def is_sound(left_s: float | None) -> bool:
    return left_s is None or 0 <= left_s <= MAX_LEFT_S


@given(st.none() | WORKED, st.integers(0, 2 * STEPS), COUNTS, COUNTS, RATES)
def test_time_left_is_never_negative_nor_beyond_all_bounds(
    work: Work | None, at: int, done: int, total: int, rate: float
) -> None:
    state = state_after(events(work)[: at + 1])
    assert is_sound(state.seconds_left())
    assert is_sound(state.after(Progress(done, total, rate)).seconds_left())


@given(st.none() | WORKED, st.integers(0, 2 * STEPS))
def test_nothing_is_said_without_an_earlier_recovery(work: Work | None, at: int) -> None:
    bare = None if work is None else replace(work, expected_s=None)
    assert state_after(events(bare)[: at + 1]).seconds_left() is None


@given(FULL, st.integers(1, 2**50), st.floats(1e3, 1e12), st.data())
def test_time_left_falls_with_each_byte_down_to_that_of_the_later_steps(
    work: Work, total: int, rate: float, data: st.DataObject
) -> None:
    begun = state_after([PlanMade("delta", (), work), StepStarted("read", work.step, STEPS)])
    done = sorted(data.draw(st.lists(st.integers(0, total), min_size=2)))
    left = [begun.after(Progress(count, total, rate)).seconds_left() for count in done]
    known = [one for one in left if one is not None]
    assert known == sorted(known, reverse=True)
    assert begun.after(Progress(total, total, rate)).seconds_left() == work.after_s


@given(FULL)
def test_time_left_falls_from_step_to_step_to_zero(work: Work) -> None:
    short = replace(work, after_s=min(work.after_s or 0.0, float(STEPS - work.step)))
    story = events(short)
    left = [state_after(story[: end + 1]).seconds_left() for end in range(len(story))]
    known = [one for one in left if one is not None]
    assert known == sorted(known, reverse=True)
    assert len(known) == len(story)
    assert known[-1] == 0


@given(
    st.lists(PACES, max_size=4),
    st.sampled_from(list(Method)),
    st.none() | st.sampled_from(["32k", "10M", "1024M"]),
    st.none() | st.floats(1e3, 1e12),
    st.integers(0, 2**50),
    st.integers(0, 2**50),
)
def test_duration_is_never_negative_and_grows_with_the_bytes(
    paces: list[Pace], method: Method, rate: str | None, link: float | None, one: int, other: int
) -> None:
    """It grows as long as the same recovery tells: what tells of few bytes need not of many."""
    known = replace(facts(), paces=tuple(paces), link_bytes_per_s=link)
    policy = Policy(max_rate=None if rate is None else Rate(rate))
    situation = Situation(TARGET, known, policy)
    less, more = (duration_of(situation, method, size) for size in sorted([one, other]))
    assert all(made is None or 0 <= made.work_s <= made.seconds for made in (less, more))
    if less is not None and more is not None and less.why == more.why:
        assert less.bytes_per_s != more.bytes_per_s or less.work_s <= more.work_s
