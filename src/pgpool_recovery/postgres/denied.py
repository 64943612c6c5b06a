"""Translate a server's "permission denied" into a failure whose hint has the GRANT."""

import re

from pgpool_recovery.domain.error import Denied
from pgpool_recovery.postgres.extension import CHECK, PGCTL, PLAN, RECOVERY, REMOTE_START

INSUFFICIENT_PRIVILEGE = "42501"
SIGNATURES = {each.partition("(")[0]: each for each in (RECOVERY, REMOTE_START, PGCTL, PLAN, CHECK)}
CALL = re.compile(r"\{extension\}\.(\w+)\(")
RECORD = re.compile(r"\b(?:from|join) \{extension\}\.pgpool_recovery_\w+\b(?!\()")
CHANGE = re.compile(r"^(?:insert|update|delete)\b", re.MULTILINE)
SCHEMA = re.compile(r"^permission denied for schema \S")


def denied(query: str, role: str, server: str, schema: str, said: str) -> Denied | None:
    """Return the failure of a query about the extension; None for any other query.

    `query` is its text as it is in its file, `role` is the session's, `server` is what messages
    call the server, `schema` is quoted, and `said` is the server's message.
    """
    grantee = _quoted(role)
    if (call := CALL.search(query)) and call[1] in SIGNATURES:
        what = f"call {call[1]} on {server}"
        grant = f"GRANT EXECUTE ON FUNCTION {schema}.{SIGNATURES[call[1]]} TO {grantee}."
    elif RECORD.search(query) and not CHANGE.search(query):
        what = f"read the record of recoveries on {server}"
        grant = f"GRANT pg_monitor TO {grantee}."
    else:
        return None
    if SCHEMA.match(said):
        grant = f"GRANT USAGE ON SCHEMA {schema} TO {grantee}."
    return Denied(f'role "{role}" may not {what}', detail=f"The server says: {said}.", hint=grant)


def _quoted(name: str) -> str:
    """Return a name as an identifier, quoted where necessary.

    >>> _quoted("app"), _quoted("My app")
    ('app', '"My app"')
    """
    if re.fullmatch(r"[a-z_][a-z0-9_]*", name):
        return name
    doubled = name.replace('"', '""')
    return f'"{doubled}"'
