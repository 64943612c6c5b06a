"""Write a statement of SQL as a command of sh, run by psql as the superuser of a node."""

from pgpool_recovery.setup.facts import NodeState
from pgpool_recovery.setup.need import words


def psql(node: NodeState, database: str) -> str:
    """Return the command that runs the SQL of its standard input, and stops at an error."""
    place = ["-h", node.socket or "/var/run/postgresql", "-p", str(node.port or node.backend.port)]
    program = f"{node.bindir}/psql" if node.bindir else "psql"
    return words(
        *("as_user", node.owner, program, "-X", "-A", "-t", "-q", "-w", "-v", "ON_ERROR_STOP=1"),
        *place,
        *("-d", database),
    )


def on_primary(database: str, statement: str) -> str:
    """Return the command of a record that runs a statement where the primary is by then."""
    return f"printf '%s\\n' {words(statement + ';')} | sql {words(database)}"


def run_sql(node: NodeState, database: str, statement: str) -> str:
    """Return the command that runs a statement; other users cannot see it in an argument."""
    return f"printf '%s\\n' {words(statement + ';')} | {psql(node, database)}"


def answers(node: NodeState, database: str, query: str, answer: str) -> str:
    """Return a command that succeeds if the query has this one answer."""
    return f'[ "$({run_sql(node, database, query)})" = {words(answer)} ]'


def identifier(name: str) -> str:
    """Return a name as an identifier.

    >>> identifier('a"b')
    '"a""b"'
    """
    doubled = name.replace('"', '""')
    return f'"{doubled}"'


def literal(text: str) -> str:
    """Return a text as a literal, whatever standard_conforming_strings is.

    >>> literal("it's"), literal("a\\\\b")
    ("'it''s'", " E'a\\\\\\\\b'")
    """
    doubled = text.replace("'", "''")
    if "\\" in doubled:
        escaped = doubled.replace("\\", "\\\\")
        return f" E'{escaped}'"
    return f"'{doubled}'"
