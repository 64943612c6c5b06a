"""Modules that are read from the disk before they are needed, beside a wait for something else."""

from collections.abc import Sequence
from contextlib import suppress
from importlib import import_module
from threading import Thread


def import_ahead(names: Sequence[str]) -> None:
    """Import modules in a thread, while this one waits; nobody waits for it at the end.

    One that cannot be imported is told where it is needed, when its import fails again.
    """

    def load() -> None:
        with suppress(Exception):
            for name in names:
                import_module(name)

    Thread(target=load, name="imports", daemon=True).start()
