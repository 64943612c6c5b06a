"""An exception that nobody expected as an error that shows its kind and places, and no value.

What Python, or a library, says of one quotes what it was given: a password, a line of a file. The
traceback of PL/Python would hand it to the caller, to pgpool.log and to the server log.
"""

from typing import Any, Callable, List

from server_types import Plpy, Row

from .outcome import Failure, failed

KEPT_PLACES = 20


def outcome_of(plpy: Plpy, call: Callable[[], Row]) -> Row:
    """Return the row that a call returns; for a bug that of its failure.

    What PostgreSQL raises goes on: a cancel does, and its words are the server's own.
    """
    try:
        return call()
    except (plpy.SPIError, plpy.Error, plpy.Fatal):
        raise
    except Exception as error:  # noqa: BLE001 - whatever it is
        return failed(bug(error))


def value_of(plpy: Plpy, call: Callable[[], Any]) -> Any:
    """Return what a call returns that has no row for a failure; a bug is an error of plpy."""
    try:
        return call()
    except (plpy.SPIError, plpy.Error, plpy.Fatal):
        raise
    except Exception as error:  # noqa: BLE001 - whatever it is
        failure = bug(error)
    return plpy.error(failure.message, detail=failure.detail)  # Which does not return.


def bug(error: BaseException) -> Failure:
    """Return the failure that a bug is told as.

    >>> bug(KeyError("a password")).message
    'bug in the extension: KeyError'
    """
    return Failure("bug in the extension: %s" % type(error).__name__, detail=places_of(error))


def places_of(error: BaseException) -> str:
    """Return where an exception was raised, and what it came of, as lines of the body."""
    places: List[str] = []
    frame = error.__traceback__
    while frame is not None:
        places.append("%d %s" % (frame.tb_lineno, frame.tb_frame.f_code.co_name))
        frame = frame.tb_next
    cause = error.__cause__ or error.__context__
    came_of = "" if cause is None else " It came of %s." % type(cause).__name__
    return "In lines: " + ", ".join(places[-KEPT_PLACES:]) + "." + came_of
