"""Measure several ways to do the same in turn, and show their medians side by side."""

import statistics
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

OLDER, OURS, BARE = "older", "ours", "bare"
"""An earlier build, this checkout's, and the least that could be done instead."""

T = TypeVar("T")


@dataclass(frozen=True)
class Row:
    """One thing that is measured, with all measurements of each way."""

    what: str
    unit: str
    values: Mapping[str, Sequence[float]]


def in_turn(times: int, ways: Mapping[str, Callable[[], T]]) -> dict[str, list[T]]:
    """Measure all ways in turn, that many times; a first round warms up and is not counted."""
    rounds: list[dict[str, T]] = []
    for _ in range(times + 1):
        rounds.append({name: measure() for name, measure in ways.items()})
        print(rounds[-1], file=sys.stderr, flush=True)
    return {name: [one[name] for one in rounds[1:]] for name in ways}


def rows_of(
    measured: Mapping[str, Sequence[tuple[float, ...]]], *columns: tuple[str, str]
) -> list[Row]:
    """Return a row, with its name and unit, for each figure of a measurement."""
    return [
        Row(what, unit, {name: [one[i] for one in values] for name, values in measured.items()})
        for i, (what, unit) in enumerate(columns)
    ]


def table(rows: Sequence[Row], older: str) -> str:
    """Return a table in Markdown: medians, ratios to the earlier build and to the bare way."""
    head = ["what", older, "this checkout", "of that", "the bare way", "times that"]
    lines = [head, ["---", *["--:"] * (len(head) - 1)], *map(_cells, rows)]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def _cells(row: Row) -> list[str]:
    """Return the cells of a row.

    >>> _cells(Row("this", "s", {"older": [4.0, 5.0, 4.4], "ours": [2.2], "bare": [2.0]}))
    ['this', '4.40 s', '2.20 s', '0.50', '2.00 s', '1.10']
    >>> _cells(Row("that", "ms", {"older": [400.0], "ours": [100.0]}))
    ['that', '400 ms', '100 ms', '0.25', '', '']
    """
    medians = {name: statistics.median(values) for name, values in row.values.items()}
    digits = 2 if row.unit == "s" else 0
    older, ours, bare = (
        f"{medians[name]:.{digits}f} {row.unit}" if name in medians else ""
        for name in (OLDER, OURS, BARE)
    )
    of_older = f"{medians[OURS] / medians[OLDER]:.2f}"
    times_bare = f"{medians[OURS] / medians[BARE]:.2f}" if bare else ""
    return [row.what, older, ours, of_older, bare, times_bare]
