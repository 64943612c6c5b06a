"""What the extension of a database has of its own; the names are the server's."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

RUNS = "pgpool_recovery_run"
HISTORY = "pgpool_recovery_history"
RECOVERY = "pgpool_recovery(text, text, text, text, integer, text, text)"
REMOTE_START = "pgpool_remote_start(text, text)"
PGCTL = "pgpool_pgctl(text, text)"
PLAN = "pgpool_recovery_plan(text, text, text, integer, text, text)"
CHECK = "pgpool_recovery_check(jsonb)"


@dataclass(frozen=True)
class InstalledExtension:
    """The extension of one database.

    `members` are its relations and functions. Something else of such a name may be in its schema,
    made by whoever may create there; what is not a member is never called.
    """

    version: str
    schema: str
    is_utf8: bool
    members: frozenset[str]


def read_extension(row: Mapping[str, Any]) -> InstalledExtension:
    """Return the extension of a row of extension.sql."""
    return InstalledExtension(
        row["version"], row["schema"], row["is_utf8"], frozenset(row["members"])
    )
