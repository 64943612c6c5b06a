"""The lock of a target: one recovery at a time, and who only looks is not taken for one."""

import fcntl
import os
import threading
from pathlib import Path

import pytest

from pgpool_recovery.agent.lock import LOCK_NAME, is_locked, lock, unlock
from pgpool_recovery.domain.error import Busy


def test_one_at_a_time(tmp_path: Path) -> None:
    assert not is_locked(tmp_path)
    held = lock(tmp_path)
    assert is_locked(tmp_path)
    with pytest.raises(Busy):
        lock(tmp_path)
    unlock(held)
    assert not is_locked(tmp_path)


def test_who_looks_is_waited_for(tmp_path: Path) -> None:
    unlock(lock(tmp_path))
    looker = os.open(tmp_path / LOCK_NAME, os.O_RDWR)
    fcntl.flock(looker, fcntl.LOCK_SH)
    assert not is_locked(tmp_path), "nor does one who looks see another one"
    timer = threading.Timer(0.1, os.close, [looker])
    timer.start()
    unlock(lock(tmp_path))
    timer.join()
