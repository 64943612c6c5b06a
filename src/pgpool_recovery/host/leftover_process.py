"""Programs that go on after the agent that started them was killed, or after their own parent."""

import os
import re
import signal
import time
from contextlib import suppress

from pgpool_recovery.domain.error import Busy
from pgpool_recovery.files.process_table import processes
from pgpool_recovery.log.note import waits

END_S = 3.0
TICK_S = 0.05


@waits("leftover processes to end")
def end_leftovers(word: str) -> None:
    """End all own processes with this word in their command line: ask, then insist.

    Whoever calls holds the lock of the directory that the word names, so they are nobody's. Raises
    Busy when one does not end, as while a disk or NFS does not answer.
    """
    for number in (signal.SIGTERM, signal.SIGKILL):
        deadline = time.monotonic() + END_S
        while (pids := _pids_with(word)) and time.monotonic() < deadline:
            for pid in pids:
                with suppress(ProcessLookupError):  # It has just ended.
                    os.kill(pid, number)
            time.sleep(TICK_S)
    if pids:
        raise Busy(
            "programs of an earlier recovery do not end",
            detail=f"They are the processes {', '.join(map(str, pids))} on the target's host.",
        )


def _pids_with(word: str) -> list[int]:
    """Return the processes; ssh has all words of a remote command in one."""
    pattern = re.compile(rf"(?:^| ){re.escape(word)}(?: |$)")
    own, user = os.getpid(), os.geteuid()
    return [
        process.pid
        for process in processes()
        if process.pid != own and process.owner == user and any(map(pattern.search, process.words))
    ]
