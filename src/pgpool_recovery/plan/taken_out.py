"""What stands in the way of a standby, or is taken out for it: settings and files left over."""

from collections.abc import Iterable, Iterator

from pgpool_recovery.facts.facts import Configuration
from pgpool_recovery.facts.leftover import (
    COMMANDS,
    DELAY,
    LEADING,
    OLD_FILE,
    SIGNAL,
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
"""What makes a server no standby of this primary, when no file of ours wins over it."""


def reject_leftovers(name: str, own: Configuration | None, files: LeftFiles) -> Iterator[Rejection]:
    """Say what no file of ours wins over, and what would end the server or promote it."""
    for left in () if own is None else own.leftovers:
        is_trigger = left.name == TRIGGER_FILE and own is not None and own.trigger_file is not None
        if left.is_on_command_line and (is_trigger or left.name in DECISIVE):
            yield Rejection(
                f"{left.name} of {name} is set on the command line",
                detail=f"{_from(left)} No configuration file wins over it, and its server would "
                "be no standby of this primary.",
                hint="Take it out there.",
            )
    if files.has_recovery_conf:
        yield Rejection(
            f"{OLD_FILE} is in the data directory of {name}",
            detail="PostgreSQL 12 and later do not start where there is one.",
            hint="Take it away; its settings belong into postgresql.conf now.",
        )


def reject_running(name: str, running: Running | None) -> Iterator[Rejection]:
    """Say with which targets a server runs; only a restart takes them out."""
    for left in running.leftovers if isinstance(running, RunningServer) else ():
        if left.name in TARGETS:
            yield Rejection(
                f"the server of {name} runs with {left.name}",
                detail=f"{_from(left)} It replays no further than that, and may make itself a "
                "primary there.",
                hint="Stop it, then recover the node: the setting is taken out.",
            )


def _from(left: Leftover) -> str:
    what = f"It is '{left.value}', and comes" if left.value else "It comes"
    return f"{what} from {left.source}."


def notes_on_leftovers(name: str, own: Configuration | None, files: LeftFiles) -> Iterator[str]:
    """Say what is taken out, and what stays though it may not be meant for a standby."""
    for left in () if own is None else own.leftovers:
        match left.name:
            case setting if setting in (*TAKEN_OUT, TIMELINE):
                if not left.is_on_command_line:
                    yield f"{left} of {name} is taken out: it is none of a standby's"
            case setting if setting == TRIGGER_FILE and own is not None and own.trigger_file:
                yield (
                    f"{left} of {name} is overridden in postgresql.auto.conf, because the file is "
                    "there: its server would make itself a primary as soon as it runs"
                )
            case setting if setting == DELAY:
                yield f"{name} replays WAL with a delay: {left}"
            case setting if setting in COMMANDS:
                yield f"{left} of {name} stays: {_what_it_does(setting)}"
    for mark in files.marks:
        yield f"{mark} is there, and what made it does not manage {name} any more"
    if files.has_recovery_signal:
        yield f"{SIGNAL} of {name} is taken out: it is none of a standby's"


def _what_it_does(command: str) -> str:
    if command == "recovery_end_command":
        return "it runs when the node is promoted"
    return "it removes from an archive what this node needs no more, and others may need"


def notes_on_copied(leftovers: Iterable[Leftover]) -> Iterator[str]:
    """Say what of the primary's own the copy is not to have."""
    for left in leftovers:
        if left.name in (*TAKEN_OUT, TIMELINE) and not left.is_on_command_line:
            yield f"{left} of the primary is taken out of the copy: it is none of a standby's"


def notes_at_restart(name: str, own: Configuration | None) -> Iterator[str]:
    """Say what a standby that runs well has in its files, and would have with its next start."""
    for left in () if own is None else own.leftovers:
        if left.name in TARGETS:
            yield (
                f"{left} of {name} takes effect when its server is started anew: it would replay "
                "no further than that; take it out"
            )
    if own is not None and own.trigger_file is not None:
        yield f"the trigger file of {name} is there: {own.trigger_file}; remove it"
