"""Find a stage script in the data directory, or say why it cannot be run."""

import os
import stat

from .outcome import Failure

EXECUTABLE_BY_ANYONE = stat.S_IXUSR | stat.S_IXGRP | stat.S_IXOTH
WRITABLE_BY_OTHERS = stat.S_IWGRP | stat.S_IWOTH


def find_script(data_directory, name):
    """Return the absolute path of the script `name`.

    Raises Failure when `name` is not a plain file name, or the file is not an executable that
    belongs to the server's user alone: whoever may write it may do all that the server may.
    A symbolic link is followed; what it leads to has to satisfy the same rules.
    """
    if name in ("", ".", "..") or "/" in name:
        raise Failure(
            'script name "%s" is not a plain file name' % name,
            detail="A script is named without a directory and runs from the data directory.",
            hint='Put the script into "%s" and name it in pgpool.conf without a path.'
            % data_directory,
        )
    path = os.path.join(data_directory, name)
    _check_status(path, _status(path))
    return path


def _status(path):
    try:
        return os.stat(path)
    except FileNotFoundError:
        raise Failure(
            'script "%s" does not exist' % path,
            hint='Run "pgpool-recovery install" on this host, or check the name in pgpool.conf.',
        )
    except OSError as error:
        raise Failure('could not stat script "%s": %s' % (path, error.strerror))


def _check_status(path, status):
    if not stat.S_ISREG(status.st_mode):
        raise Failure('script "%s" is not a regular file' % path)
    if status.st_uid != os.geteuid():
        raise Failure(
            'script "%s" does not belong to the user of the server' % path,
            detail="Its owner is user id %d, the server runs as user id %d."
            % (status.st_uid, os.geteuid()),
            hint="Change its owner with chown.",
        )
    if status.st_mode & WRITABLE_BY_OTHERS:
        raise Failure(
            'script "%s" can be written by others' % path,
            detail="Its mode is %04o." % stat.S_IMODE(status.st_mode),
            hint='Use "chmod go-w" on it.',
        )
    if not status.st_mode & EXECUTABLE_BY_ANYONE:
        raise Failure(
            'script "%s" is not executable' % path,
            detail="Its mode is %04o." % stat.S_IMODE(status.st_mode),
            hint='Use "chmod u+x" on it.',
        )
    if not os.access(path, os.X_OK):
        raise Failure('script "%s" cannot be executed' % path, **_why_not_executable(path, status))


def _why_not_executable(path, status):
    if os.statvfs(path).f_flag & os.ST_NOEXEC:
        return {
            "detail": "Its filesystem is mounted with the option noexec.",
            "hint": "Mount the data directory without noexec.",
        }
    return {
        "detail": "Its mode is %04o." % stat.S_IMODE(status.st_mode),
        "hint": 'Use "chmod u+x" on it.',
    }
