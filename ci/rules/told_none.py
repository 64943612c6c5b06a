"""Check that no message says "None": a value that may be absent is used only after a check.

``strerror`` and ``filename`` are None in an OSError that was raised by a library, such as
shutil.copytree; `reason_of` in domain/error.py always returns a text. The detail of a failure, and
the other attributes listed here, are None where there is nothing more to report. A text with one of
them must be guarded by a check of that attribute, or by "or". To show a failure in a line, use its
``in_a_line``.
"""

import ast
from collections.abc import Iterator
from pathlib import Path

FOLDERS = ("src/pgpool_recovery", "extension/python")
HOME = Path("src/pgpool_recovery/domain/error.py")
OF_SYSTEM = frozenset({"strerror"})
"""Used only in one place, or before "or"."""
ABSENT = frozenset({"strerror", "filename", "detail", "problem", "server_problem", "stderr"})
"""Attributes that may be None."""

EXCEPTIONS = {
    ("src/pgpool_recovery/check/host.py", "script.problem"): "of a script that cannot run",
    ("src/pgpool_recovery/plan/restore.py", "found.problem"): "of NoBackup, a str",
}
"""By file and expression: why it is never None there."""


def violations(root: Path) -> Iterator[str]:
    """Yield each text that could contain "None"."""
    for folder in FOLDERS:
        for file in sorted((root / folder).rglob("*.py")):
            path = file.relative_to(root)
            if path != HOME:
                for node in _unasked(ast.parse(file.read_text())):
                    shown = ast.unparse(node)
                    if (path.as_posix(), shown) not in EXCEPTIONS:
                        yield f"{path}:{node.lineno}: {shown} may be None, which is not checked"


def _unasked(tree: ast.Module) -> Iterator[ast.Attribute]:
    above = {inner: outer for outer in ast.walk(tree) for inner in ast.iter_child_nodes(outer)}
    for node in ast.walk(tree):
        if not isinstance(node, ast.Attribute) or node.attr not in ABSENT:
            continue
        if ast.unparse(node) == "os.strerror":
            continue  # That is a function.
        outer = above.get(node)
        is_told = isinstance(outer, ast.FormattedValue) or _is_percent(above, node)
        if (is_told or node.attr in OF_SYSTEM) and not _is_asked(node, above):
            yield node


def _is_percent(above: dict[ast.AST, ast.AST], node: ast.AST) -> bool:
    """Return whether it is put into a text by the operator %, alone or among others."""
    outer = above.get(node)
    if isinstance(outer, ast.Tuple):
        node, outer = outer, above.get(outer)
    return isinstance(outer, ast.BinOp) and isinstance(outer.op, ast.Mod) and outer.right is node


def _is_asked(node: ast.Attribute, above: dict[ast.AST, ast.AST]) -> bool:
    """Return whether it is in a check itself, guarded by one, or before "or"."""
    shown, inner, outer = ast.unparse(node), node, above.get(node)
    while outer is not None and not isinstance(outer, ast.FunctionDef | ast.ClassDef):
        match outer:
            case ast.BoolOp(op=ast.Or(), values=values) if inner in values[:-1]:
                return True
            case ast.BoolOp(op=ast.And(), values=values):
                if any(shown in ast.unparse(value) for value in values if value is not inner):
                    return True
            case ast.IfExp(test=test) | ast.If(test=test) | ast.While(test=test):
                if shown in ast.unparse(test):
                    return True
            case ast.Compare():
                return True
        inner, outer = outer, above.get(outer)  # type: ignore[assignment]
    return False
