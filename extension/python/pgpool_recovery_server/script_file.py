"""Find a stage script in the data directory, or report why it cannot be run."""

import os
import shlex

from pgpool_recovery.in_server.script_name import is_inside
from pgpool_recovery.in_server.stage_script import faults_of_script

from .outcome import Failure

OURS = b"\n# Part of pgpool-recovery."  # As install/stage_commands.py writes it.
MARK_WITHIN_BYTES = 1024


class Script:
    """A script that may run: its path in the data directory, and which file that must be.

    `is_ours`: it is one of our stage commands, as installed by `pgpool-recovery install`.
    """

    def __init__(self, path: str, status: os.stat_result) -> None:
        self.path = path
        self.identity = (status.st_dev, status.st_ino)
        self.is_ours = _begin_of(path).find(OURS) >= 0


def find_script(data_directory: str, name: str) -> Script:
    """Return the script `name`.

    Raises Failure when `name` leads out of the data directory, or the file is not an executable
    that only the server's user and root can change (stage_script.py).

    The script is executed by its path, which users expect in $0: "#!" passes a path to the
    interpreter, and that of an open file would be one in /proc. A file that other users could
    exchange between this check and the start is refused here. Right before the start, it is checked
    once more that the path still leads to this file.
    """
    if not is_inside(name):
        raise Failure(
            'script name "%s" is not a path inside the data directory' % name,
            detail="A script name is relative to the data directory, where the script runs.",
            hint='Put the script into "%s" and name it in pgpool.conf without a path.'
            % data_directory,
        )
    path = os.path.join(data_directory, name)
    status = _status(path)
    try:
        fault = next(faults_of_script(data_directory, name, status), None)
    except OSError as error:
        raise Failure('could not stat script "%s": %s' % (path, error.strerror or error))
    if fault is not None:
        raise Failure('script "%s" %s' % (path, fault.why), detail=fault.detail, hint=fault.hint)
    return Script(path, status)


def _begin_of(path: str) -> bytes:
    try:
        with open(path, "rb") as script:
            return script.read(MARK_WITHIN_BYTES)
    except OSError:
        return b""  # Executable but not readable: none of ours is.


def _status(path: str) -> os.stat_result:
    try:
        return os.stat(path)
    except FileNotFoundError:
        raise Failure(
            'script "%s" does not exist' % path,
            hint="Check the name in pgpool.conf; if it is right, run as the owner of the data "
            "directory: pgpool-recovery install --data-directory %s"
            % shlex.quote(os.path.dirname(path)),
        )
    except OSError as error:
        raise Failure('could not stat script "%s": %s' % (path, error.strerror or error))
