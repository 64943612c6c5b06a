"""What Python itself writes of an exception that nobody has caught: no value, in any thread."""

import sys
import threading
from types import TracebackType


def report_without_values() -> None:
    """Let this process write no more of such an exception than its kind and its places.

    Python would write what it says, and that may be a line of a file, or a password.
    """
    sys.excepthook = _report
    threading.excepthook = lambda of: _report(of.exc_type, of.exc_value, of.exc_traceback)
    sys.unraisablehook = lambda of: _report(of.exc_type, of.exc_value, of.exc_traceback)


def _report(
    kind: type[BaseException], error: BaseException | None, _places: TracebackType | None
) -> None:
    # Here, for the stage commands start faster without.
    from pgpool_recovery.cli.psql import as_psql
    from pgpool_recovery.cli.say import complain
    from pgpool_recovery.domain.error import as_failure

    complain(*as_psql(as_failure(error or kind()), with_target=False))
