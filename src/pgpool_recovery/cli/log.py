"""Where the log of a command goes: to the server that called it, or to standard error.

A server passes on what a command says as NOTICEs, so it is told which lines are for its log alone.
"""

import os
from typing import TYPE_CHECKING

from pgpool_recovery.cli.say import complain, say_to_log
from pgpool_recovery.log.note import is_on, note, turn_on

if TYPE_CHECKING:
    from pgpool_recovery.config.settings import LogSettings

RECORD_SECRET = "PGPOOL_RECOVERY_SECRET"  # noqa: S105 - the name of a variable
TAKES_LOG = "PGPOOL_RECOVERY_LOG"
"""By which the extension says that it takes lines for the log; an older one has NOTICEs only."""
HEAD = "DEBUG:  pgpool-recovery"
"""What each line begins with: by this they are found among those of the server."""


def log_if_wanted(settings: "LogSettings", process: str, about: str | None = None) -> None:
    """Log from here on when the settings say so; `about` is the node that it is about."""
    if settings.is_debugging:
        log_to_the_end(process, about)


def log_to_the_end(process: str, about: str | None = None) -> None:
    """Log from here on."""
    from pgpool_recovery.log.process import name_of_this

    turn_on(_write, name_of_this(process, about))


def log_failure(error: BaseException) -> None:
    """Log a failure with the places where it was raised, and those that it came of."""
    if not is_on():
        return
    from pgpool_recovery.domain.bug import places_of

    note("failed: {}", error)
    for line in places_of(error).split("\n"):
        note("raised: {}", line)


def _write(line: str) -> None:
    if TAKES_LOG in os.environ and RECORD_SECRET in os.environ:
        say_to_log(os.environ[RECORD_SECRET], f"{HEAD} {line}")
    else:
        complain(f"{HEAD} {line}")
