"""What this process is, as its log tells: which build of us, of Python, how old, whose lines."""

import os
import sys
import time
from pathlib import Path

from pgpool_recovery import __version__
from pgpool_recovery.files.text import read_text


def age_s() -> float:
    """Return how long ago the process began, to a hundredth of a second; 0 where nobody can know.

    All that Python and we import before the log begins is in it (starttime in proc(5)).
    """
    try:
        after_name = read_text(Path("/proc/self/stat")).rpartition(") ")[2]
        ticks = int(after_name.split()[19])
    except (OSError, LookupError, ValueError):
        return 0.0
    since_boot_s = time.clock_gettime(time.CLOCK_BOOTTIME)
    return max(0.0, since_boot_s - ticks / os.sysconf("SC_CLK_TCK"))


def name_of_this(process: str, about: str | None = None) -> str:
    """Return whose lines they are: the process, its id, its host, and what it is about."""
    name = f"{process}[{os.getpid()}]@{os.uname().nodename}"
    return name if about is None else f"{name} {about}"


def description() -> str:
    """Return which build this is, and what it has cost to come so far."""
    python = ".".join(map(str, sys.version_info[:3]))
    return (
        f"pgpool-recovery {__version__}, Python {python}, user id {os.geteuid()}, "
        f"{time.process_time():.3f} s of CPU until here"
    )
