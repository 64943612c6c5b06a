"""Import modules before they are needed, while the process waits for something else."""

from collections.abc import Sequence
from contextlib import suppress
from importlib import import_module
from threading import Thread, main_thread


def import_ahead(names: Sequence[str]) -> None:
    """Import modules in a thread.

    A module that cannot be imported is reported where it is needed, when its import fails again.
    A process that ends meanwhile waits for the module that is being imported, and no others follow.
    """

    def load() -> None:
        with suppress(Exception):
            for name in names:
                import_unless_ending(name)

    # Not a daemon: a process that ends while a thread loads a C library, such as libpq, can crash.
    Thread(target=load, name="imports").start()


def import_unless_ending(name: str) -> None:
    """Import a module, if the process is not about to end; raise what its import raises."""
    if main_thread().is_alive():
        import_module(name)
