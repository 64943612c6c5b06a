"""Read how SELinux confines a process, from files of the kernel alone.

`enforce` is 1 if denials take effect. A file of `booleans` has the value in force and then the
pending one. `attr/current` of a process is its context, as "user:role:type:level".
"""

from pathlib import Path

from pgpool_recovery.facts.node import Confinement
from pgpool_recovery.files.text import read_text

SELINUX = Path("/sys/fs/selinux")
PROCESSES = Path("/proc")
MAY_RUN_SSH = "postgresql_can_rsync"
"""The policy describes it as "Allow postgresql to use ssh and rsync for point-in-time recovery"."""
ENFORCING, ON = "1", "1"


def confinement_of(
    pid: int, selinux: Path = SELINUX, processes: Path = PROCESSES
) -> Confinement | None:
    """Return how a process is confined; None if SELinux is off, or only logs what it would deny."""
    if _read(selinux / "enforce") != ENFORCING:
        return None
    context = _read(processes / str(pid) / "attr" / "current")
    parts = (context or "").split(":")
    if len(parts) < 3:
        return None
    value = _read(selinux / "booleans" / MAY_RUN_SSH)
    return Confinement(parts[2], None if value is None else value.split()[:1] == [ON])


def _read(path: Path) -> str | None:
    """Return a file's text without the NUL or the newline at its end; None if it cannot be read."""
    try:
        return read_text(path).rstrip("\0\n")
    except OSError:
        return None
