"""Describe the installed extension of a database; the names are spelt as the server does."""

from collections.abc import Mapping
from typing import Any

from pgpool_recovery.domain.record import record

RUNS = "pgpool_recovery_run"
HISTORY = "pgpool_recovery_history"
RECOVERY = "pgpool_recovery(text, text, text, text, integer, text, text)"
REMOTE_START = "pgpool_remote_start(text, text)"
PGCTL = "pgpool_pgctl(text, text)"
PLAN = "pgpool_recovery_plan(text, text, text, integer, text, text)"
CHECK = "pgpool_recovery_check(jsonb)"


@record
class ForeignOwner:
    """A role that is not a superuser but can replace the extension's objects by its own.

    The owner of the schema can rename it, create another one of that name, and put any code there;
    a superuser's session would run it. `kind` and `name` denote what the role owns: the schema, the
    extension itself, or one of its relations or functions.
    """

    database: str
    kind: str
    name: str
    role: str

    @property
    def fact(self) -> str:
        """Who owns what, as a clause of a sentence."""
        return (
            f"{self.kind} {self.name} of database {self.database} belongs to {self.role}, who is "
            "not a superuser"
        )

    @property
    def advice(self) -> str:
        """What a superuser can do about it, as a sentence."""
        if self.kind == "schema":
            return (
                f"In {self.database}, as a superuser, run ALTER SCHEMA {self.name} OWNER TO a "
                "superuser, or drop the extension and create it in a schema of a superuser."
            )
        return f"In {self.database}, as a superuser, drop the extension and create it again."


@record
class InstalledExtension:
    """The extension of one database.

    `members` are its relations and functions. Another role that may create objects in its schema
    may have made others with such names; what is not a member is never called. With a `foreign`
    owner nothing can be relied upon, so `members` is empty.
    """

    version: str
    schema: str
    is_utf8: bool
    members: frozenset[str]
    foreign: ForeignOwner | None = None


def read_extension(row: Mapping[str, Any]) -> InstalledExtension:
    """Return the extension that a row of extension.sql describes."""
    foreign: ForeignOwner | None = None
    members = frozenset[str](row["members"])
    if row["foreign_kind"] is not None:
        foreign = ForeignOwner(
            row["database"], row["foreign_kind"], row["foreign_name"], row["foreign_role"]
        )
        members = frozenset()
    return InstalledExtension(row["version"], row["schema"], row["is_utf8"], members, foreign)
