"""Check that WAL positions are compared as numbers, never as text.

Servers up to 18 print `0/3000060`, 19 prints `0/03000060`, and neither form sorts in WAL order. So
text is parsed where it comes in (`parse_lsn`). A comparison must not contain a literal of that
form, an `lsn_text`, a line of pg_controldata, a column of a row or a position from the harness. A
test of the text itself has a comment in the same line or the one before: ``# as text: …``. In
queries, no position is cast to text before it is compared.
"""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

SOURCES = ("src", "extension", "tests", "bench", "demo", "ci")
REASON = "# as text: "
LITERAL = re.compile(r"[0-9A-F]{1,8}/[0-9A-F]{1,8}", re.IGNORECASE)
KEY = re.compile(r"lsn|\blocation$|^position$", re.IGNORECASE)
"""The keys of positions in a row, in a manifest, and in the output of pg_controldata."""
FUNCTIONS = frozenset({"lsn_text", "end_of", "redo_of"})
METHODS = frozenset({"wal_position"})
"""What returns a position as text; the last three belong to the harness."""
IN_ORDER = frozenset({"max", "min", "sorted"})
SCOPES = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda, ast.ClassDef)
IN_SQL = re.compile(
    r"(?:lsn\w*(?:\([^()]*\))?|'[0-9A-F]{1,8}/[0-9A-F]{1,8}')\s*::\s*(?:pg_catalog\.)?(?:text|name)"
    r"\s*(?:[<>=!~]|is\s|like\b|in\b|between\b)",
    re.IGNORECASE,
)


def violations(root: Path) -> Iterator[str]:
    """Yield each comparison of a position as text, in Python and in the files of queries."""
    for folder in SOURCES:
        for file in sorted((root / folder).rglob("*.py")):
            path, text = file.relative_to(root), file.read_text()
            for line in _comparisons(ast.parse(text), text.splitlines()):
                yield f"{path}:{line}: a position in the WAL is compared as text"
        for file in sorted((root / folder).rglob("*.sql")):
            for number, text in enumerate(file.read_text().splitlines(), start=1):
                if IN_SQL.search(text):
                    path = file.relative_to(root)
                    yield f"{path}:{number}: a position in the WAL is compared as text"


def _comparisons(tree: ast.Module, lines: list[str]) -> Iterator[int]:
    for node, names in _with_names(tree):
        match node:
            case ast.Compare(ops=[ast.Is() | ast.IsNot()]):
                continue
            case ast.Compare():
                is_text = any(_is_text(one, names) for one in (node.left, *node.comparators))
            case ast.Call(func=ast.Name(id=name), keywords=[]) if name in IN_ORDER:
                is_text = any(_is_text(one, names) for one in node.args)
            case ast.MatchValue(value=value):
                is_text = _is_text(value, names)
            case _:
                continue
        around = lines[max(0, node.lineno - 2) : node.end_lineno]
        if is_text and not any(REASON in line for line in around):
            yield node.lineno


def _with_names(tree: ast.Module) -> Iterator[tuple[ast.AST, frozenset[str]]]:
    """Yield each node with the names that hold a position as text in its function."""
    stack: list[tuple[ast.AST, frozenset[str]]] = [(tree, _bound(tree))]
    while stack:
        node, names = stack.pop()
        yield node, names
        stack += (
            (child, names | _bound(child) if isinstance(child, SCOPES) else names)
            for child in ast.iter_child_nodes(node)
        )


def _bound(scope: ast.AST) -> frozenset[str]:
    return frozenset(
        target.id
        for node in _own(scope)
        if isinstance(node, ast.Assign) and _is_text(node.value, frozenset())
        for target in node.targets
        if isinstance(target, ast.Name)
    )


def _own(scope: ast.AST) -> Iterator[ast.AST]:
    """Yield the nodes of a scope, without those of scopes within it."""
    for child in ast.iter_child_nodes(scope):
        yield child
        if not isinstance(child, SCOPES):
            yield from _own(child)


def _is_text(node: ast.expr, names: frozenset[str]) -> bool:
    match node:
        case ast.Constant(value=str(text)):
            return LITERAL.fullmatch(text) is not None
        case ast.Name(id=name):
            return name in names
        case ast.Subscript(slice=ast.Constant(value=str(key))):
            return KEY.search(key) is not None
        case ast.Call(func=ast.Name(id=name)):
            return name in FUNCTIONS
        case ast.Call(func=ast.Attribute(attr=name)):
            return name in METHODS
        case ast.Tuple(elts=parts) | ast.List(elts=parts) | ast.Set(elts=parts):
            return any(_is_text(part, names) for part in parts)
        case _:
            return False
