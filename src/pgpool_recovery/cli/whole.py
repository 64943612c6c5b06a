"""Make a command that runs for long independent of its files, which an upgrade replaces."""

import atexit
from threading import Timer

AFTER_S = 3.0
"""Most commands have ended by then, and none of them pays for this."""


def load_the_rest_later(after_s: float = AFTER_S) -> None:
    """Load all of our modules and queries in the background, if this process still runs by then.

    Modules are otherwise imported where they are needed. A recovery may run for hours, and an
    upgrade of its package meanwhile would mix the modules of two builds, or remove some
    (tests/packages/test_upgrade.py).
    """
    timer = Timer(after_s, _load_the_rest)
    timer.daemon = True  # Else the process would wait until it has begun.
    timer.start()
    atexit.register(_end, timer)


def _end(timer: Timer) -> None:
    """Wait for the module that is being imported; see `import_ahead`."""
    timer.cancel()
    timer.join()  # no limit: one module is left, and what packages have


def _load_the_rest() -> None:
    from contextlib import suppress
    from pkgutil import walk_packages

    import pgpool_recovery
    from pgpool_recovery.files.ahead import import_unless_ending
    from pgpool_recovery.postgres.connection import read_queries

    # What cannot be loaded is reported where it is needed.
    with suppress(OSError):
        read_queries()
    for module in walk_packages(pgpool_recovery.__path__, "pgpool_recovery."):
        with suppress(ImportError):
            import_unless_ending(module.name)
