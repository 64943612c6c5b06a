"""Text leaves the commands in one place, cli/say.py, where each line of it becomes one line.

What is printed may be the words of a target, a server or a file. A second way out would have to
remember that a line break in them forges a line, and that an escape sequence steers a terminal.
"""

import ast
from collections.abc import Iterator
from pathlib import Path

PACKAGE = Path("src/pgpool_recovery")
HOME = PACKAGE / "cli" / "say.py"
STREAMS = frozenset({"sys.stdout", "sys.stderr"})


def violations(root: Path) -> Iterator[str]:
    """Yield what writes to a standard stream elsewhere."""
    for file in sorted((root / PACKAGE).rglob("*.py")):
        path = file.relative_to(root)
        if path != HOME:
            for line in _writes(ast.parse(file.read_text())):
                yield f"{path}:{line}: text leaves elsewhere than by cli/say.py"


def _writes(tree: ast.Module) -> Iterator[int]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and (_is_exit(node) or _says_lines_as_one(node)):
            yield node.lineno


def _says_lines_as_one(call: ast.Call) -> bool:
    """Say whether lines are joined that cli/say.py takes one by one, and would show as one."""
    if not isinstance(call.func, ast.Name) or call.func.id not in ("say", "complain"):
        return False
    given = [word for word in call.args if not isinstance(word, ast.Starred)]
    return any(
        isinstance(part, ast.Constant) and isinstance(part.value, str) and "\n" in part.value
        for word in given
        for part in ast.walk(word)
    )


def _is_exit(call: ast.Call) -> bool:
    """Say whether it is print() of more than one line, or write() of a standard stream of ours."""
    if isinstance(call.func, ast.Name):
        return call.func.id == "print"
    if not isinstance(call.func, ast.Attribute):
        return False
    if call.func.attr == "print":  # Of a console of rich.
        return not (call.args and ast.unparse(call.args[0]).startswith("one_line("))
    is_write = call.func.attr in ("write", "writelines")
    return is_write and ast.unparse(call.func.value) in STREAMS
