"""The restore_command of a server whose WAL is fetched ahead, run by a real shell."""

import os
import subprocess
import threading
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pgpool_recovery.agent.directory.ahead_line import SPOOL, OwnCommand, line_of, own_command_in
from pgpool_recovery.agent.observe.restore_command import RestoreCommand, with_words
from pgpool_recovery.host.stop import Stop

NAME, NEXT = "000000010000000000000007", "000000010000000000000009"
KEPT = "0000000000000002"
GONE = 2**22 + 1
"""No process has this id: pid_max of Linux is at most 2^22."""


@pytest.fixture
def data(tmp_path: Path) -> Path:
    (tmp_path / SPOOL).mkdir(parents=True)
    return tmp_path


def call(
    data: Path, own: str, name: str = NAME, *, pid: int | None = None, wait_s: float = 10
) -> subprocess.CompletedProcess[str]:
    """Run the line as the server does."""
    made = line_of(
        OwnCommand(own, is_in_auto=False), [KEPT, NEXT[-16:]], pid or os.getpid(), wait_s
    )
    line = with_words(made, name, "pg_wal/RECOVERYXLOG")
    return subprocess.run(
        ["/bin/sh", "-c", line], cwd=data, capture_output=True, text=True, check=False
    )


def test_file_that_waits_is_taken_without_a_call(data: Path) -> None:
    (data / SPOOL / NAME).write_text("WAL")
    assert call(data, "touch called; false").returncode == 0
    assert (data / "pg_wal/RECOVERYXLOG").read_text() == "WAL"
    assert not (data / SPOOL / NAME).exists()
    assert not (data / "called").exists()


def test_it_waits_for_a_file_that_is_being_fetched(data: Path) -> None:
    part = data / SPOOL / f"{NAME}.part"
    part.mkdir()

    def bring() -> None:
        (data / SPOOL / NAME).write_text("WAL")
        part.rmdir()

    timer = threading.Timer(0.3, bring)
    timer.start()
    said = call(data, "touch called; false")
    timer.join()
    assert said.returncode == 0
    assert not (data / "called").exists()


@pytest.mark.parametrize(("pid", "wait_s"), [(GONE, 20), (None, 0.1)])
def test_it_does_not_wait_forever(data: Path, pid: int | None, wait_s: float) -> None:
    """Nor at all for a process that is gone."""
    (data / SPOOL / f"{NAME}.part").mkdir()
    began = time.monotonic()
    said = call(data, "echo own > %p", pid=pid, wait_s=wait_s)
    assert (said.returncode, said.stderr) == (0, "")
    assert time.monotonic() - began < 10
    assert (data / "pg_wal/RECOVERYXLOG").read_text() == "own\n"


@pytest.mark.parametrize(
    ("own", "status"),
    [
        ("true", 0),
        ("false", 1),
        ("exit 3", 3),
        ("exit 126", 126),
        ("no_such_command_of_this_host", 127),
        ("kill -TERM $$", -15),
        ("sh -c 'kill -KILL $$'; exit $?", 137),
        ("false # a comment", 1),
        ("exit 7 # it's not \"closed", 7),
        ("(", 2),
    ],
)
def test_status_of_the_own_command_passes(data: Path, own: str, status: int) -> None:
    assert call(data, own).returncode == status
    alone = subprocess.run(["/bin/sh", "-c", own], cwd=data, capture_output=True, check=False)
    assert alone.returncode == status


@pytest.mark.parametrize(
    "own",
    [
        "printf %%s '%f %p %r' > said",
        "printf '%%s' \"it's %f\" > said # 100%% 'sure'",
        "n=5; printf %%s $n%f > said",
        r"printf '%%s' '\n\\' > said",
        'if test %f = x; then :; else printf %%s "$(basename %p)" > said; fi',
    ],
)
def test_own_command_is_run_as_it_is(data: Path, own: str) -> None:
    assert call(data, own).returncode == 0
    said = (data / "said").read_text()
    alone = with_words(own, NAME, "pg_wal/RECOVERYXLOG")
    subprocess.run(["/bin/sh", "-c", alone], cwd=data, check=True)
    assert (data / "said").read_text() == said


@pytest.mark.parametrize("is_there", [True, False])
def test_history_goes_to_the_own_command(data: Path, is_there: bool) -> None:  # noqa: FBT001
    if not is_there:
        (data / SPOOL).rmdir()
    assert call(data, "echo %f > said; exit 5", "00000002.history").returncode == 5
    assert (data / "said").read_text() == "00000002.history\n"


@pytest.mark.parametrize("name", [NEXT, f"00000002{NEXT[8:]}", f"00000001{KEPT}"])
def test_file_that_is_elsewhere_is_left_out_twice(data: Path, name: str) -> None:
    for _ in range(2):
        assert call(data, "touch called", name).returncode == 1
        assert not (data / "called").exists()
    assert call(data, "touch called", name).returncode == 0
    assert (data / "called").exists()


def test_it_is_not_left_out_when_the_directory_is_gone(data: Path) -> None:
    (data / SPOOL).rmdir()
    assert call(data, "exit 4", NEXT).returncode == 4


@given(st.text(st.characters(blacklist_categories=["Cs"], blacklist_characters="\n\r\0")))
def test_own_command_is_found_in_the_line(text: str) -> None:
    for own in (OwnCommand(text, is_in_auto=True), OwnCommand(text, is_in_auto=False)):
        assert own_command_in(line_of(own, [KEPT, NEXT[-16:]], 4711, 60)) == own


@pytest.mark.parametrize(
    "line",
    ["", "cp /archive/%f %p", ": pgpool_recovery fetches ahead; false", ": pgpool_recovery"],
)
def test_other_lines_are_not_ours(line: str) -> None:
    assert own_command_in(line) is None


def test_a_file_that_is_there_is_not_waited_for(data: Path) -> None:
    """A process that the command has left may write where the file was fetched."""
    (data / SPOOL / f"{NAME}.part").mkdir()
    (data / SPOOL / NAME).write_text("WAL")
    began = time.monotonic()
    assert call(data, "false", wait_s=20).returncode == 0
    assert time.monotonic() - began < 10


def test_plan_that_meets_the_line_runs_the_own_command_only(data: Path) -> None:
    """Otherwise its trial would take a file from the server, or be declined."""
    data.chmod(0o700)
    (data / SPOOL / NAME).write_text("of the server")
    line = line_of(OwnCommand("echo own %f > %p", is_in_auto=True), [NEXT[-16:]], os.getpid(), 10)
    calls = RestoreCommand(line, data, Stop(), timeout_s=10)
    for name in (NAME, NEXT):
        assert calls.fetch(name, data / "place", max_bytes=100)
        assert (data / "place").read_text() == f"own {name}\n"
    assert os.listdir(data / SPOOL) == [NAME]
