"""Send the log of a command to the server that called it, or else to standard error.

The server passes the output of a command on as NOTICEs, so lines that belong only in its log are
marked as such.
"""

import os
from typing import TYPE_CHECKING

from pgpool_recovery.cli.say import complain, say_to_log
from pgpool_recovery.log.note import is_on, note, turn_on

if TYPE_CHECKING:
    from pgpool_recovery.config.settings import LogSettings

RECORD_SECRET = "PGPOOL_RECOVERY_SECRET"  # noqa: S105 - the name of a variable
TAKES_LOG = "PGPOOL_RECOVERY_LOG"
"""Set by an extension that accepts lines for the log; an older one knows NOTICEs only."""
HEAD = "DEBUG:  pgpool-recovery"
"""The start of each line, by which it can be found in the server's log."""


def log_if_wanted(settings: "LogSettings", process: str, about: str | None = None) -> None:
    """Turn the log on if the settings say so; `about` is the node that the lines concern."""
    if settings.is_debugging:
        log_to_the_end(process, about)


def log_to_the_end(process: str, about: str | None = None) -> None:
    """Turn the log on for the rest of this process."""
    from pgpool_recovery.log.process import name_of_this

    turn_on(_write, name_of_this(process, about))


def log_failure(error: BaseException) -> None:
    """Log a failure with the places where it and its causes were raised."""
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
