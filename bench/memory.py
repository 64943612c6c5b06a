"""Watch how much memory the processes of a recovery take."""

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from tests.harness.machine import Machine

EVERY_S = 0.5
RUNNER, AGENT = "runner", "agent"


@dataclass
class Peaks:
    """The peak of each kind of process, in bytes: of the one that took most."""

    of: dict[str, int] = field(default_factory=dict)

    def add(self, kind: str, peak_bytes: int) -> None:
        """Take note of a process."""
        self.of[kind] = max(peak_bytes, self.of.get(kind, 0))


@contextmanager
def watching(machines: Sequence[Machine], peaks: Peaks) -> Iterator[None]:
    """Look from time to time at the peaks that the kernel keeps (VmHWM in proc(5))."""
    has_ended = threading.Event()

    def watch() -> None:
        while not has_ended.wait(EVERY_S):
            for machine in machines:
                _look(machine, peaks)

    thread = threading.Thread(target=watch)
    thread.start()
    try:
        yield
    finally:
        has_ended.set()
        thread.join()


def _look(machine: Machine, peaks: Peaks) -> None:
    for process in machine.processes():
        if any("pgpool-recovery" in word for word in process.argv[:2]):  # Not ssh.
            kind = f"{AGENT} on {machine.name}" if process.argv[-1] == AGENT else RUNNER
            with suppress(FileNotFoundError, ProcessLookupError):
                status = machine.path(Path("/proc", str(process.pid), "status")).read_text()
                found = [line for line in status.splitlines() if line.startswith("VmHWM")]
                if found:  # A process that has ended and was not waited for has none.
                    peaks.add(kind, 1024 * int(found[0].split()[1]))
