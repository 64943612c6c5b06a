"""How long a plan will take: what tells, what limits, and when nothing is said."""

from typing import Any

import pytest

from pgpool_recovery.check.estimates import estimate
from pgpool_recovery.domain.node import NodeId, Target
from pgpool_recovery.domain.record import replace
from pgpool_recovery.domain.work import Work
from pgpool_recovery.facts.own_method import OwnMethod
from pgpool_recovery.facts.pace import Pace
from pgpool_recovery.facts.policy import Method, Policy, Rate
from pgpool_recovery.plan.duration import FROM_ARCHIVE, NOT_KNOWN, STREAMED, Duration, duration_of
from pgpool_recovery.plan.ladder import make_plan
from pgpool_recovery.plan.meanwhile import meanwhile
from pgpool_recovery.plan.plan import Plan
from pgpool_recovery.plan.situation import Situation
from tests.unit.plan.situation import GB, TARGET, facts, primary

COPY = Policy(methods=(Method.BASEBACKUP,))
MB = 2**20


def pace(**changes: Any) -> Pace:
    """Return a full copy of node 1: 8400 MB in 100 s, and 20 s for the rest."""
    last = Pace(Method.BASEBACKUP, 1, TARGET.host, TARGET.data_directory, 8400 * MB, 100.0, 20.0)
    return replace(last, **changes)


OF_NODE_2 = pace(node_id=2, host="server3", work_s=200.0)


def of(
    *paces: Pace,
    method: Method = Method.BASEBACKUP,
    size_bytes: int | None = 8400 * MB,
    target: Target = TARGET,
    link: float | None = None,
    max_rate: str | None = None,
    kind: str | None = None,
) -> Duration | None:
    known = replace(facts(), paces=paces, link_bytes_per_s=link)
    policy = Policy(max_rate=None if max_rate is None else Rate(max_rate))
    return duration_of(Situation(target, known, policy), method, size_bytes, kind)


def replay(**changes: Any) -> Pace:
    """Return a catch-up of node 1: 840 MB of WAL in 10 s, nearly all of it after the last step."""
    last = pace(method=Method.CATCH_UP, work_bytes=840 * MB, work_s=0.5, after_s=9.5)
    return replace(last, kind=STREAMED, **changes)


def by_command(**changes: Any) -> Pace:
    """Return a recovery of node 1 by the command "zfs": 90 s, and 30 s for the rest."""
    last = pace(method=Method.COMMAND, work_bytes=0, work_s=90.0, after_s=30.0)
    return replace(last, **({"kind": "zfs"} | changes))


@pytest.mark.parametrize(
    ("made", "said"),
    [
        pytest.param(
            of(pace()), "about 2 min (as the last full copy of node 1: 84 MB/s)", id="the same node"
        ),
        pytest.param(
            of(OF_NODE_2),
            "about 4 min (as the last full copy of node 2: 42 MB/s)",
            id="another node",
        ),
        pytest.param(
            of(OF_NODE_2, pace()),
            "about 2 min (as the last full copy of node 1: 84 MB/s)",
            id="its own counts before a newer one of another node",
        ),
        pytest.param(
            of(pace(work_s=50.0), pace()),
            "about 70 s (as the last full copy of node 1: 168 MB/s)",
            id="the newest one",
        ),
        pytest.param(
            of(pace(node_id=None), target=replace(TARGET, node_id=None)),
            "about 2 min (as the last full copy of server2:/var/lib/pgsql/15/data: 84 MB/s)",
            id="a node without an id",
        ),
        pytest.param(
            of(pace(), max_rate="20M"),
            "at least 7 min (max_rate: 20 MB/s)",
            id="the limit is lower",
        ),
        pytest.param(
            of(pace(), max_rate="200M"),
            "about 2 min (as the last full copy of node 1: 84 MB/s)",
            id="the limit is higher",
        ),
        pytest.param(of(max_rate="10M"), "at least 14 min (max_rate: 10 MB/s)", id="a limit"),
        pytest.param(of(link=100.0 * MB), "about 84 s (the link: 100 MB/s)", id="the link"),
        pytest.param(
            of(link=100.0 * MB, max_rate="20M"),
            "at least 7 min (max_rate: 20 MB/s)",
            id="the lower of two limits",
        ),
        pytest.param(
            of(pace(), link=100.0 * MB),
            "about 2 min (as the last full copy of node 1: 84 MB/s)",
            id="the record counts before the link",
        ),
        pytest.param(
            of(pace(method=Method.DELTA), method=Method.DELTA),
            "about 2 min (as the last comparison of blocks of node 1: 84 MB/s)",
            id="a delta",
        ),
    ],
)
def test_what_tells(made: Duration | None, said: str) -> None:
    assert str(made) == said


CATCH_UP: dict[str, Any] = {"method": Method.CATCH_UP, "kind": STREAMED}
COMMAND: dict[str, Any] = {"method": Method.COMMAND, "kind": "zfs", "size_bytes": None}


@pytest.mark.parametrize(
    ("made", "said"),
    [
        pytest.param(
            of(replay(), **CATCH_UP),
            "about 2 min (as the last catch-up of node 1: 84 MB/s)",
            id="a catch-up",
        ),
        pytest.param(
            of(replay(), method=Method.REPOINT, kind=STREAMED),
            "about 2 min (as the last catch-up of node 1: 84 MB/s)",
            id="a repoint, as the server replays in the same way",
        ),
        pytest.param(
            of(replace(replay(), kind=FROM_ARCHIVE), method=Method.CATCH_UP, kind=FROM_ARCHIVE),
            "about 2 min (as the last catch-up from an archive of node 1: 84 MB/s)",
            id="a catch-up from an archive",
        ),
        pytest.param(
            of(by_command(), **COMMAND),
            "about 2 min (as the last one by zfs)",
            id="a command",
        ),
    ],
)
def test_what_tells_of_replay_and_of_a_command(made: Duration | None, said: str) -> None:
    assert str(made) == said


@pytest.mark.parametrize(
    "made",
    [
        pytest.param(of(**CATCH_UP), id="no record"),
        pytest.param(of(replace(replay(), kind=FROM_ARCHIVE), **CATCH_UP), id="another source"),
        pytest.param(of(replace(replay(), kind=None), **CATCH_UP), id="an unknown source"),
        pytest.param(of(replay(after_s=9.4), **CATCH_UP), id="mostly the start of the server"),
        pytest.param(of(replay(), **CATCH_UP | {"size_bytes": 255 * MB}), id="little WAL"),
        pytest.param(of(pace(), **COMMAND), id="another method"),
        pytest.param(of(by_command(kind="lvm"), **COMMAND), id="another command"),
        pytest.param(of(by_command(node_id=2), **COMMAND), id="another node"),
    ],
)
def test_what_does_not_tell_of_replay_or_of_a_command(made: Duration | None) -> None:
    assert made is None


@pytest.mark.parametrize(
    ("method", "seconds"), [(Method.CATCH_UP, (0.0, 100.0)), (Method.REPOINT, (100.0, 0.0))]
)
def test_replay_comes_after_the_last_step_unless_the_server_runs(
    method: Method, seconds: tuple[float, float]
) -> None:
    made = of(replay(), method=method, kind=STREAMED)
    assert made is not None
    assert (made.work_s, made.after_s) == seconds


@pytest.mark.parametrize(
    "made",
    [
        pytest.param(of(), id="no record and no limit"),
        pytest.param(of(pace(), size_bytes=None), id="it is not known how much there is"),
        pytest.param(of(pace(), method=Method.DELTA), id="another method is on record"),
        pytest.param(of(link=1e6, method=Method.DELTA), id="a delta hardly uses the link"),
        pytest.param(of(max_rate="10M", method=Method.REWIND), id="max_rate does not limit that"),
        pytest.param(
            of(pace(work_bytes=30 * MB, work_s=0.5)), id="a short step says nothing of a long one"
        ),
    ],
)
def test_what_cannot_be_known_is_not_invented(made: Duration | None) -> None:
    assert made is None


def test_a_short_step_tells_of_another_short_one() -> None:
    short = pace(work_bytes=30 * MB, work_s=0.5)
    assert of(short, size_bytes=300 * MB) is not None
    assert of(short, size_bytes=301 * MB) is None
    assert of(replace(short, work_s=60.0), size_bytes=301 * MB) is not None


@pytest.mark.parametrize(
    ("node_id", "host", "is_same"),
    [
        (1, "elsewhere", True),
        (2, TARGET.host, False),
        (None, TARGET.host, True),
        (None, "x", False),
    ],
)
def test_node_is_known_by_its_id_or_else_by_its_place(
    node_id: int | None, host: str, *, is_same: bool
) -> None:
    assert TARGET.node_id == NodeId(1)
    assert pace(node_id=node_id, host=host).is_of(TARGET) is is_same


def planned(*paces: Pace, wal_rate: float | None = None) -> Plan:
    known = replace(facts(), primary=primary(wal_bytes_per_s=wal_rate), paces=paces)
    made = make_plan(TARGET, replace(known, target=replace(known.target, server_pid=None)), COPY)
    assert isinstance(made, Plan)
    return made


def test_plan_says_how_long_it_takes_and_which_step_takes_longest() -> None:
    made = planned(pace())
    assert "it takes about 2 min (as the last full copy of node 1: 84 MB/s)" in made.sentences()
    assert made.work is not None
    assert made.work.size_bytes == made.work_bytes == 10 * GB
    assert (round(made.work.expected_s or 0), made.work.after_s) == (122, 20.0)
    assert str(made.steps[made.work.step - 1]).startswith("copy about 10 GB")


def planned_by(method: Method, *paces: Pace) -> Plan:
    known = replace(facts(), paces=paces, own_methods=(OwnMethod("zfs", ("/bin/zfs",)),))
    made = make_plan(TARGET, known, Policy(methods=(method,)))
    assert isinstance(made, Plan), made
    return made


def test_plan_of_a_catch_up_says_how_long_it_takes() -> None:
    made = planned_by(Method.CATCH_UP, replay())
    assert made.work_bytes is not None
    assert made.work_bytes > 256 * MB
    assert made.work is not None
    assert (made.work.step, made.work.size_bytes) == (len(made.steps), made.work_bytes)
    assert (made.work.expected_s, made.work.kind) == (0.0, STREAMED)
    assert made.work.after_s == pytest.approx(made.work_bytes / (84 * MB))
    assert any(s.endswith("(as the last catch-up of node 1: 84 MB/s)") for s in made.sentences())


def test_catch_up_of_little_wal_has_no_work_on_record() -> None:
    made = planned_by(Method.CATCH_UP)
    assert made.work is not None
    assert replace(made, work_bytes=255 * MB).work is None


def test_plan_of_a_command_says_how_long_it_takes() -> None:
    made = planned_by(Method.COMMAND, by_command())
    assert "it takes about 2 min (as the last one by zfs)" in made.sentences()
    assert made.work is not None
    assert made.work == Work(made.work.step, 0, 90.0, 30.0, "zfs")
    assert "run the command of method zfs" in str(made.steps[made.work.step - 1])


@pytest.mark.parametrize("method", [Method.CATCH_UP, Method.COMMAND])
def test_nothing_is_said_of_what_only_a_record_tells(method: Method) -> None:
    made = planned_by(method)
    assert not any("takes" in sentence for sentence in made.sentences())
    assert NOT_KNOWN not in estimate(made)


def test_plan_without_an_earlier_recovery_says_so() -> None:
    made = planned()
    assert "how long it takes is not known: no earlier recovery to judge by" in made.sentences()
    assert made.work == Work(made.work.step if made.work else 0, 10 * GB)


def test_wal_that_is_written_meanwhile_is_that_of_the_same_time() -> None:
    (told,) = (s for s in planned(pace(), wal_rate=2.0 * MB).sentences() if "meanwhile" in s)
    assert told == "about 244 MB of WAL will be written meanwhile (2048 kB/s for about 2 min)"


def test_link_that_is_slower_this_time_counts() -> None:
    """Otherwise a fast copy on record would hide that the WAL fills the primary's disk."""
    known = replace(facts(), primary=primary(wal_bytes_per_s=2.0 * MB), link_bytes_per_s=10.0 * MB)
    forecast = meanwhile(known, Policy(), 10 * GB, of(pace()))
    assert forecast is not None
    assert forecast.seconds == pytest.approx(1024)
