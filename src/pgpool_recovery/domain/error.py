"""All failures of a recovery, each with an exit status whose meaning never changes."""

import re
from collections.abc import Iterator, Mapping
from typing import Any, ClassVar, Self

from pgpool_recovery.domain.bug import kind_of, places_of
from pgpool_recovery.domain.target_state import TargetState
from pgpool_recovery.domain.text import lines, one_line


class RecoveryError(Exception):
    """An expected failure in the parts of a PostgreSQL error, with the state of the target.

    The parts cross every border (agent, runner, server, psql) as the mapping of `as_record`, so
    they never have to be parsed out of a text. The message is one line; detail and hint may have
    several. None of them contains control characters, wherever the text comes from.
    """

    exit_status: ClassVar[int] = 1
    sqlstate: ClassVar[str] = "XX000"

    def __init__(
        self,
        message: str,
        *,
        detail: str | None = None,
        hint: str | None = None,
        target: TargetState = TargetState.UNTOUCHED,
    ) -> None:
        self.message = one_line(message)
        super().__init__(self.message)
        self.detail = None if detail is None else lines(detail)
        self.hint = None if hint is None else lines(hint)
        self.target = target
        self.data: Mapping[str, Any] = {}
        """What is recorded in addition to the texts, in JSON types."""

    def changed(self, **changes: Any) -> Self:
        """Return the same failure with other parts: message, detail, hint or target."""
        parts = {"detail": self.detail, "hint": self.hint, "target": self.target, **changes}
        same = type(self)(parts.pop("message", self.message), **parts)
        same.data = self.data
        return same

    def with_target(self, target: TargetState) -> Self:
        """Return the same failure with another state of the target."""
        return self.changed(target=target)

    def with_more(self, detail: str) -> Self:
        """Return the same failure with another line of detail."""
        lines = detail if self.detail is None else f"{self.detail}\n{detail}"
        return self.changed(detail=lines)

    def about(self, name: str) -> Self:
        """Return the same failure with a message that names the node."""
        if re.search(rf"{re.escape(name)}(?!\d)", self.message):
            return self
        return self.changed(message=f"{name}: {self.message}")

    @property
    def in_a_line(self) -> str:
        """The message, with the detail when there is one.

        >>> Busy("node 1 is busy").in_a_line, Busy("it is", detail="Process 7.").in_a_line
        ('node 1 is busy', 'it is: Process 7.')
        """
        return f"{self.message}: {self.detail}" if self.detail else self.message

    def as_record(self) -> dict[str, Any]:
        """Return the failure as a mapping of JSON types."""
        return {
            "error": type(self).__name__,
            "message": self.message,
            "detail": self.detail,
            "hint": self.hint,
            "target": str(self.target),
            "exit_status": self.exit_status,
            "sqlstate": self.sqlstate,
        }


class Bug(RecoveryError):
    """An unexpected exception; its detail has the call stack, but no value (bug.py)."""


class UsageError(RecoveryError):
    """The arguments of a command are invalid."""

    exit_status = 2
    sqlstate = "22023"


class SettingsError(RecoveryError):
    """The settings file cannot be read or has invalid contents."""

    exit_status = 3
    sqlstate = "F0000"


class Refused(RecoveryError):
    """Nothing can be done, or the policy forbids it; this command changed nothing."""

    exit_status = 4
    sqlstate = "55000"


class PlanChanged(Refused):
    """The plan needs more than was agreed to; `data` says what, and none of that was done.

    The target may have been changed before that, within what was agreed.
    """


class Denied(Refused):
    """The role of a session lacks a privilege; another role may have it."""


class Unreachable(RecoveryError):
    """A host, a server or a repository does not answer or accepts no login."""

    exit_status = 5
    sqlstate = "08001"


class NoSession(Unreachable):
    """A server gave us no session: it does not answer, or the login failed for any reason."""


class QueryRefused(Unreachable):
    """A server that answers rejects a query; repeating the query is pointless.

    A caller that can do without an unreachable server can do without this answer as well.
    """

    exit_status = 4
    sqlstate = "55000"


class Busy(RecoveryError):
    """Another recovery holds the lock on the target."""

    exit_status = 6
    sqlstate = "55006"


class Undone(RecoveryError):
    """A step failed, and everything that had been done was undone."""

    exit_status = 7
    sqlstate = "58000"


class NoRoom(Undone):
    """The target's disk is full: no other method can do better there."""


class Incomplete(RecoveryError):
    """A step failed past the point of no return."""

    exit_status = 8
    sqlstate = "58000"


class Filled(Incomplete):
    """The same as NoRoom, but past the point of no return."""


class Unverified(RecoveryError):
    """The node was started, but is not as it should be; its state says whether it still runs."""

    exit_status = 9
    sqlstate = "58000"


class NotStreaming(Unverified):
    """The node is not a sound standby of the primary."""


class Cancelled(RecoveryError):
    """The run was cancelled from outside."""

    exit_status = 10
    sqlstate = "57014"


def reason_of(error: BaseException) -> str:
    """Return why the system, or a library, could not do something; the text is never empty.

    When the error is about several files, as that of shutil.copytree is, each is named.

    >>> reason_of(OSError(28, "No space left on device", "/data")), reason_of(OSError())
    ('No space left on device', 'OSError')
    >>> reason_of(OSError([("/a", "/b", "[Errno 13] Permission denied: '/a'")]))
    "[Errno 13] Permission denied: '/a'"
    """
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    several = error.args[0] if error.args else None
    if isinstance(several, list):
        return "; ".join(str(one[-1] if isinstance(one, tuple) and one else one) for one in several)
    return str(error) or type(error).__name__


def as_failure(
    error: BaseException,
    target: TargetState = TargetState.UNKNOWN,
    whose: str = "pgpool-recovery",
) -> RecoveryError:
    """Return a failure unchanged, and any other exception as a bug; `whose` names the program.

    >>> as_failure(KeyError("x")).message
    'bug in pgpool-recovery: KeyError'
    """
    if isinstance(error, RecoveryError):
        return error
    return Bug(f"bug in {whose}: {kind_of(error)}", detail=places_of(error), target=target)


def error_of_record(record: dict[str, Any]) -> RecoveryError:
    """Return the failure that `RecoveryError.as_record` described.

    >>> error_of_record(Busy("node 1 is busy").as_record()).exit_status
    6
    """
    known = {kind.__name__: kind for kind in kinds(RecoveryError)}
    kind = known.get(record["error"], RecoveryError)
    return kind(
        record["message"],
        detail=record["detail"],
        hint=record["hint"],
        target=TargetState(record["target"]),
    )


def kind_of_status(exit_status: int) -> type[RecoveryError]:
    """Return the kind of failure that an exit status stands for.

    >>> kind_of_status(6).__name__
    'Busy'
    """
    found = (kind for kind in kinds(RecoveryError) if kind.exit_status == exit_status)
    return next(found, RecoveryError)


def error_of_sqlstate(
    sqlstate: str, message: str, detail: str | None, hint: str | None
) -> RecoveryError:
    """Return the failure that an error of one of our SQL functions stands for.

    Several kinds of failure after the first change share one SQLSTATE, and only the record of the
    run says which one it was. So the state of the target is unknown for them.
    """
    begins = [kind for kind in kinds(RecoveryError) if kind.sqlstate == sqlstate]
    kind = Incomplete if Incomplete in begins else begins[0] if begins else RecoveryError
    is_before = kind in (UsageError, SettingsError, Refused, Busy)
    target = TargetState.UNTOUCHED if is_before else TargetState.UNKNOWN
    return kind(message, detail=detail, hint=hint, target=target)


def kinds(kind: type[RecoveryError]) -> Iterator[type[RecoveryError]]:
    """Yield a kind of failure and all its subclasses."""
    yield kind
    for subkind in kind.__subclasses__():
        yield from kinds(subkind)
