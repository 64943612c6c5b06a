"""Identify this process in its log: its name, its age, our version and Python's."""

import os
import sys
import time
from pathlib import Path

from pgpool_recovery import __version__
from pgpool_recovery.files.text import read_text


def age_s() -> float:
    """Return how long ago the process started, to a hundredth of a second; 0 if it is not known.

    It includes all imports of Python and of ours before the log begins (starttime in proc(5)).
    """
    try:
        after_name = read_text(Path("/proc/self/stat")).rpartition(") ")[2]
        ticks = int(after_name.split()[19])
    except (OSError, LookupError, ValueError):
        return 0.0
    since_boot_s = time.clock_gettime(time.CLOCK_BOOTTIME)
    return max(0.0, since_boot_s - ticks / os.sysconf("SC_CLK_TCK"))


def name_of_this(process: str, about: str | None = None) -> str:
    """Return the origin of log lines: the process, its id, its host, and what it is about."""
    name = f"{process}[{os.getpid()}]@{os.uname().nodename}"
    return name if about is None else f"{name} {about}"


def description() -> str:
    """Return our version, Python's, the user id, and the CPU time used so far."""
    python = ".".join(map(str, sys.version_info[:3]))
    return (
        f"pgpool-recovery {__version__}, Python {python}, user id {os.geteuid()}, "
        f"{time.process_time():.3f} s of CPU so far"
    )
