"""Whether a program still does something is seen by what its processes read, write and compute."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from pgpool_recovery.domain.error import Cancelled
from pgpool_recovery.host import activity
from pgpool_recovery.host.activity import Activity
from pgpool_recovery.host.program import run
from pgpool_recovery.host.stop import Stop
from tests.harness.until import until

IN_A_CHILD = "import subprocess, sys; subprocess.run([sys.executable, '-c', sys.argv[1]])"
COMPUTES = "while True: pass"
READS = "while True: open('/proc/self/stat').read()"
WAITS = "import sys, time; print('waits', file=sys.stderr, flush=True); time.sleep(600)"


@contextmanager
def program(text: str) -> Iterator[subprocess.Popen[bytes]]:
    """Run a program whose child does something, in a session of its own."""
    argv = [sys.executable, "-c", IN_A_CHILD, text]
    with subprocess.Popen(argv, stderr=subprocess.PIPE, start_new_session=True) as process:
        try:
            yield process
        finally:
            subprocess.run(["kill", "-9", "--", f"-{process.pid}"], check=True)


@pytest.mark.parametrize("does", [COMPUTES, READS])
def test_work_of_a_child_is_seen_again_and_again(
    monkeypatch: pytest.MonkeyPatch, does: str
) -> None:
    monkeypatch.setattr(activity, "LOOK_EVERY_S", 0.05)
    with program(does) as process:
        look = Activity(process.pid)
        for _ in range(3):
            until(look.is_seen, within_s=20, what="activity")


def test_waiting_is_no_work(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(activity, "LOOK_EVERY_S", 0)
    with program(WAITS) as process:
        assert process.stderr is not None
        assert process.stderr.readline() == b"waits\n"
        look = Activity(process.pid)
        until(lambda: not look.is_seen() and not look.is_seen(), within_s=20, what="it sleeps")
        assert not any(look.is_seen() for _ in range(50))


def test_work_of_a_program_without_a_limit_renews_that_of_the_step(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(activity, "LOOK_EVERY_S", 0.05)
    stop = Stop(lambda: stop.ask())  # noqa: PLW0108 - it does not exist yet
    with pytest.raises(Cancelled):
        run([sys.executable, "-c", COMPUTES], stop, timeout_s=None)
