"""The lock of a target admits one recovery at a time; a mere check is not mistaken for one."""

import fcntl
import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from pgpool_recovery.agent.directory import swap
from pgpool_recovery.agent.directory import workspace as workspaces
from pgpool_recovery.agent.directory.journal import Journal
from pgpool_recovery.domain.error import Busy
from pgpool_recovery.facts.step.place import Place, Places
from pgpool_recovery.host.lock import LOCK_NAME, is_locked, lock, unlock


def test_one_at_a_time(tmp_path: Path) -> None:
    assert not is_locked(tmp_path)
    held = lock(tmp_path)
    assert is_locked(tmp_path)
    with pytest.raises(Busy):
        lock(tmp_path)
    unlock(held)
    assert not is_locked(tmp_path)


def test_check_of_the_lock_is_waited_for(tmp_path: Path) -> None:
    unlock(lock(tmp_path))
    looker = os.open(tmp_path / LOCK_NAME, os.O_RDWR)
    fcntl.flock(looker, fcntl.LOCK_SH)
    assert not is_locked(tmp_path), "two checks do not see each other"
    timer = threading.Timer(0.1, os.close, [looker])
    timer.start()
    unlock(lock(tmp_path))
    timer.join()


RECOVERIES = 4
TIMES = 60
AGAIN_AND_AGAIN = f"""
import os, sys, time
from pathlib import Path
from pgpool_recovery.agent.directory import swap
from pgpool_recovery.agent.directory import workspace as workspaces
from pgpool_recovery.domain.error import Busy
from pgpool_recovery.facts.step.place import Place, Places

root, is_inside = Path(sys.argv[1]), sys.argv[2] == "inside"
workspace = root / ("data/pgpool_recovery" if is_inside else "data.pgpool_recovery")
data = Place(str(root / "data"), str(workspace), is_inside=is_inside, new=str(workspace / "new"))
places, done = Places(data, None, ()), 0
end = time.monotonic() + 60
while done < {TIMES} and time.monotonic() < end:
    try:
        swap.tidy(root / "data")
        journal = swap.reserve(places)
    except Busy:
        continue
    os.close(os.open(root / "alone", os.O_CREAT | os.O_EXCL))  # Fails when another is at work.
    (workspace / "new").mkdir(exist_ok=True)  # One that was killed since the look may have left it.
    (workspace / "new" / "file").write_text(str(os.getpid()))
    time.sleep(0.001)
    assert (workspace / "new" / "file").read_text() == str(os.getpid())
    (root / "alone").unlink()
    if done % 3:
        swap.rest(journal)
    # Else its process is killed; the next one tidies up, or removes it with the old data.
    journal.close()
    if done % 5 == 0:
        try:
            swap.discard_old(root / "data")
        except Busy:
            pass
    done += 1
sys.exit(0 if done else "never had it")
"""


@pytest.mark.parametrize("where", ["beside", "inside"])
def test_promise_6_at_the_end_of_another_recovery(tmp_path: Path, where: str) -> None:
    """One agent ends and removes the lock file, while a second one waits and a third arrives."""
    (tmp_path / "data").mkdir()
    argv = [sys.executable, "-c", AGAIN_AND_AGAIN, str(tmp_path), where]
    running = [subprocess.Popen(argv, stderr=subprocess.PIPE, text=True) for _ in range(RECOVERIES)]
    said = [process.communicate()[1] for process in running]
    assert [process.returncode for process in running] == [0] * RECOVERIES, "\n".join(said)


def test_promise_6_lock_of_a_removed_file_does_not_count(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first one ends while the second waits and the third arrives: only one of them gets it."""
    workspace = tmp_path / "data.pgpool_recovery"
    data = Place(str(tmp_path / "data"), str(workspace), is_inside=False, new=f"{workspace}/new")
    places = Places(data, None, ())
    first, third = [swap.reserve(places)], list[Journal]()
    sleep = time.sleep

    def others_turn(duration: float) -> None:
        """The second one has just found the file locked."""
        if first:
            swap.rest(first[0])
            first.pop().close()
            third.append(swap.reserve(places))
        sleep(duration)

    monkeypatch.setattr(time, "sleep", others_turn)
    with pytest.raises(Busy):
        swap.reserve(places)
    third[0].close()
    swap.reserve(places).close()


def test_promise_6_removal_of_old_data_spares_the_next_recovery(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The lock is removed with the workspace, and the next recovery begins at that instant."""
    workspace = tmp_path / "data.pgpool_recovery"
    (tmp_path / "data").mkdir()
    data = Place(str(tmp_path / "data"), str(workspace), is_inside=False, new=f"{workspace}/new")
    places, begun = Places(data, None, ()), list[Journal]()
    swap.reserve(places).close()  # Its process was killed.

    def discard_and_let_begin(removed: Path, freed: workspaces.Freed) -> None:
        workspaces.discard(removed, freed)
        if not begun:
            begun.append(swap.reserve(places))

    monkeypatch.setattr(swap, "discard", discard_and_let_begin)
    swap.discard_old(tmp_path / "data")
    with pytest.raises(Busy):
        lock(workspace)
    swap.rest(begun[0])
    begun[0].close()
