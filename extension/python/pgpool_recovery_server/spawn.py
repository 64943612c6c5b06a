"""Start a program as the leader of its own session, and find out how it ended.

With fork(2) and execve(2): subprocess does nothing more for us and takes 6 ms of each new session
to import, once in the backend and once in the supervisor.
"""

import os
from typing import Callable, List, Mapping, NoReturn, Optional, Tuple

NOT_EXECUTED = 127
EXCHANGED = "another file has taken its place"


def spawn(
    argv: List[bytes],
    environment: Mapping[bytes, bytes],
    directory: str,
    streams: Tuple[int, int, int],
    before: Optional[Callable[[], None]] = None,
) -> int:
    """Start a program and return its process id.

    `argv` and `environment` are bytes, `streams` the descriptors of its standard input, output and
    error. Of our other descriptors, it inherits only those that were made inheritable. `before` is
    called in the new process. Raises OSError when the program cannot be executed.
    """
    report, report_write = os.pipe()
    pid = os.fork()
    if pid == 0:
        _become(argv, environment, directory, streams, before, report_write)
    os.close(report_write)
    with os.fdopen(report, "rb") as file:
        number = file.read()
    if number:
        os.waitpid(pid, 0)
        raise OSError(int(number), os.strerror(int(number)))
    return pid


def _become(
    argv: List[bytes],
    environment: Mapping[bytes, bytes],
    directory: str,
    streams: Tuple[int, int, int],
    before: Optional[Callable[[], None]],
    report: int,
) -> NoReturn:
    """Turn this process, which was forked, into the program; does not return."""
    try:
        os.setsid()
        above = [_above_standard_streams(descriptor) for descriptor in streams]
        for number, descriptor in enumerate(above):
            os.dup2(descriptor, number)
        os.chdir(directory)
        if before is not None:
            before()
        os.execve(argv[0], argv, environment)
    except OSError as error:
        os.write(report, b"%d" % (error.errno or 0))
    finally:
        os._exit(NOT_EXECUTED)


def _above_standard_streams(descriptor: int) -> int:
    """Return a descriptor of the same file that no dup2() to a standard stream will close."""
    while descriptor <= 2:
        descriptor = os.dup(descriptor)
    return descriptor


def status_of(pid: int) -> Optional[int]:
    """Return how a child process ended (negative: the signal), or None while it runs; reaps it."""
    found, status = os.waitpid(pid, os.WNOHANG)
    if found == 0:
        return None
    return -os.WTERMSIG(status) if os.WIFSIGNALED(status) else os.WEXITSTATUS(status)
