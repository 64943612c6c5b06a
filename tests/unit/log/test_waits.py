"""Each wait is logged, so a process that waits can be distinguished from one that hangs."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pgpool_recovery
from pgpool_recovery.log.note import turn_off, turn_on, waits

SOURCE = Path(pgpool_recovery.__file__).parent
SLEEPS = frozenset({"time.sleep", "stop.wait"})
LOGGED_OTHERWISE = frozenset(
    {
        "agent/channel/page_check.py: page_checker",  # For a moment, and often; it contains
        "agent/channel/page_check.py: check_pages",  # this function.
        "control/watch.py: watch",  # It shows what it waits for.
        "talk/conversation.py: converse",  # With the greeting of the next agent.
        "pcp/client/link.py: _finish_connecting",  # With the request to Pgpool-II (pcp/pool.py).
    }
)


def waiting_functions() -> Iterator[tuple[str, ast.FunctionDef]]:
    for file in sorted(SOURCE.rglob("*.py")):
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.FunctionDef) and any(map(_sleeps, ast.walk(node))):
                yield f"{file.relative_to(SOURCE)}: {node.name}", node


def _sleeps(node: ast.AST) -> bool:
    return isinstance(node, ast.Call) and ast.unparse(node.func) in SLEEPS


def test_each_function_that_waits_is_logged() -> None:
    found = dict(waiting_functions())
    assert len(found) > 20
    silent = {
        name
        for name, function in found.items()
        if not any(ast.unparse(each).startswith("waits(") for each in function.decorator_list)
    }
    assert silent == LOGGED_OTHERWISE


def test_wait_says_for_what_how_long_and_why_it_ended() -> None:
    @waits("the server to end")
    def is_over(times: int) -> bool:
        return times > 1

    assert is_over(2)
    lines: list[str] = []
    turn_on(lines.append, "x")
    assert not is_over(times=1)
    turn_off()
    assert lines[1].endswith("x: waits for the server to end")
    assert re.search(r"waits for the server to end ended after \d+\.\d{3} s: False$", lines[2])
