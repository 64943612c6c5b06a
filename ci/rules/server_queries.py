"""Check that queries of our PL/Python use only pg_catalog, with qualified names.

Names in a query of a PL/Python function are looked up by each call, with the search path of the
caller unless the function sets one, which the rule extension_scripts demands. That path is what
protects operators. Everything else is qualified nevertheless, in case such a function is ever
called in another way. Queries are strings that begin like one, and arguments of plpy's functions; a
query that is assembled from pieces cannot be checked here.

Nor is any object of ours named, by whatever schema: the owner of the schema could rename it, and
put another object there that a superuser then runs. Even a condition that checks whether it is ours
comes too late, because the planner calls functions declared IMMUTABLE. Our functions are called
from BEGIN ATOMIC or RETURN, which refer to them by OID.
"""

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pglast

from ci.rules import extension_scripts
from ci.sql_names import names_in_sql

SOURCES = "extension/python"
LOOKS_LIKE_QUERY = re.compile(r"\s*(?:select|with|insert|update|delete|call|do)\b", re.ASCII)
PIECE = re.compile(r"%[sd]|\{\w*\}")
PUT_IN = "put_in"
OURS = (extension_scripts.SCHEMA, "_pgpool", "pgpool_recovery", "pgpool_adm", "pcp_")
TAKE_A_QUERY = ("execute", "prepare", "cursor")


class Query(NamedTuple):
    """A query and its place."""

    file: str
    line: int
    text: str


def violations(root: Path) -> list[str]:
    """Return a line for each violation."""
    found = {one for query in queries(root) for one in violations_of(query)}
    return [f"{file}:{line}: {what}" for file, line, what in sorted(found)]


def violations_of(query: Query) -> Iterator[tuple[str, int, str]]:
    """Return the file, the line and the description of each violation in a query."""
    try:
        names = names_in_sql(query.text)
    except pglast.Error as error:
        yield query.file, query.line, f"this query cannot be parsed: {error.args[0]}"
        return
    for name in names:
        line = query.line + query.text[: name.offset].count("\n")
        if any(PUT_IN in word or word.startswith(OURS) for word in name.words):
            yield query.file, line, f"{name} is ours, but called by name"
        elif name.kind != "operator" and name.schema != "pg_catalog":
            yield query.file, line, f"{name} is looked up in the search path"


def queries(root: Path) -> list[Query]:
    """Return the queries in the modules, and those in a template."""
    found = [
        query
        for file in sorted((root / SOURCES).rglob("*.py"))
        for query in queries_in(str(file.relative_to(root)), file.read_text(), 1)
    ]
    known = {" ".join(query.text.split()) for query in found}
    for script in extension_scripts.scripts(root):
        for body in extension_scripts.bodies(script):
            if body.language.endswith("_python"):
                text = "def body():\n" + re.sub("^", " ", body.text, flags=re.MULTILINE)
                found += [
                    query
                    for query in queries_in(f"extension/{script.file}", text, body.line - 1)
                    if " ".join(query.text.split()) not in known
                ]
    return found


def queries_in(file: str, text: str, line: int) -> Iterator[Query]:
    """Return the queries in the text of a module that begins at a line of a file."""
    tree = ast.parse(text)
    plain = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    calls = [node for node in ast.walk(tree) if isinstance(node, ast.Call) and node.args]
    given = {id(call.args[0]) for call in calls if _takes_a_query(call)}
    for node in ast.walk(tree):
        if not isinstance(node, ast.Constant) or not isinstance(node.value, str):
            continue
        if id(node) in plain:  # A docstring.
            continue
        if id(node) in given or LOOKS_LIKE_QUERY.match(node.value):
            query = PIECE.sub(PUT_IN, node.value)
            yield Query(file, line + node.lineno - 1, query)


def _takes_a_query(call: ast.Call) -> bool:
    return isinstance(call.func, ast.Attribute) and call.func.attr in TAKE_A_QUERY
