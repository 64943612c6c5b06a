"""Text leaves the commands in one place, cli/say.py, where each line of it becomes one line.

What is printed may be the words of a target, a server or a file. A second way out would have to
remember that a line break in them forges a line, and that an escape sequence steers a terminal.
"""

import ast
from collections.abc import Iterator
from pathlib import Path

PACKAGE = Path("src/pgpool_recovery")
HOME = PACKAGE / "cli" / "say.py"
STREAMS = frozenset({"stdout", "stderr"})


def violations(root: Path) -> Iterator[str]:
    """Yield what writes to a standard stream elsewhere."""
    for file in sorted((root / PACKAGE).rglob("*.py")):
        path = file.relative_to(root)
        if path != HOME:
            for line in _writes(ast.parse(file.read_text())):
                yield f"{path}:{line}: text leaves elsewhere than by cli/say.py"


def _writes(tree: ast.Module) -> Iterator[int]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and _is_exit(node.func):
            yield node.lineno


def _is_exit(called: ast.expr) -> bool:
    """Say whether it is print(), or write() of a standard stream of our own."""
    if isinstance(called, ast.Name):
        return called.id == "print"
    if not isinstance(called, ast.Attribute) or called.attr not in ("write", "writelines"):
        return False
    stream = called.value
    if not isinstance(stream, ast.Attribute) or stream.attr not in STREAMS:
        return False
    return isinstance(stream.value, ast.Name) and stream.value.id == "sys"
