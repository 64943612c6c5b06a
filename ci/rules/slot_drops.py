"""Check that replication slots are dropped only in postgres/slots.py, which checks each first.

A slot keeps WAL for a consumer. Dropping it just because another host says so would take the WAL
away from a backup or another standby. So no other module runs the query, and no other query drops a
slot.
"""

import ast
from collections.abc import Iterator
from pathlib import Path

PACKAGE = Path("src/pgpool_recovery")
HOME = PACKAGE / "postgres" / "slots.py"
QUERY = PACKAGE / "postgres" / "sql" / "drop_slot.sql"


def violations(root: Path) -> Iterator[str]:
    """Yield the calls of the query outside its home, and other queries that drop a slot."""
    for file in sorted((root / PACKAGE).rglob("*.py")):
        path = file.relative_to(root)
        if path != HOME:
            for line in _calls(ast.parse(file.read_text())):
                yield f"{path}:{line}: a slot is dropped without a check whether it may be"
    for file in sorted((root / PACKAGE).rglob("sql/*.sql")):
        path = file.relative_to(root)
        if path == QUERY or path.parts[-2:-1] != ("sql",):
            continue
        for number, text in enumerate(file.read_text().splitlines(), start=1):
            if "pg_drop_replication_slot" in text.lower():
                yield f"{path}:{number}: only drop_slot.sql drops a slot"


def _calls(tree: ast.Module) -> Iterator[int]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            for argument in node.args[:1]:
                if isinstance(argument, ast.Constant) and argument.value == "drop_slot":
                    yield node.lineno
