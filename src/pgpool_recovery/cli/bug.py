"""Report uncaught exceptions, in any thread, without the values that are in them."""

import sys
import threading
from types import TracebackType


def report_without_values() -> None:
    """Make this process report only the type of an uncaught exception and where it was raised.

    Python would print its message, which may contain a line of a file or a password.
    """
    sys.excepthook = _report
    threading.excepthook = lambda of: _report(of.exc_type, of.exc_value, of.exc_traceback)
    sys.unraisablehook = lambda of: _report(of.exc_type, of.exc_value, of.exc_traceback)


def _report(
    kind: type[BaseException], error: BaseException | None, _places: TracebackType | None
) -> None:
    # Imported here because the stage commands start faster without them.
    from pgpool_recovery.cli.psql import as_psql
    from pgpool_recovery.cli.say import complain
    from pgpool_recovery.domain.error import as_failure

    complain(*as_psql(as_failure(error or kind()), with_target=False))
