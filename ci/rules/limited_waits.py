"""Check that every wait has a limit: for a program, a lock, a thread or a socket.

Where something else ends the wait, a comment in the same line or the one before names it:
``# no limit: …``. Requests to an agent and new sessions need an explicit limit.
"""

import ast
from collections.abc import Iterator
from pathlib import Path

SOURCES = Path("src/pgpool_recovery")
REASON = "# no limit: "
FOR_EVER = frozenset({"wait", "join", "acquire", "communicate", "result", "get"})
"""Methods that wait forever when called without arguments."""
PROGRAMS = frozenset({"run", "check_call", "check_output", "call"})


def violations(root: Path) -> Iterator[str]:
    """Yield each call that may wait forever, without a comment on why it does not."""
    for file in sorted((root / SOURCES).rglob("*.py")):
        text = file.read_text()
        lines = text.splitlines()
        for node in ast.walk(ast.parse(text)):
            what = _without_limit(node) if isinstance(node, ast.Call) else None
            if what is None:
                continue
            assert isinstance(node, ast.Call)  # noqa: S101 - checked above
            around = lines[max(0, node.lineno - 2) : node.end_lineno]
            if not any(REASON in line for line in around):
                yield f"{file.relative_to(root)}:{node.lineno}: {what} without a limit"


def _without_limit(call: ast.Call) -> str | None:
    keywords = {keyword.arg: keyword.value for keyword in call.keywords}
    if any(_is_endless(keywords.get(name)) for name in ("timeout", "timeout_s", "within_s")):
        return "a wait"
    match call.func:
        case ast.Attribute(attr=str(name)) if name in FOR_EVER and not call.args and not keywords:
            return f"{name}()"
        case ast.Attribute(value=ast.Name(id="subprocess"), attr=str(name)) if name in PROGRAMS:
            return None if "timeout" in keywords else f"subprocess.{name}()"
        case ast.Attribute(value=ast.Name(id="select"), attr="select"):
            return None if len(call.args) == 4 else "select()"
        case ast.Attribute(attr="flock"):
            names = {node.attr for node in ast.walk(call) if isinstance(node, ast.Attribute)}
            return None if names & {"LOCK_NB", "LOCK_UN"} else "flock()"
        case ast.Attribute(attr="ask", value=asked) if ast.unparse(asked).endswith("agent"):
            return None if "timeout_s" in keywords else "ask()"
        case ast.Name(id="connect") if not {"timeout_s", "answer_s"} <= keywords.keys():
            return "connect()"
        case _:
            return None


def _is_endless(value: ast.expr | None) -> bool:
    match value:
        case ast.Constant(value=None) | ast.Name(id="inf") | ast.Attribute(attr="inf"):
            return True
        case _:
            return False
