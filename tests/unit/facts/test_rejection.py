"""Many reasons become one failure."""

from pgpool_recovery.domain.error import Busy, Refused, Unreachable
from pgpool_recovery.facts.rejection import Rejection, as_error

BUSY = Rejection("node 1 is busy", detail="Process 7 is at it.", hint="Wait.", kind=Busy)
CLOSED = Rejection("the primary is closed", detail="Nobody may replicate.", kind=Unreachable)


def test_first_reason_is_the_message_and_the_others_are_in_the_detail() -> None:
    error = as_error((BUSY, CLOSED, Rejection("it rains")))
    assert (type(error), error.message, error.hint) == (Busy, "node 1 is busy", "Wait.")
    assert error.detail == (
        "Process 7 is at it.\nAlso: the primary is closed. Nobody may replicate.\nAlso: it rains."
    )


def test_kind_is_that_of_the_first_reason() -> None:
    assert type(as_error((CLOSED, BUSY))) is Unreachable
    assert as_error((Rejection("it rains"), BUSY)).exit_status == Refused.exit_status
    assert as_error((Rejection("it rains"),)).detail is None
