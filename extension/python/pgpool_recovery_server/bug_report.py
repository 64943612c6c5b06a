"""Report an unexpected exception as an error that shows its kind and places, but no value.

The message of such an exception quotes what Python or a library was given: a password, a line of a
file. PL/Python's traceback would pass it on to the caller, to pgpool.log and to the server log.
"""

from typing import Any, Callable, List

from server_types import Plpy, Row

from .outcome import Failure, failed

KEPT_PLACES = 20


def outcome_of(plpy: Plpy, call: Callable[[], Row]) -> Row:
    """Return the row that a call returns, or for a bug the row of its failure.

    An error of PostgreSQL, such as a cancel, is passed on; its text is the server's own.
    """
    try:
        return call()
    except (plpy.SPIError, plpy.Error, plpy.Fatal):
        raise
    except Exception as error:  # noqa: BLE001 - whatever it is
        return failed(bug(error))


def value_of(plpy: Plpy, call: Callable[[], Any]) -> Any:
    """Return the result of a call that has no row for a failure; a bug is an error of plpy."""
    try:
        return call()
    except (plpy.SPIError, plpy.Error, plpy.Fatal):
        raise
    except Exception as error:  # noqa: BLE001 - whatever it is
        failure = bug(error)
    return plpy.error(failure.message, detail=failure.detail)  # This does not return.


def bug(error: BaseException) -> Failure:
    """Return the failure that reports a bug.

    >>> bug(KeyError("a password")).message
    'bug in the extension: KeyError'
    """
    return Failure("bug in the extension: %s" % type(error).__name__, detail=places_of(error))


def places_of(error: BaseException) -> str:
    """Return where an exception was raised, as lines of the body, and the kind of its cause."""
    places: List[str] = []
    frame = error.__traceback__
    while frame is not None:
        places.append("%d %s" % (frame.tb_lineno, frame.tb_frame.f_code.co_name))
        frame = frame.tb_next
    cause = error.__cause__ or error.__context__
    came_of = "" if cause is None else " It was caused by %s." % type(cause).__name__
    return "In lines: " + ", ".join(places[-KEPT_PLACES:]) + "." + came_of
