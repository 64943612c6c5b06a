"""Terminate processes that have outlived the agent that started them, or their own parent."""

import os
import re
import signal
import time
from collections.abc import Callable
from contextlib import suppress

from pgpool_recovery.domain.error import Busy
from pgpool_recovery.files.process_table import Process, processes
from pgpool_recovery.log.note import waits

END_S = 3.0
TICK_S = 0.05


def end_leftovers(word: str) -> None:
    """Send SIGTERM, then SIGKILL, to our user's processes with this word in their command line.

    The caller holds the lock of the directory that the word names, so no other agent uses them.
    Raises Busy when one does not end, for example because a disk or NFS does not respond.
    """
    pattern = re.compile(rf"(?:^| ){re.escape(word)}(?: |$)")
    # ssh has all words of a remote command in one argument, so each is searched.
    _end(lambda process: any(map(pattern.search, process.words)))


def end_leftovers_with(variable: str, value: str) -> None:
    """Do the same with our user's processes that have this variable in their environment.

    The environment is the one with which a process was started (proc_pid_environ(5)), so a process
    is found whatever it does, and so are its children.
    """
    wanted = f"{variable}={value}"
    _end(lambda process: wanted in process.text("environ").split("\0"))


@waits("leftover processes to end")
def _end(is_meant: Callable[[Process], bool]) -> None:
    for number in (signal.SIGTERM, signal.SIGKILL):
        deadline = time.monotonic() + END_S
        while (pids := _pids(is_meant)) and time.monotonic() < deadline:
            for pid in pids:
                with suppress(ProcessLookupError):  # The process has just ended.
                    os.kill(pid, number)
            time.sleep(TICK_S)
    if pids:
        raise Busy(
            "processes of an earlier recovery cannot be terminated",
            detail=f"Their PIDs on the target's host are {', '.join(map(str, pids))}.",
        )


def _pids(is_meant: Callable[[Process], bool]) -> list[int]:
    own, user = os.getpid(), os.geteuid()
    return [
        process.pid
        for process in processes()
        if process.pid != own and process.owner == user and is_meant(process)
    ]
