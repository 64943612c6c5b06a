"""Check that each name in our queries has its schema: pg_catalog, or that of our extension.

Our sessions have the search path pg_catalog, pg_temp (postgres/session.py), which this rule does
not replace. Should that path not be in effect one day, for example behind a pooler, functions,
relations and types are still safe; only operators depend on it. Queries are the files in
postgres/sql, and the arguments of `do` and `execute`. All are ASCII, including comments: the server
converts a query as a whole to the encoding of the database, and refuses it if that lacks a
character.
"""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pglast

from ci.sql_names import Name, names_in_sql

QUERIES = Path("src/pgpool_recovery/postgres/sql")
PARAMETER = re.compile(r"%\(\w+\)s")
EXTENSION = "{extension}"
OURS = '"extension"'
"""As long as the placeholder that it replaces, so offsets are the same in both texts."""
SOURCES = Path("src/pgpool_recovery")
HOME = SOURCES / "postgres"
TAKERS = frozenset({"do", "execute"})
REPLICATION_COMMANDS = frozenset({"IDENTIFY_SYSTEM"})
"""Another language, that of protocol-replication.html; it has no names."""
HOLE = "hole"


def violations(root: Path) -> Iterator[str]:
    """Yield each name that is not qualified, and each query that cannot be parsed."""
    for file in sorted((root / QUERIES).glob("*.sql")):
        yield from _of_query(file.read_text(), f"{file.relative_to(root)}", 1)
    for file in sorted((root / SOURCES).rglob("*.py")):
        where = file.relative_to(root)
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.Call) and _takes_query(node):
                yield from _of_call(node, where)


def names_in_query(query: str) -> list[Name]:
    """Return the names in a query with psycopg's placeholders; raises pglast.Error."""
    readable = PARAMETER.sub(lambda place: "$1".ljust(len(place[0])), query)
    return names_in_sql(readable.replace("%%", "% ").replace(EXTENSION, OURS))


def is_ours(name: Name) -> bool:
    """Return whether a query names an object of the extension."""
    return name.schema == "extension"


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
    for number, text in enumerate(query.splitlines(), line):
        if not text.isascii():
            yield f"{where}:{number}: not every database encoding has all characters of this"
    try:
        names = names_in_query(query)
    except pglast.Error as error:
        yield f"{where}:{line}: not SQL: {error.args[0]}"
        return
    for name in names:
        if name.kind != "operator" and name.schema != "pg_catalog" and not is_ours(name):
            at = line + query.count("\n", 0, name.offset)
            yield f"{where}:{at}: {name} needs pg_catalog. or {EXTENSION}."
