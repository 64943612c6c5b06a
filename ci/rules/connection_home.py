"""Check that sessions are opened only in postgres/connection.py, where their settings are pinned.

Other modules in postgres/ may use psycopg, but open nothing with it. No module outside imports it
or another driver, or calls psql. The scripts that setup makes do: they run where psycopg is not,
and their environment has the settings of our sessions (`session` in setup/script.py).
"""

import ast
from collections.abc import Iterator
from pathlib import Path

SOURCES = Path("src/pgpool_recovery")
FOLDER = SOURCES / "postgres"
SCRIPTS = SOURCES / "setup" / "statement.py"
HOME = FOLDER / "connection.py"
DRIVERS = frozenset({"psycopg", "psycopg2", "psycopg_c", "psycopg_binary", "asyncpg", "pg8000"})
OPENERS = frozenset({"connect", "connect_start"})
OWNERS = frozenset({"psycopg", "pq", "PGconn", "Connection", "AsyncConnection"})
IMPORTERS = frozenset({"import_module", "__import__"})


def violations(root: Path) -> Iterator[str]:
    """Yield each place outside the home of sessions that could open one."""
    for file in sorted((root / SOURCES).rglob("*.py")):
        where = file.relative_to(root)
        if where in (HOME, SCRIPTS):
            continue
        is_inside = FOLDER in where.parents
        for node in ast.walk(ast.parse(file.read_text())):
            for what in _found(node, is_inside=is_inside):
                yield f"{where}:{node.lineno}: {what}; sessions are opened in {HOME}"  # type: ignore[attr-defined]


def _found(node: ast.AST, *, is_inside: bool) -> Iterator[str]:
    match node:
        case ast.Import(names=names):
            drivers = [one.name for one in names if _is_driver(one.name)]
            if drivers and not (is_inside and drivers == ["psycopg"]):
                yield f"imports {drivers[0]}"
        case ast.ImportFrom(module=str(module), names=names) if _is_driver(module):
            opened = [one.name for one in names if one.name in OPENERS]
            if not is_inside or not module.startswith("psycopg") or opened:
                yield (
                    f"imports {', '.join(opened)} from {module}" if opened else f"imports {module}"
                )
        case ast.Call(func=ast.Attribute(attr=str(name), value=owner)) if name in OPENERS:
            if name == "connect_start" or _last_name(owner) in OWNERS:
                yield f"calls {_last_name(owner)}.{name}"
        case ast.Call(func=function, args=[ast.Constant(value=str(module)), *_]) if _is_driver(
            module
        ):
            if _last_name(function) in IMPORTERS:
                yield f"imports {module}"
        case ast.Constant(value="psql"):
            yield "calls psql"
        case _:
            return


def _is_driver(module: str) -> bool:
    return module.partition(".")[0] in DRIVERS


def _last_name(node: ast.expr) -> str:
    match node:
        case ast.Name(id=name) | ast.Attribute(attr=name):
            return name
        case _:
            return ""
