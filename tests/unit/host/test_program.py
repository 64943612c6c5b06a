"""Programs run with a time limit and leave no processes behind."""

import errno
import os
import subprocess
import sys
import threading
import time
import tracemalloc
from pathlib import Path

import pytest

from pgpool_recovery.domain.error import Cancelled, Undone
from pgpool_recovery.host import program
from pgpool_recovery.host.program import MARK, clean_environment, run, run_together
from pgpool_recovery.host.stop import Stop
from tests.harness.until import until

NEVER_ENDS = "import time; print('started', flush=True); time.sleep(600)"


def python(text: str) -> list[str]:
    return [sys.executable, "-c", text]


def test_output_of_both_streams_line_by_line() -> None:
    lines: list[str] = []
    text = "import sys; print('a'); print('b', file=sys.stderr); sys.stdout.write('c')"
    completed = run(python(text), Stop(), on_line=lines.append)
    assert sorted(completed.output.split("\n")) == sorted(lines)
    assert {"a", "b", "c"} <= {line.strip() for line in lines} | {"c"}


def test_failure_has_the_last_lines() -> None:
    text = "import sys; print('\\n'.join(map(str, range(100)))); sys.exit(3)"
    with pytest.raises(Undone, match="exited with status 3") as caught:
        run(python(text), Stop()).check()
    assert (caught.value.detail or "").split("\n")[-1] == "99"
    assert len((caught.value.detail or "").split("\n")) == 20


def test_signal_is_named() -> None:
    with pytest.raises(Undone, match="was terminated by SIGKILL"):
        run(["/bin/sh", "-c", "kill -KILL $$"], Stop()).check()


def test_missing_program() -> None:
    with pytest.raises(Undone, match="could not execute /nowhere: No such file"):
        run(["/nowhere"], Stop())


def test_time_limit_ends_the_program() -> None:
    began = time.monotonic()
    with pytest.raises(Undone, match=r"did not end within 0\.3 s"):
        run(python(NEVER_ENDS), Stop(), timeout_s=0.3)
    assert time.monotonic() - began < 5


def test_stop_ends_the_whole_group(tmp_path: Path) -> None:
    stop, pid_file = Stop(), tmp_path / "pid"
    script = f"sleep 600 & echo $! > {pid_file}; trap '' TERM; wait; sleep 600"
    threading.Timer(0.5, stop.ask).start()
    with pytest.raises(Cancelled):
        run(["/bin/sh", "-c", script], stop)
    pid = int(pid_file.read_text())
    deadline = time.monotonic() + 5
    while Path(f"/proc/{pid}").exists() and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not Path(f"/proc/{pid}").exists()


def test_daemon_that_keeps_the_output_open_is_not_waited_for() -> None:
    began = time.monotonic()
    completed = run(["/bin/sh", "-c", "echo done; setsid sleep 5 &"], Stop())
    assert completed.output == "done"
    assert time.monotonic() - began < 3


@pytest.mark.parametrize("argv", [["/bin/true"], ["/bin/sh", "-c", "exec >&- 2>&-; sleep 0.3"]])
@pytest.mark.parametrize("pidfd_open", ["there", "not in the kernel", "not in Python"])
def test_end_is_noticed_without_busy_polling(
    monkeypatch: pytest.MonkeyPatch, argv: list[str], pidfd_open: str
) -> None:
    """Even if the output ends long before the program, and there is no descriptor for its end."""
    if pidfd_open == "not in the kernel":
        monkeypatch.setattr(os, "pidfd_open", _no_such_call)
    elif pidfd_open == "not in Python":
        monkeypatch.delattr(os, "pidfd_open", raising=False)
    looks, poll = list[int](), subprocess.Popen.poll

    def counted(process: subprocess.Popen[bytes]) -> int | None:
        looks.append(process.pid)
        return poll(process)

    monkeypatch.setattr(subprocess.Popen, "poll", counted)
    completed = run(argv, Stop())
    assert (completed.status, completed.output) == (0, "")
    assert len(looks) < 20


def test_program_is_left_running_once_that_is_enough(tmp_path: Path) -> None:
    """It goes on, and its further output does not end it."""
    script = f"touch {tmp_path}/1; while [ ! -e {tmp_path}/2 ]; do sleep 0.01; done"
    script += f"; for n in $(seq 9999); do echo much to say; done; touch {tmp_path}/3"
    completed = run(["/bin/sh", "-c", script], Stop(), is_enough=(tmp_path / "1").exists)
    assert completed.status == 0
    (tmp_path / "2").touch()
    until((tmp_path / "3").exists, within_s=20, what="the program to come to its end")


def test_output_of_a_program_that_is_left_running_is_dropped(tmp_path: Path) -> None:
    script = f"head -c 50000000 /dev/zero; touch {tmp_path}/1"
    threads = threading.active_count()
    tracemalloc.start()
    try:
        run(["/bin/sh", "-c", script], Stop(), is_enough=lambda: True)
        until((tmp_path / "1").exists, within_s=20, what="it to have said all")
        assert tracemalloc.get_traced_memory()[1] < 10_000_000
    finally:
        tracemalloc.stop()
    until(lambda: threading.active_count() <= threads, within_s=20, what="its reader to end")


def test_output_that_never_pauses_is_taken_in_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    """However much there is, it takes no more memory, and a request to stop is heard."""
    sizes, add = list[int](), program._Lines.add

    def seen(lines: program._Lines, data: bytes) -> None:
        sizes.append(len(data))
        add(lines, data)

    monkeypatch.setattr(program._Lines, "add", seen)
    completed = run(["dd", "if=/dev/zero", "bs=50M", "count=4", "status=none"], Stop())
    assert completed.status == 0
    assert sum(sizes) == 200 * 2**20
    assert max(sizes) <= program.READ_BYTES
    assert len(completed.output) <= program.KEPT_BYTES + program.KEPT_LINES


def test_program_that_ends_before_that_has_its_own_result() -> None:
    completed = run(["/bin/sh", "-c", "echo why; exit 3"], Stop(), is_enough=lambda: False)
    assert (completed.status, completed.output) == (3, "why")


def test_programs_run_in_parallel_and_are_returned_in_their_order(tmp_path: Path) -> None:
    """Each waits for the next one, which must therefore be running already."""
    script = 'until [ -e "$1" ]; do sleep 0.01; done; echo said; touch "$2"; exit "$3"'
    argvs = [
        ["/bin/sh", "-c", script, "sh", f"{tmp_path}/{n + 1}", f"{tmp_path}/{n}", str(n)]
        for n in range(3)
    ]
    (tmp_path / "3").touch()
    completed = run_together(argvs, Stop(), timeout_s=20)
    assert [(one.status, one.output) for one in completed] == [(n, "said") for n in range(3)]


@pytest.mark.parametrize("first", [":", "trap '' TERM"])
def test_all_of_several_programs_end_when_they_are_stopped(tmp_path: Path, first: str) -> None:
    """All are signalled before any is waited for; one after the other would take six seconds."""
    stop, files = Stop(), [tmp_path / str(number) for number in range(6)]
    asked = list[float]()

    def stop_once_all_run() -> None:
        until(lambda: all(f.exists() and f.read_text() for f in files), within_s=20, what="them")
        asked.append(time.monotonic())
        stop.ask()

    waiting = threading.Thread(target=stop_once_all_run)
    waiting.start()
    with pytest.raises(Cancelled):
        run_together([["/bin/sh", "-c", f"{first}; echo $$ > {f}; sleep 600"] for f in files], stop)
    assert time.monotonic() - asked[0] < 4
    waiting.join(20)
    assert not [file for file in files if Path("/proc", file.read_text().strip()).exists()]


def _no_such_call(_pid: int) -> int:
    raise OSError(errno.ENOSYS, "Function not implemented")


def test_environment_does_not_point_at_another_server(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("PGDATA", "PGPORT", "PGHOST", "PGDATABASE", "PG_GRANDPARENT_PID", MARK):
        monkeypatch.setenv(name, "primary's")
    monkeypatch.setenv("PGPASSFILE", "/kept")
    assert "primary's" not in clean_environment().values()
    assert clean_environment()["PGPASSFILE"] == "/kept"
    said = run(["env"], Stop()).output
    assert f"{MARK}=primary's" in said
    assert MARK not in run(["env"], Stop(), leaves_server=True).output
