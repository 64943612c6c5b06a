"""Import modules before they are needed, while the process waits for something else."""

from collections.abc import Sequence
from contextlib import suppress
from importlib import import_module
from threading import Thread


def import_ahead(names: Sequence[str]) -> None:
    """Import modules in a daemon thread, which is not waited for.

    A module that cannot be imported is reported where it is needed, when its import fails again.
    """

    def load() -> None:
        with suppress(Exception):
            for name in names:
                import_module(name)

    Thread(target=load, name="imports", daemon=True).start()
