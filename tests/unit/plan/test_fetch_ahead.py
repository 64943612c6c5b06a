"""When WAL is fetched from an archive ahead of the server, and within which bounds."""

from dataclasses import replace

import pytest

from pgpool_recovery.domain.wal import TimelineId
from pgpool_recovery.facts.archived_wal import FetchAhead, FromArchive, Origin
from pgpool_recovery.plan.fetch_ahead import (
    LEAST_FILES,
    MOST_AT_ONCE,
    MOST_KEPT,
    MOST_TRIED_BYTES,
    MOST_WAITING,
    MOST_WAITING_BYTES,
    fetch_ahead,
    notes_on_ahead,
    notes_on_none_ahead,
    tried_at_once,
)
from pgpool_recovery.plan.situation import Situation
from tests.unit.plan.case import read_case
from tests.unit.plan.situation import SEGMENT
from tests.unit.plan.test_from_archive import CASES

ENOUGH = 2**40


def situation(workers: int | None = None) -> Situation:
    case = read_case(CASES / "catch_up/archive_has_the_wal.toml")
    return Situation(case.target, case.facts, replace(case.policy, workers=workers))


def source(files: int) -> FromArchive:
    size = files * SEGMENT
    names = ("000000010000000000000001", "000000010000000000000009")
    of_one = TimelineId(1)
    return FromArchive(Origin.OWN, "fetch %f %p", *names, files, size, 10, of_one, 60.0)


def made(files: int = 9, spare: int = ENOUGH, workers: int | None = None) -> FetchAhead | None:
    return fetch_ahead(situation(workers), source(files), spare)


def test_exactly_the_files_of_the_gap() -> None:
    ahead = made()
    assert ahead is not None
    assert (ahead.kept_from, ahead.first, ahead.last) == (1, 1, 9)
    assert (ahead.command, ahead.timeout_s) == ("fetch %f %p", 60.0)
    assert (ahead.at_once, ahead.most) == (MOST_AT_ONCE, MOST_WAITING)


def test_nothing_without_an_archive_or_for_a_few_files() -> None:
    assert fetch_ahead(situation(), None, ENOUGH) is None
    assert made(LEAST_FILES - 1) is None
    assert made(LEAST_FILES) is not None


def test_it_can_be_turned_off() -> None:
    found = situation()
    off = replace(found, facts=replace(found.facts, fetches_ahead=False))
    assert fetch_ahead(off, source(9), ENOUGH) is None


@pytest.mark.parametrize(
    ("spare", "most", "at_once"),
    [(5 * SEGMENT, 5, 4), (3 * SEGMENT - 1, 2, 2), (ENOUGH, 32, 4)],
)
def test_what_waits_fits(spare: int, most: int, at_once: int) -> None:
    ahead = made(spare=spare)
    assert ahead is not None
    assert (ahead.most, ahead.at_once) == (most, at_once)


@pytest.mark.parametrize("spare", [SEGMENT - 1, 0, -SEGMENT])
def test_nothing_without_room(spare: int) -> None:
    assert made(spare=spare) is None


def test_big_segments_are_few() -> None:
    found = situation()
    wal = replace(found.wal, segment_bytes=2**28)
    primary = replace(found.facts.primary, wal=wal)
    big = replace(found, facts=replace(found.facts, primary=primary))
    ahead = fetch_ahead(big, source(9), ENOUGH)
    assert ahead is not None
    assert ahead.most * 2**28 == MOST_WAITING_BYTES


@pytest.mark.parametrize(("workers", "at_once"), [(1, 1), (3, 3), (16, MOST_AT_ONCE)])
def test_workers_of_the_policy(workers: int, at_once: int) -> None:
    ahead = made(workers=workers)
    assert ahead is not None
    assert ahead.at_once == at_once


def test_note_says_the_bounds() -> None:
    assert notes_on_ahead(None) == ()
    (note,) = notes_on_ahead(made(spare=SEGMENT))
    assert "1 of them at a time" in note
    assert note.endswith("at most 1 file waits in pg_wal")


def test_methods_that_fetch_nothing_ahead_say_so() -> None:
    assert notes_on_none_ahead(None) == ()
    assert notes_on_none_ahead(source(LEAST_FILES - 1)) == ()
    (note,) = notes_on_none_ahead(source(LEAST_FILES))
    assert note.endswith("only catch-up fetches them ahead")


def test_files_that_the_node_has_itself() -> None:
    """From where its replay begins on, within a limit."""
    found = situation()
    redo = found.follows.base.redo.lsn // SEGMENT
    for further, kept in ((0, 0), (3, 3), (MOST_KEPT + 9, MOST_KEPT)):
        begin = redo + further
        ahead = fetch_ahead(found, replace(source(9), next_segment=begin + 9), ENOUGH)
        assert ahead is not None
        assert (ahead.first, ahead.first - ahead.kept_from) == (begin, kept)


@pytest.mark.parametrize("command", ["wal-g wal-fetch %f %p", "/usr/bin/wal-g wal-fetch %f %p"])
def test_command_that_fetches_ahead_by_itself(command: str) -> None:
    own = replace(source(9), command=command)
    assert fetch_ahead(situation(), own, ENOUGH) is None
    assert tried_at_once(command, SEGMENT, None, is_allowed=True) == 1


@pytest.mark.parametrize(
    ("segment_bytes", "workers", "at_once"),
    [
        (SEGMENT, None, MOST_AT_ONCE),
        (SEGMENT, 3, 3),
        (SEGMENT, 16, MOST_AT_ONCE),
        (MOST_TRIED_BYTES // 2, None, 2),
        (MOST_TRIED_BYTES * 4, None, 1),
    ],
)
def test_files_that_are_tried(segment_bytes: int, workers: int | None, at_once: int) -> None:
    assert tried_at_once("fetch %f %p", segment_bytes, workers, is_allowed=True) == at_once
    assert tried_at_once("fetch %f %p", segment_bytes, workers, is_allowed=False) == 1
