"""What the planner says of every situation in cases/."""

from collections import Counter
from functools import cache
from pathlib import Path

import pytest

from pgpool_recovery.plan.ladder import METHODS
from pgpool_recovery.plan.policy import Method
from tests.unit.plan.case import Case, read_case
from tests.unit.plan.words import ExpectedPlan

CASES = Path(__file__).with_name("cases")
NAMES = sorted(str(file.relative_to(CASES).with_suffix("")) for file in CASES.rglob("*.toml"))
MIN_CASES = 5
MAX_TITLE = 100


@cache
def case(name: str) -> Case:
    return read_case(CASES / f"{name}.toml")


@pytest.mark.parametrize("name", NAMES)
def test_case(name: str) -> None:
    assert case(name).outcome() == case(name).expected, case(name).title


def test_titles_are_short_and_differ() -> None:
    titles = Counter(case(name).title for name in NAMES)
    assert [title for title, count in titles.items() if count > 1 or len(title) > MAX_TITLE] == []


@pytest.mark.parametrize("method", METHODS)
def test_every_method_is_chosen_often(method: Method) -> None:
    expected = [case(name).expected for name in NAMES]
    chosen = [one for one in expected if isinstance(one, ExpectedPlan) and one.method is method]
    assert len(chosen) >= MIN_CASES
