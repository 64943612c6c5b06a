"""What the planner says about every situation in cases/, and that the cases leave nothing out."""

import ast
import re
from collections import Counter
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

import pgpool_recovery.plan
from pgpool_recovery.facts.policy import Method
from pgpool_recovery.plan.ladder import METHODS
from tests.unit.plan.case import Case, read_case
from tests.unit.plan.words import ExpectedPlan, ExpectedRefusal

CASES = Path(__file__).with_name("cases")
NAMES = sorted(str(file.relative_to(CASES).with_suffix("")) for file in CASES.rglob("*.toml"))
MIN_CASES = 5
MAX_TITLE = 100

PLAN = Path(pgpool_recovery.plan.__file__).parent
ELSEWHERE = ("restore.py", "named_host.py", "made.py")
"""Their rejections have tests of their own: test_restore.py, test_named_host.py, test_made.py."""
PASSED_ON = ("rejection.message", "str(over)")
"""Messages of rejections that are made from other rejections."""


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


def rejection_patterns() -> Iterator[tuple[str, str]]:
    """Yield where a rejection is made in the source, and its message as a regular expression."""
    for file in sorted(PLAN.glob("*.py")):
        if file.name in ELSEWHERE:
            continue
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.Call) and ast.unparse(node.func) == "Rejection":
                message = node.args[0]
                if ast.unparse(message) not in PASSED_ON:
                    yield f"{file.name}:{node.lineno}", pattern(message)


def pattern(message: ast.expr) -> str:
    """Return an expression for all texts that a literal can become."""
    match message:
        case ast.Constant(value=str(text)):
            return re.escape(text)
        case ast.FormattedValue():
            return ".+?"
        case ast.JoinedStr(values=values):
            return "".join(map(pattern, values))
        case _:
            raise AssertionError(f"cannot tell the messages of {ast.unparse(message)}")


def reasons() -> Iterator[str]:
    """Yield every reason that a case expects, each as the end of a line or before its detail."""
    for name in NAMES:
        match case(name).expected:
            case ExpectedPlan(passed_over=passed_over, notes=notes):
                yield from passed_over
                yield from (note for note in notes if note.startswith("not read from "))
            case ExpectedRefusal(refused=refused):
                yield from (f"refused: {reason.message}" for reason in refused)


@pytest.mark.parametrize(("where", "message"), [*rejection_patterns()])
def test_every_rejection_has_a_case(where: str, message: str) -> None:
    expression = re.compile(f"(: |; ){message}( \\(|; |$)")
    assert any(expression.search(reason) for reason in reasons()), f"{message} of {where}"
