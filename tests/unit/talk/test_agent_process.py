"""The process of an agent ends at the end of its input, or is killed."""

import os
import sys
from pathlib import Path

import pytest

from pgpool_recovery.talk.agent_process import AgentProcess
from tests.harness.until import until

LEAVES_ANOTHER_ONE = """
import subprocess, sys
held = subprocess.Popen(["sleep", "600"], stdin=subprocess.DEVNULL)
print(held.pid, flush=True)
sys.stdin.read()
"""
IS_DEAF = """
import signal, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
print("ready", flush=True)
time.sleep(60)
"""


def test_output_that_another_process_keeps_open_is_not_waited_for() -> None:
    """A master connection of ssh does so; it outlives the one that opened it."""
    process = AgentProcess([sys.executable, "-c", LEAVES_ANOTHER_ONE])
    held = int(os.read(process.output, 100))
    process.end(undo_s=60.0, farewell_s=600.0)
    assert process.status(0) == 0
    assert b"sleep" in Path(f"/proc/{held}/cmdline").read_bytes()  # It is empty for a zombie.
    os.kill(held, 9)


def test_one_that_does_not_listen_is_killed() -> None:
    process = AgentProcess([sys.executable, "-c", IS_DEAF])
    assert os.read(process.output, 100).startswith(b"ready")
    process.end(undo_s=0.0, farewell_s=0.0)
    assert process.status(0) == -9


def test_its_remaining_output_does_not_block_it() -> None:
    """It is more than a pipe holds, so it must be read before the process can end."""
    lasting = "import sys; sys.stdin.read(); print('x' * 1000000)"
    process = AgentProcess([sys.executable, "-c", lasting])
    process.end(undo_s=60.0, farewell_s=60.0)
    assert process.status(0) == 0


def test_end_of_its_errors_is_kept() -> None:
    process = AgentProcess([sys.executable, "-c", "import sys; print('why', file=sys.stderr)"])
    assert until(process.has_ended, within_s=30, what="its end")
    assert process.errors.text() == "why"
    process.end(undo_s=0.0)


def test_program_that_is_not_there() -> None:
    with pytest.raises(FileNotFoundError):
        AgentProcess(["/does/not/exist"])


def test_noise_without_end_is_ended() -> None:
    process = AgentProcess([sys.executable, "-c", "while True: print('x', end='')"])
    process.end(undo_s=60.0, farewell_s=0.5)
    assert process.status(0) == -15


UNDOES = """
import signal, sys, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
print("ready", flush=True)
for number in range(8):
    time.sleep(0.25)
    print(number, flush=True)
sys.exit(3)
"""


def test_undo_that_gets_on_has_more_time() -> None:
    process = AgentProcess([sys.executable, "-c", UNDOES])
    assert os.read(process.output, 100).startswith(b"ready")
    process.end(undo_s=1.0, farewell_s=0.0)
    assert process.status(0) == 3
