"""Each name in a query of ours says its schema: pg_catalog, or that of our extension.

A session of ours has the search path pg_catalog, pg_temp (postgres/session.py), which this does not
replace: where it is not so one day, as in a pooler between, functions, relations and types are safe
all the same. Queries are the files of postgres/sql, and what is handed to `do` or `execute`.
"""

import ast
from collections.abc import Iterator
from pathlib import Path

from pglast.parser import ParseError

from ci.queries import QUERIES, Name, names_in

SOURCES = Path("src/pgpool_recovery")
HOME = SOURCES / "postgres"
TAKERS = frozenset({"do", "execute"})
REPLICATION_COMMANDS = frozenset({"IDENTIFY_SYSTEM"})
"""Another language, that of protocol-replication.html; it has no names."""
HOLE = "hole"


def violations(root: Path) -> Iterator[str]:
    """Yield each name that is not qualified, and each query that cannot be read."""
    for file in sorted((root / QUERIES).glob("*.sql")):
        yield from _of_query(file.read_text(), f"{file.relative_to(root)}", 1)
    for file in sorted((root / SOURCES).rglob("*.py")):
        where = file.relative_to(root)
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.Call) and _takes_query(node):
                yield from _of_call(node, where)


def _takes_query(call: ast.Call) -> bool:
    return isinstance(call.func, ast.Attribute) and call.func.attr in TAKERS and bool(call.args)


def _of_call(call: ast.Call, where: Path) -> Iterator[str]:
    match call.args[0]:
        case ast.Constant(value=str(text)):
            pass
        case ast.JoinedStr(values=parts):
            text = "".join(
                str(part.value) if isinstance(part, ast.Constant) else HOLE for part in parts
            )
        case _:
            if where.parent != HOME:
                yield f"{where}:{call.lineno}: a query that is not written where it is run"
            return
    if text not in REPLICATION_COMMANDS:
        yield from _of_query(text, str(where), call.lineno)


def _of_query(query: str, where: str, line: int) -> Iterator[str]:
    try:
        names = names_in(query).all_but_operators()
    except ParseError as error:
        yield f"{where}:{line}: no SQL: {error.args[0]}"
        return
    for name in names:
        if not _is_qualified(name):
            at = line + query.count("\n", 0, name.position)
            yield f"{where}:{at}: {name.kind} {name.text} needs pg_catalog. or {{extension}}."


def _is_qualified(name: Name) -> bool:
    return name.schema == "pg_catalog" or name.is_ours
