"""The extension on the primary: which databases have it, and what its version provides."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from enum import Enum

from pgpool_recovery.control.cluster import Node, SqlLogin, ask_databases, connect_to
from pgpool_recovery.domain.error import RecoveryError, Refused, Unreachable
from pgpool_recovery.domain.record import field, record, replace
from pgpool_recovery.postgres.connection import Connection
from pgpool_recovery.postgres.extension import (
    CHECK,
    HISTORY,
    PGCTL,
    PLAN,
    RECOVERY,
    ForeignOwner,
    InstalledExtension,
)

REPLACEABLE = "Such an owner could replace the functions that would be called."


class Feature(Enum):
    """What a version may lack, in the words of the message that reports it."""

    HISTORY = "no record of recoveries"
    PLAN = "no function pgpool_recovery_plan"
    CHECK = "no function pgpool_recovery_check"
    RECOVERY = "no function pgpool_recovery with seven arguments"
    STOP = "no function pgpool_pgctl"


MEMBERS = {
    Feature.HISTORY: HISTORY,
    Feature.PLAN: PLAN,
    Feature.CHECK: CHECK,
    Feature.RECOVERY: RECOVERY,
    Feature.STOP: PGCTL,
}


@record
class Extension:
    """The extension in one database."""

    database: str
    version: str
    features: frozenset[Feature]


@record
class Primary:
    """The primary, and the extension in its databases.

    `foreign` are the owners because of whom it is not used in other databases (ForeignOwner).
    `unseen` are the databases that could not be examined, with the reasons.
    """

    node: Node
    login: SqlLogin
    extensions: tuple[Extension, ...]
    foreign: tuple[ForeignOwner, ...] = ()
    unseen: Mapping[str, RecoveryError] = field(default_factory=dict)

    def has(self, feature: Feature) -> bool:
        """Return whether some database has it."""
        return self._extension(feature) is not None

    def database_of(self, feature: Feature) -> str:
        """Return the database that has it; raises what `lacks` returns if none does."""
        extension = self._extension(feature)
        if extension is None:
            raise self.lacks(feature)
        return extension.database

    def _extension(self, feature: Feature) -> Extension | None:
        return next((one for one in self.extensions if feature in one.features), None)

    def lacks(self, feature: Feature) -> RecoveryError:
        """Return the failure that says what is missing, and how to get it."""
        if self.foreign:
            return self.is_foreign()
        if self.unseen:
            return self._is_not_known(feature)
        if not self.extensions:
            return self.has_none()
        found = ", ".join(f"{one.version} in database {one.database}" for one in self.extensions)
        return Refused(
            f"the extension pgpool_recovery on the primary ({self.node.name}) has {feature.value}",
            detail=f"It is version {found}.",
            hint='Run "pgpool-recovery install" there, and ALTER EXTENSION pgpool_recovery UPDATE '
            "in the database.",
        )

    def _is_not_known(self, feature: Feature) -> RecoveryError:
        """Return the failure to examine a database that may have it."""
        seen = [name for name in self.login.databases if name not in self.unseen]
        what = f"In database {' and '.join(seen)} it is missing, or has {feature.value}."
        failed = [_why(database, error) for database, error in self.unseen.items()]
        return Unreachable(
            "it is not known which version of the extension pgpool_recovery the primary "
            f"({self.node.name}) has",
            detail="\n".join([*([what] if seen else []), *failed]),
            hint="Allow this host to log in to that database (~/.pgpass, pg_hba.conf), or create "
            "the extension in a database that it can log in to.",
        )

    def has_none(self) -> RecoveryError:
        """Return the refusal that says that no database has the extension."""
        return Refused(
            f"the primary ({self.node.name}) does not have the extension pgpool_recovery",
            detail=f"It was looked for in database {' and '.join(self.login.databases)}.",
            hint='Run "pgpool-recovery install" there, and CREATE EXTENSION pgpool_recovery in '
            "the database.",
        )

    def is_foreign(self) -> RecoveryError:
        """Return the refusal to use functions that a user who is not a superuser could replace."""
        first, *others = self.foreign
        also = [f"{owner.fact}." for owner in others]
        return Refused(
            f"the extension pgpool_recovery on the primary ({self.node.name}) is not used: "
            f"{first.fact}",
            detail="\n".join([REPLACEABLE, *also]),
            hint=" ".join(owner.advice for owner in self.foreign),
        )

    @contextmanager
    def connect(self, feature: Feature, *, answer_s: float | None = None) -> Iterator[Connection]:
        """Connect to the database that has it."""
        extension = self._extension(feature)
        if extension is None:
            raise self.lacks(feature)
        with connect_to(self.node, self.login, extension.database, answer_s=answer_s) as connection:
            found = connection.extension()  # It may have changed since it was examined.
            if found is None:
                raise self.has_none()
            if found.foreign is not None:
                raise replace(self, foreign=(found.foreign,)).is_foreign()
            yield connection


def look_at(node: Node, login: SqlLogin) -> Primary:
    """Return which databases of the primary have the extension; Unreachable if none answers."""
    found: list[Extension] = []
    foreign: list[ForeignOwner] = []
    unseen: dict[str, RecoveryError] = {}
    existing: set[str] = set()
    for database, said in ask_databases(node, login, _extension_and_databases):
        if isinstance(said, Unreachable):
            unseen[database] = said
            continue
        extension, names = said
        existing |= names
        if extension is not None and extension.foreign is not None:
            foreign.append(extension.foreign)
        elif extension is not None:
            found.append(_extension(database, extension))
    if len(unseen) == len(login.databases):
        raise unseen[login.databases[0]]
    hidden = {name: error for name, error in unseen.items() if name in existing}
    return Primary(node, login, tuple(found), tuple(foreign), hidden)


def _extension_and_databases(
    connection: Connection,
) -> tuple[InstalledExtension | None, set[str]]:
    return connection.extension(), {row["name"] for row in connection.rows("databases")}


def _why(database: str, error: RecoveryError) -> str:
    return f"Database {database} could not be examined: {error.in_a_line}"


def _extension(database: str, found: InstalledExtension) -> Extension:
    features = frozenset(one for one, member in MEMBERS.items() if member in found.members)
    return Extension(database, found.version, features)
