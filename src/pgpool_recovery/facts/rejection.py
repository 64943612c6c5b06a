"""Why something is not possible: a value, not an exception."""

from pgpool_recovery.domain.error import RecoveryError, Refused
from pgpool_recovery.domain.record import record


@record
class Rejection:
    """A reason in the parts of a PostgreSQL error; `kind` is the failure that it results in.

    `is_aside`: it is about a method that was passed over, in addition to the reasons of the last
    method. `is_for_space`: a disk is too small for what a method would write, as far as that was
    estimated.
    """

    message: str
    detail: str | None = None
    hint: str | None = None
    kind: type[RecoveryError] = Refused
    is_aside: bool = False
    is_for_space: bool = False


def as_error(rejections: tuple[Rejection, ...]) -> RecoveryError:
    """Return one failure for all reasons: the first as its message, the others in its detail."""
    first, *others = rejections
    detail = first.detail
    if others:
        also = "\n".join(
            f"Also: {other.message}." + (f" {other.detail}" if other.detail else "")
            for other in others
        )
        detail = f"{detail}\n{also}" if detail else also
    return first.kind(first.message, detail=detail, hint=first.hint)
