"""Set the restore_command of a server whose WAL is fetched ahead, and set its own again."""

import os
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from pgpool_recovery.agent.directory.ahead_line import (
    SPOOL,
    UNFIT,
    OwnCommand,
    line_of,
    own_command_in,
)
from pgpool_recovery.agent.directory.configuration import (
    is_trusted,
    read_configuration_file,
    replace_auto,
    with_settings,
    without_settings,
)
from pgpool_recovery.agent.directory.workspace import remove
from pgpool_recovery.domain.data_directory import AUTO_CONFIGURATION
from pgpool_recovery.domain.error import Busy, RecoveryError, Refused, reason_of
from pgpool_recovery.domain.event import Say
from pgpool_recovery.files.text import lines_of
from pgpool_recovery.host import lock
from pgpool_recovery.host.setting_source import LINE, plain

if TYPE_CHECKING:
    from pgpool_recovery.facts.archived_wal import FetchAhead

NAME = "restore_command"
SEGMENT_DIGITS = 16
"""How many hexadecimal digits of a file's name are the number of its segment."""


def spool_of(data: Path) -> Path:
    """Return the directory in which the files wait."""
    return data / SPOOL


def set_line(data: Path, ahead: "FetchAhead", left_out: Iterable[str]) -> None:
    """Have the server of a data directory, which is not running, take the files that wait.

    `left_out` are the names of files that it gets elsewhere. The line goes to postgresql.auto.conf,
    which overrides every other file, so no other file is touched. Raises Refused when the server
    would not use it, or when its own command cannot be kept in it.
    """
    auto = data / AUTO_CONFIGURATION
    text = read_configuration_file(auto) or ""
    own = _value(text)
    if own not in (None, ahead.command):
        raise Refused(f"{AUTO_CONFIGURATION} has another {NAME} than the one that brings the WAL")
    if UNFIT.search(ahead.command):
        raise Refused(f"{NAME} has more than one line")
    command = OwnCommand(ahead.command, is_in_auto=own is not None)
    ends = (name[-SEGMENT_DIGITS:] for name in left_out)
    line = line_of(command, ends, os.getpid(), ahead.timeout_s)
    replace_auto(auto, with_settings(text, {NAME: line}))


def put_back_or_tell(data: Path, tell: Say) -> None:
    """Do what `put_back` does; if that fails, tell why.

    No recovery depends on it: the line that is there runs the server's own command.
    """
    try:
        put_back(data)
    except (OSError, RecoveryError) as error:
        tell(f"restore_command could not be set back: {why(error)}")


def why(error: OSError | RecoveryError) -> str:
    """Return the reason in an error of ours or of the system."""
    return error.message if isinstance(error, RecoveryError) else reason_of(error)


def put_back(data: Path) -> bool:
    """Set the server's own command again if ours is set; return whether it was.

    What waits for the server goes first: it may be what fills the disk, and the line is what shows
    the next recovery that something was left. A line that somebody else has set meanwhile stays.
    """
    auto = data / AUTO_CONFIGURATION
    text = read_configuration_file(auto) or ""
    own = own_command_in(_value(text) or "")
    try:
        _remove(spool_of(data))
    finally:
        if own is not None:
            rest = "".join(f"{line}\n" for line in without_settings(text, [NAME]))
            replace_auto(auto, with_settings(rest, {NAME: own.text} if own.is_in_auto else {}))
            from pgpool_recovery.agent.server.running import reload  # Seldom needed.

            reload(data)
    return own is not None


def is_right(data: Path) -> bool:
    """Return whether `put_right` would have nothing to put back, as far as it would look."""
    if not is_trusted(data):
        return True
    try:
        text = read_configuration_file(data / AUTO_CONFIGURATION) or ""
    except OSError:  # Nor could it be put back.
        return True
    spool = spool_of(data)
    is_left = own_command_in(_value(text) or "") is not None or spool.exists()
    return not is_left or lock.is_locked(spool)


def put_right(data: Path, tell: Say) -> None:
    """Set the server's own command again if an interrupted recovery could not, and say so.

    What belongs to a recovery that still runs stays: it holds the lock of its spool. A directory
    that cannot be read is reported when it is observed, not here.
    """
    try:
        is_set_back = is_trusted(data) and (data / "pg_wal").is_dir() and _put_back_left(data)
    except Busy:
        tell("another recovery of this node is still fetching WAL ahead")
        return
    except (OSError, RecoveryError) as error:
        if os.path.lexists(spool_of(data)):
            tell(f"restore_command could not be set back: {why(error)}")
        return
    if is_set_back:
        tell("restore_command is again what it was before an interrupted recovery")


def _put_back_left(data: Path) -> bool:
    """Do what `put_back` does; raise Busy if a recovery that still runs needs what is there."""
    spool = spool_of(data)
    if not spool.is_dir():  # There is nothing to lock. See `put_back` for the order.
        return put_back(data)
    held = lock.lock(spool)
    try:
        return put_back(data)
    finally:
        lock.unlock(held)


def _remove(spool: Path) -> None:
    """Remove what waits; a call of the line that goes on meanwhile must not add to it."""
    gone = spool.with_suffix(".gone")
    remove(gone)
    if spool.is_dir():
        spool.rename(gone)
        remove(gone)


def _value(text: str) -> str | None:
    """Return the value that a configuration file has for restore_command; None if none."""
    found = None
    for match in filter(None, map(LINE.match, lines_of(text))):
        if match[1].lower() == NAME:
            found = plain(match[2])
    return found
