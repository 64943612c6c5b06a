"""Leftover settings and files that keep a server from being a standby, or are removed for it."""

from collections.abc import Iterable, Iterator

from pgpool_recovery.domain.data_directory import RECOVERY_SIGNAL
from pgpool_recovery.facts.facts import Configuration
from pgpool_recovery.facts.leftover import (
    COMMANDS,
    DELAY,
    LEADING,
    OLD_FILE,
    TAKEN_OUT,
    TARGETS,
    TIMELINE,
    TRIGGER_FILE,
    LeftFiles,
    Leftover,
)
from pgpool_recovery.facts.rejection import Rejection
from pgpool_recovery.facts.running import Running, RunningServer

DECISIVE = (*TARGETS, TIMELINE, *LEADING)
"""Settings with which a server is no standby of this primary unless a file of ours overrides them.
"""


def reject_leftovers(name: str, own: Configuration | None, files: LeftFiles) -> Iterator[Rejection]:
    """Report what no file of ours can override, and what would end the server or promote it."""
    for left in () if own is None else own.leftovers:
        is_trigger = left.name == TRIGGER_FILE and own is not None and own.trigger_file is not None
        if left.is_on_command_line and (is_trigger or left.name in DECISIVE):
            yield Rejection(
                f"{left.name} of {name} is set on the command line",
                detail=f"{_from(left)} No configuration file overrides it, and the server would "
                "not be a standby of this primary.",
                hint="Remove it there.",
            )
    if files.has_recovery_conf:
        yield Rejection(
            f"{OLD_FILE} is in the data directory of {name}",
            detail="PostgreSQL 12 and later do not start if that file exists.",
            hint="Remove it; its settings belong in postgresql.conf now.",
        )


def reject_running(name: str, running: Running | None) -> Iterator[Rejection]:
    """Report the recovery targets with which a server runs; only a restart removes them."""
    for left in running.leftovers if isinstance(running, RunningServer) else ():
        if left.name in TARGETS:
            yield Rejection(
                f"the server of {name} runs with {left.name}",
                detail=f"{_from(left)} The server replays no further than that, and may then "
                "promote itself.",
                hint="Stop it, then recover the node: the recovery removes the setting.",
            )


def _from(left: Leftover) -> str:
    what = f"It is '{left.value}' and comes" if left.value else "It comes"
    return f"{what} from {left.source}."


def notes_on_leftovers(name: str, own: Configuration | None, files: LeftFiles) -> Iterator[str]:
    """Report what is removed, and what is kept although it may not be meant for a standby."""
    for left in () if own is None else own.leftovers:
        match left.name:
            case setting if setting in (*TAKEN_OUT, TIMELINE):
                if not left.is_on_command_line:
                    yield f"{left} of {name} is removed: it does not belong on a standby"
            case setting if setting == TRIGGER_FILE and own is not None and own.trigger_file:
                yield (
                    f"{left} of {name} is overridden in postgresql.auto.conf, because the file "
                    "exists: the server would promote itself as soon as it runs"
                )
            case setting if setting == DELAY:
                yield f"{name} replays WAL with a delay: {left}"
            case setting if setting in COMMANDS:
                yield f"{left} of {name} is kept: {_what_it_does(setting)}"
    for mark in files.marks:
        yield f"{mark} exists, but whatever created it no longer manages {name}"
    if files.has_recovery_signal:
        yield f"{RECOVERY_SIGNAL} of {name} is removed: it does not belong on a standby"


def _what_it_does(command: str) -> str:
    if command == "recovery_end_command":
        return "it runs when the node is promoted"
    return "it removes from an archive what this node no longer needs but others may"


def notes_on_copied(leftovers: Iterable[Leftover]) -> Iterator[str]:
    """Report which settings of the primary are removed from the copy."""
    for left in leftovers:
        if left.name in (*TAKEN_OUT, TIMELINE) and not left.is_on_command_line:
            yield f"{left} of the primary is removed from the copy: it does not belong on a standby"


def notes_at_restart(name: str, own: Configuration | None) -> Iterator[str]:
    """Report what a healthy standby has in its files that would take effect at its next start."""
    for left in () if own is None else own.leftovers:
        if left.name in TARGETS:
            yield (
                f"{left} of {name} takes effect at the next start of its server, which would then "
                "replay no further than that; remove it"
            )
    if own is not None and own.trigger_file is not None:
        yield f"the trigger file of {name} exists: {own.trigger_file}; remove it"
