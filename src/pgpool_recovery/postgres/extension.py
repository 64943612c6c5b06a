"""What the extension of a database has of its own; the names are the server's."""

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
    """Who, without being a superuser, decides what is found in the place of the extension.

    The owner of its schema renames that, makes another one of the name, and plants what he likes
    there; a superuser's session would run it. `kind` and `name` are what is his: the schema, the
    extension itself, or a relation or function of it.
    """

    database: str
    kind: str
    name: str
    role: str

    @property
    def fact(self) -> str:
        """Say who it is, as a part of a sentence."""
        return (
            f"{self.kind} {self.name} of database {self.database} belongs to {self.role}, who is "
            "no superuser"
        )

    @property
    def advice(self) -> str:
        """Say what a superuser does about it."""
        if self.kind == "schema":
            return (
                f"In {self.database}, as a superuser: ALTER SCHEMA {self.name} OWNER TO a "
                "superuser; or drop the extension and create it in a schema of a superuser."
            )
        return f"In {self.database}, as a superuser: drop the extension and create it again."


@record
class InstalledExtension:
    """The extension of one database.

    `members` are its relations and functions. Something else of such a name may be in its schema,
    made by whoever may create there; what is not a member is never called. Where there is a
    `foreign` owner nothing can be relied upon, and it has no members for us.
    """

    version: str
    schema: str
    is_utf8: bool
    members: frozenset[str]
    foreign: ForeignOwner | None = None


def read_extension(row: Mapping[str, Any]) -> InstalledExtension:
    """Return the extension of a row of extension.sql."""
    foreign: ForeignOwner | None = None
    members = frozenset[str](row["members"])
    if row["foreign_kind"] is not None:
        foreign = ForeignOwner(
            row["database"], row["foreign_kind"], row["foreign_name"], row["foreign_role"]
        )
        members = frozenset()
    return InstalledExtension(row["version"], row["schema"], row["is_utf8"], members, foreign)
