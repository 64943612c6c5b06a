"""Check that commands write text only in cli/say.py, where each line stays a single line.

The text may come from a target, a server or a file. Any other place would have to remember that a
line break in it forges a line, and that an escape sequence controls a terminal.
"""

import ast
from collections.abc import Iterator
from pathlib import Path

PACKAGE = Path("src/pgpool_recovery")
HOME = PACKAGE / "cli" / "say.py"
STREAMS = frozenset({"sys.stdout", "sys.stderr"})


def violations(root: Path) -> Iterator[str]:
    """Yield each place elsewhere that writes to a standard stream."""
    for file in sorted((root / PACKAGE).rglob("*.py")):
        path = file.relative_to(root)
        if path != HOME:
            for line in _writes(ast.parse(file.read_text())):
                yield f"{path}:{line}: text is written outside of cli/say.py"


def _writes(tree: ast.Module) -> Iterator[int]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and (_is_exit(node) or _says_lines_as_one(node)):
            yield node.lineno


def _says_lines_as_one(call: ast.Call) -> bool:
    """Return whether lines are joined that cli/say.py takes one by one, and would show as one."""
    if not isinstance(call.func, ast.Name) or call.func.id not in ("say", "complain"):
        return False
    given = [word for word in call.args if not isinstance(word, ast.Starred)]
    return any(
        isinstance(part, ast.Constant) and isinstance(part.value, str) and "\n" in part.value
        for word in given
        for part in ast.walk(word)
    )


def _is_exit(call: ast.Call) -> bool:
    """Return whether it is print() of more than one line, or write() of our standard streams."""
    if isinstance(call.func, ast.Name):
        return call.func.id == "print"
    if not isinstance(call.func, ast.Attribute):
        return False
    if call.func.attr == "print":  # This is the method of a rich console.
        return not (call.args and ast.unparse(call.args[0]).startswith("one_line("))
    is_write = call.func.attr in ("write", "writelines")
    return is_write and ast.unparse(call.func.value) in STREAMS
