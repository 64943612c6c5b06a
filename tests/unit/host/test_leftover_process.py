"""Processes that outlive a killed agent are terminated, and no others."""

import subprocess
import sys
import time
from collections.abc import Callable, Iterator

import pytest

from pgpool_recovery.host.leftover_process import end_leftovers

WORD = "--pg1-path=/nowhere/data.pgpool_recovery/new"
WAITS = "import time; print('ready', flush=True); time.sleep(600)"
STUBBORN = f"import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); {WAITS}"
Process = subprocess.Popen[bytes]
Start = Callable[..., Process]


@pytest.fixture
def start() -> Iterator[Start]:
    """Start a program with these words, and wait until it runs."""
    started: list[Process] = []

    def start_one(*words: str, program: str = WAITS) -> Process:
        argv = [sys.executable, "-c", program, *words]
        started.append(subprocess.Popen(argv, stdout=subprocess.PIPE))
        assert started[-1].stdout is not None
        started[-1].stdout.readline()
        return started[-1]

    yield start_one
    for process in started:
        process.kill()
        process.communicate()


def test_programs_with_the_word_end(start: Start) -> None:
    own_word = start("restore", WORD, "--delta")
    within_a_word = start(f"pgbackrest {WORD} restore:remote")
    end_leftovers(WORD)
    assert own_word.wait(5) != 0
    assert within_a_word.wait(5) != 0


def test_all_others_continue(start: Start) -> None:
    longer, shorter = start(f"{WORD}er"), start(WORD.removesuffix("/new"))
    end_leftovers(WORD)
    assert (longer.poll(), shorter.poll()) == (None, None)


def test_a_stubborn_one_ends_too(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pgpool_recovery.host.leftover_process.END_S", 0.5)
    stubborn = start(WORD, program=STUBBORN)
    end_leftovers(WORD)
    assert stubborn.wait(5) == -9


def test_nothing_to_end_takes_no_time() -> None:
    began = time.monotonic()
    end_leftovers(WORD)
    assert time.monotonic() - began < 0.5
