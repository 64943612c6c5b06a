"""Why something is not possible: a value, not an exception."""

from pgpool_recovery.domain.error import RecoveryError, Refused
from pgpool_recovery.domain.record import record


@record
class Rejection:
    """A reason in the parts of a PostgreSQL error; `kind` is the failure that it ends in.

    `is_aside`: a line about a method that was passed over, beside the reasons of the last one.
    """

    message: str
    detail: str | None = None
    hint: str | None = None
    kind: type[RecoveryError] = Refused
    is_aside: bool = False


def as_error(rejections: tuple[Rejection, ...]) -> RecoveryError:
    """Return one failure for all reasons: the first one speaks, the others stand in its detail."""
    first, *others = rejections
    detail = first.detail
    if others:
        also = "\n".join(
            f"Also: {other.message}." + (f" {other.detail}" if other.detail else "")
            for other in others
        )
        detail = f"{detail}\n{also}" if detail else also
    return first.kind(first.message, detail=detail, hint=first.hint)
