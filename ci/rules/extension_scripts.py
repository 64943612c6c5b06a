"""Check that extension scripts qualify everything they use, so PostgreSQL looks nowhere else.

CREATE EXTENSION runs as a superuser with the schema of the extension in the search path. A role
that may create objects there could add an operator or a function whose arguments match better than
those in pg_catalog, and the superuser would run it; a view would bind it permanently. So in the
scripts that extension/build.py writes:

* The first statement sets the search path to pg_catalog.
* Nevertheless, every operator, function, type and relation has its schema, pg_catalog or that of
  the extension: in statements, views, DO blocks and SQL bodies, and in the bodies of functions that
  do not set a search path.
* A body that is a string, in which names are looked up by each call, sets a search path and names
  no object of the extension: the owner of the schema could rename it and put another one in its
  place. BEGIN ATOMIC and RETURN refer to what they call by OID.
"""

import importlib.util
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pglast
from pglast import ast

from ci.sql_names import Name, names_in, names_in_plpgsql, names_in_sql, nodes

SCHEMA = "extension_schema"
PINNED = ("pg_catalog", "pg_temp")
NO_BODY = ("c", "internal")
# It looks up names in the caller's search path, which is its purpose.
WITH_CALLERS_PATH = {"pgpool_regclass"}


class Script(NamedTuple):
    """A script as written by build.py, with its statements."""

    file: str
    text: str
    statements: tuple[Any, ...]

    def line(self, offset: int) -> int:
        """Return the line of an offset."""
        return self.text[:offset].count("\n") + 1

    def text_of(self, statement: Any) -> str:
        """Return the text of a statement."""
        start = statement.stmt_location
        end = start + statement.stmt_len if statement.stmt_len else len(self.text)
        return self.text[start:end]


class Body(NamedTuple):
    """The body of a function that is a string, or of a DO block."""

    function: str
    language: str
    text: str
    line: int
    statement: str
    is_pinned: bool


def violations(root: Path) -> list[str]:
    """Return a line for each violation, and only one for code that all scripts share."""
    found = {
        (what, text): (script.file, line, what)
        for script in scripts(root)
        for line, what, text in violations_of(script)
    }
    return [f"extension/{file}:{line}: {what}" for file, line, what in sorted(found.values())]


def scripts(root: Path) -> list[Script]:
    """Return the scripts that the build.py of a checkout writes, identical ones only once.

    The script of a new extension comes after those of its updates.
    """
    spec = importlib.util.spec_from_file_location("extension_build", root / "extension/build.py")
    if spec is None or spec.loader is None:
        raise FileNotFoundError(root / "extension/build.py")
    build = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(build)
    files = {text: file for file, text in reversed(build.scripts().items())}
    return [parsed(file, text) for text, file in files.items()]


def parsed(file: str, text: str) -> Script:
    """Return a script with psql commands as comments and with a name for the schema."""
    text = re.sub(r"^\\", "--", text, flags=re.MULTILINE).replace("@extschema@", SCHEMA)
    return Script(file, text, pglast.parse_sql(text))


def bodies(script: Script) -> Iterator[Body]:
    """Return all bodies that are strings."""
    for statement in script.statements:
        text = script.text_of(statement)
        for node in nodes(statement):
            kind = type(node).__name__
            if kind == "DoStmt":
                body = _option(node.args, "as").sval
                function, language, is_pinned = "DO", _language(node.args), True
            elif kind == "CreateFunctionStmt" and _option(node.options, "as"):
                body = _option(node.options, "as")[0].sval
                function, language = node.funcname[-1].sval, _language(node.options)
                is_pinned = any(_pins(one.arg) for one in node.options if one.defname == "set")
            else:
                continue
            if language not in NO_BODY:
                line = script.line(script.text.index(body, statement.stmt_location))
                yield Body(function, language, body, line, text, is_pinned)


def _option(options: Any, name: str) -> Any:
    return next((one.arg for one in options if one.defname == name), None)


def _language(options: Any) -> str:
    language = _option(options, "language")
    return "plpgsql" if language is None else str(language.sval)


def names_of(script: Script) -> Iterator[tuple[int, Name]]:
    """Return the line and the name of everything that a script looks up or binds permanently."""
    for statement in script.statements:
        for name in names_in(statement):
            yield script.line(name.offset), name
    for body in bodies(script):
        if body.function == "DO" or not body.is_pinned:
            yield from names_of_body(body)


def names_of_body(body: Body) -> Iterator[tuple[int, Name]]:
    """Return the line and the name of everything that a body looks up."""
    if body.language == "plpgsql":
        for name in names_in_plpgsql(body.statement, SCHEMA):
            yield body.line + name.line - 1, name
    elif body.language == "sql":
        for name in names_in_sql(body.text):
            yield body.line + body.text[: name.offset].count("\n"), name


def violations_of(script: Script) -> Iterator[tuple[int, str, str]]:
    """Return the line, the description and the text of the line of each violation in a script."""
    first = script.statements[0].stmt
    if not (isinstance(first, ast.VariableSetStmt) and first.is_local and _pins(first)):
        yield 1, f"does not begin with SET LOCAL search_path = {', '.join(PINNED)}", ""
    for match in re.finditer(r"\bpublic\.", script.text):
        yield script.line(match.start()), "the schema public is named", ""
    lines = script.text.split("\n")
    for line, name in names_of(script):
        if name.schema not in ("pg_catalog", SCHEMA):
            yield line, f"{name} is looked up in the search path", lines[line - 1]
    for body in bodies(script):
        if not body.is_pinned and body.function not in WITH_CALLERS_PATH:
            yield body.line, f"function {body.function} does not set a search path", ""
        if body.function != "DO" and SCHEMA in body.text:
            yield body.line, f"function {body.function} contains the name of the schema", ""


def _pins(setting: Any) -> bool:
    words = tuple(word.val.sval for word in setting.args or ())
    return setting.name == "search_path" and words == PINNED
