"""The process that runs scripts for a backend and leaves none of their processes behind."""

import os
import shlex
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import build
import pytest
from pgpool_recovery_server.message import encode_message, take_message
from pgpool_recovery_server.supervised_run import environment_in_bytes, in_bytes

from tests.harness.until import until

STOPPED_WITHIN_S = 5.0


class Supervisor:
    """A real supervisor, addressed in the way of a backend."""

    def __init__(self, directory: Path) -> None:
        self.mark = f"PGPOOL_RECOVERY_ID={uuid.uuid4()}"
        self.record = "\x1e" + self.mark.partition("=")[2] + " "
        self.directory = directory
        self.received = b""
        self.end_s = 3.5
        self.log = directory / "log"
        program = directory / "supervisor.py"
        program.write_text(build.supervisor_program())
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-I", "-S", str(program)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
            )

    def ask(self, **request: Any) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(encode_message(request))
        self.process.stdin.flush()

    def run(self, *argv: str, identity: tuple[int, int] | None = None, **environment: str) -> None:
        variables = {"PATH": os.environ["PATH"], **dict([self.mark.split("=")]), **environment}
        self.ask(
            run=in_bytes(argv),
            environment=environment_in_bytes(variables),
            directory=str(self.directory),
            identity=identity,
            mark=self.mark.encode(),
            record=self.record.encode(),
            end_s=self.end_s,
        )

    def shell(self, script: str) -> None:
        self.run("/bin/sh", "-c", script)

    def reply(self) -> dict[str, Any]:
        assert self.process.stdout is not None
        reply: dict[str, Any] | None
        reply, self.received = take_message(self.received)
        while reply is None:
            data = os.read(self.process.stdout.fileno(), 65536)
            assert data, "the supervisor ended"
            reply, self.received = take_message(self.received + data)
        return reply

    def replies_to_the_end(self) -> list[dict[str, Any]]:
        replies = [self.reply()]
        while "ended" not in replies[-1] and "error" not in replies[-1]:
            replies.append(self.reply())
        return replies

    def lines_and_status(self) -> tuple[list[str], int]:
        replies = self.replies_to_the_end()
        return [line for reply in replies for line in lines_of(reply)], replies[-1]["ended"]

    def wait_for_line(self, text: str) -> None:
        while text not in lines_of(self.reply()):
            pass

    def close(self) -> None:
        assert self.process.stdin is not None
        self.process.stdin.close()

    def processes(self) -> list[int]:
        """The living processes with the mark, without zombies."""
        found = []
        for directory in Path("/proc").iterdir():
            try:
                environment = (directory / "environ").read_bytes().split(b"\0")
            except (OSError, ValueError):
                continue
            if self.mark.encode() in environment:
                found.append(int(directory.name))
        return found

    def wait_until_none_lives(self) -> float:
        began = time.monotonic()
        while self.processes():
            assert time.monotonic() - began < STOPPED_WITHIN_S, self.processes()
            time.sleep(0.05)
        return time.monotonic() - began


def lines_of(reply: dict[str, Any]) -> list[str]:
    """Return the output in a reply, whether in lines or in a block."""
    block = reply.get("block")
    return [*reply.get("lines", ()), *(() if block is None else block.split("\n"))]


@pytest.fixture
def supervisor(tmp_path: Path) -> Iterator[Supervisor]:
    made = Supervisor(tmp_path)
    yield made
    made.process.kill()
    made.process.wait()
    for stream in (made.process.stdin, made.process.stdout):
        assert stream is not None
        stream.close()
    for pid in made.processes():
        os.kill(pid, signal.SIGKILL)


def test_lines_come_one_by_one_and_the_status_last(supervisor: Supervisor) -> None:
    supervisor.shell("echo one; echo two >&2; printf 'three\\rfour\\n\\nfive'; exit 3")
    assert supervisor.lines_and_status() == (["one", "two", "three", "four", "five"], 3)
    assert supervisor.log.read_text() == "one\ntwo\nthree\nfour\nfive\n"


def test_it_runs_one_program_after_the_other(supervisor: Supervisor) -> None:
    for status in (0, 1, 0):
        supervisor.shell(f"exit {status}")
        assert supervisor.lines_and_status() == ([], status)


def test_words_and_bytes_arrive_as_they_are(supervisor: Supervisor) -> None:
    script = "import sys, os; print(os.fsencode(sys.argv[1]), os.environb[b'X'])"
    supervisor.run(sys.executable, "-c", script, "$(touch x) \udcff ü", X="\udcfe'")
    lines, status = supervisor.lines_and_status()
    assert status == 0
    assert lines == [f"{b'$(touch x) ' + bytes([255]) + ' ü'.encode()!r} {bytes([254, 39])!r}"]
    assert not (supervisor.directory / "x").exists()


def test_directory_session_and_descriptors(supervisor: Supervisor) -> None:
    script = (
        "import os; print(os.getcwd(), os.getsid(0) == os.getpid(), os.listdir('/proc/self/fd'))"
    )
    supervisor.run(sys.executable, "-c", script)
    (line,), _ = supervisor.lines_and_status()
    # The fourth is the one that reads the directory.
    assert line == f"{supervisor.directory} True ['0', '1', '2', '3']"


def test_script_without_interpreter_line_runs_in_sh(supervisor: Supervisor) -> None:
    script = supervisor.directory / "script"
    script.write_text('echo "$1"\n')
    script.chmod(0o700)
    supervisor.run(str(script), "a b")
    assert supervisor.lines_and_status() == (["a b"], 0)


def test_what_cannot_be_started(supervisor: Supervisor) -> None:
    supervisor.run("/nowhere/script")
    assert supervisor.reply() == {"error": "No such file or directory"}
    supervisor.run("/bin/true", "x" * 4_000_000)
    assert supervisor.reply() == {"error": "Argument list too long"}


def test_signal_that_ended_it(supervisor: Supervisor) -> None:
    supervisor.shell("kill -TERM $$")
    assert supervisor.lines_and_status() == ([], -signal.SIGTERM)


def test_long_line_is_cut_and_zero_bytes_stay_out_of_the_log(supervisor: Supervisor) -> None:
    supervisor.run(sys.executable, "-c", "print('x' * 20000); print('a\\0b', end='')")
    lines, _ = supervisor.lines_and_status()
    assert "".join(lines) == "x" * 20000 + "a\0b"
    assert b"\0" not in supervisor.log.read_bytes()


def test_record_of_this_call_stays_out_of_the_log(supervisor: Supervisor) -> None:
    supervisor.shell('printf \'\\036%s {"a": 1}\\n\' "$PGPOOL_RECOVERY_ID"; echo text')
    lines, _ = supervisor.lines_and_status()
    assert lines == [f'{supervisor.record}{{"a": 1}}', "text"]
    assert supervisor.log.read_text() == "text\n"


def test_what_a_stage_command_logs_goes_to_the_log_alone(supervisor: Supervisor) -> None:
    ours = "printf '\\036%s log two PGPASSWORD=s3cr3t\\n' \"$PGPOOL_RECOVERY_ID\""
    supervisor.shell(f"echo one; {ours}; echo three")
    lines, _ = supervisor.lines_and_status()
    assert lines == ["one", "three"]
    assert supervisor.log.read_text() == "one\ntwo PGPASSWORD=********\nthree\n"


def test_log_line_without_the_record_is_text(supervisor: Supervisor) -> None:
    supervisor.shell("printf '\\036%s log two\\n' other")
    assert supervisor.lines_and_status() == (["\x1eother log two"], 0)
    assert supervisor.log.read_text() == "\\x1eother log two\n"


@pytest.mark.parametrize("mark", ["", "0 ", "${PGPOOL_RECOVERY_ID%?} ", "$PGPOOL_RECOVERY_ID"])
def test_any_other_record_is_text(supervisor: Supervisor, mark: str) -> None:
    supervisor.shell(f'printf \'\\036%s{{"a": 1}}\\n\' "{mark}"')
    ((line,), _) = supervisor.lines_and_status()
    assert line.startswith("\x1e")
    assert not line.startswith(supervisor.record)
    assert supervisor.log.read_text() == f"\\x1e{line[1:]}\n"


CONTROLS = (
    r"printf 'a\033[2Jb\rLOG:  c\n\302\233d\302\205\342\200\250e\177\tf\0g \303\244 \344\233\n'"
)
CONTROLS_IN_LOG = b"a\\x1b[2Jb\nLOG:  c\n\\x9bd\\x85\\u2028e\\x7f\tf\\x00g \xc3\xa4 \xe4\\x9b\n"


def test_nothing_controls_who_reads_the_log(supervisor: Supervisor) -> None:
    supervisor.shell(CONTROLS)
    supervisor.lines_and_status()
    assert supervisor.log.read_bytes() == CONTROLS_IN_LOG


def test_nor_does_what_a_process_left_behind_says(supervisor: Supervisor) -> None:
    gate = supervisor.directory / "gate"
    os.mkfifo(gate)
    supervisor.shell(f"(read _ < {shlex.quote(str(gate))}; {CONTROLS}) &")
    assert supervisor.lines_and_status() == ([], 0)
    gate.write_text("go\n")
    until(lambda: supervisor.log.read_bytes() == CONTROLS_IN_LOG, within_s=5, what="its lines")


STUBBORN = (
    "trap '' INT TERM; (setsid sh -c 'trap \"\" INT TERM; sleep 600; sleep 600' &) ; "
    "sleep 600 & echo started; while :; do sleep 600; done"
)


@pytest.mark.parametrize("script", ["sleep 600 & echo started; wait", STUBBORN])
def test_stop_ends_the_whole_tree(supervisor: Supervisor, script: str) -> None:
    supervisor.shell(script)
    supervisor.wait_for_line("started")
    until(lambda: len(supervisor.processes()) >= 2, within_s=5, what="both processes")
    supervisor.ask(stop=True)
    supervisor.wait_until_none_lives()
    assert "ended" in supervisor.replies_to_the_end()[-1]


@pytest.mark.parametrize("script", ["sleep 600 & echo started; wait", STUBBORN])
def test_end_of_the_backend_ends_the_whole_tree(supervisor: Supervisor, script: str) -> None:
    supervisor.shell(script)
    supervisor.wait_for_line("started")
    supervisor.close()
    supervisor.wait_until_none_lives()
    assert supervisor.process.wait(STOPPED_WITHIN_S) == 0


def test_sigterm_to_the_supervisor_ends_the_whole_tree(supervisor: Supervisor) -> None:
    supervisor.shell("echo started; sleep 600")
    supervisor.wait_for_line("started")
    supervisor.process.terminate()
    supervisor.wait_until_none_lives()
    assert supervisor.process.wait(STOPPED_WITHIN_S) == 0


def test_next_supervisor_ends_what_a_killed_one_left(
    supervisor: Supervisor, tmp_path: Path
) -> None:
    supervisor.shell("echo started; sleep 600")
    supervisor.wait_for_line("started")
    supervisor.process.kill()
    assert supervisor.processes()
    (tmp_path / "next").mkdir()
    successor = Supervisor(tmp_path / "next")
    successor.ask(end=supervisor.mark.encode(), end_s=3.5)
    assert successor.reply() == {"ended": 0}
    assert not supervisor.processes()
    successor.process.communicate()


def test_what_a_killed_one_left_has_the_time_of_the_setting(
    supervisor: Supervisor, tmp_path: Path
) -> None:
    """Its trap takes longer than a script has without a setting."""
    supervisor.shell("trap 'sleep 4; touch cleaned; exit 1' INT TERM; echo started; sleep 600")
    supervisor.wait_for_line("started")
    supervisor.process.kill()
    (tmp_path / "next").mkdir()
    successor = Supervisor(tmp_path / "next")
    successor.ask(end=supervisor.mark.encode(), end_s=60)
    assert successor.reply() == {"ended": 0}
    assert (supervisor.directory / "cleaned").exists()
    successor.process.communicate()


def test_script_gets_the_chance_to_clean_up(supervisor: Supervisor) -> None:
    supervisor.shell("trap 'echo cleaned; exit 7' INT; echo started; while :; do sleep 0.1; done")
    supervisor.wait_for_line("started")
    supervisor.ask(stop=True)
    lines, status = supervisor.lines_and_status()
    assert (lines, status) == (["cleaned"], 7)


def test_flood_does_not_keep_it_from_stopping(supervisor: Supervisor) -> None:
    supervisor.shell("echo started; yes")
    supervisor.wait_for_line("started")
    supervisor.ask(stop=True)
    assert supervisor.replies_to_the_end()[-1]["ended"] < 0
    assert not supervisor.processes()


def test_daemon_outlives_its_script_and_writes_on_to_the_log(supervisor: Supervisor) -> None:
    supervisor.shell("(setsid sh -c 'sleep 0.5; echo late; sleep 0.5; echo later' &); echo now")
    assert supervisor.lines_and_status() == (["now"], 0)
    supervisor.close()
    supervisor.process.wait(STOPPED_WITHIN_S)
    assert len(supervisor.processes()) >= 1
    supervisor.wait_until_none_lives()
    deadline = time.monotonic() + STOPPED_WITHIN_S
    while "later" not in supervisor.log.read_text() and time.monotonic() < deadline:
        time.sleep(0.05)
    assert supervisor.log.read_text() == "now\nlate\nlater\n"


def test_left_program_outlives_the_supervisor(supervisor: Supervisor, tmp_path: Path) -> None:
    done = tmp_path / "done"
    supervisor.ask(
        leave=in_bytes(["/bin/sh", "-c", f"sleep 0.3; echo said; touch {shlex.quote(str(done))}"]),
        environment=environment_in_bytes({"PATH": os.environ["PATH"]}),
        directory=str(tmp_path),
        after_s=0.1,
        output="log",
    )
    assert supervisor.reply()["started"] > 0
    supervisor.close()
    supervisor.process.wait(STOPPED_WITHIN_S)
    deadline = time.monotonic() + STOPPED_WITHIN_S
    while not done.exists() and time.monotonic() < deadline:
        time.sleep(0.05)
    assert done.exists()
    assert supervisor.log.read_text() == "said\n"


def test_another_file_at_the_path_is_not_executed(supervisor: Supervisor) -> None:
    script = supervisor.directory / "script"
    script.write_text("#!/bin/sh\necho it was looked at\n")
    script.chmod(0o700)
    looked_at = script.stat()
    identity = (looked_at.st_dev, looked_at.st_ino)
    supervisor.run(str(script), identity=identity)
    assert supervisor.lines_and_status() == (["it was looked at"], 0)
    other = supervisor.directory / "other"
    other.write_text("echo it was not\n")  # It runs in sh, also by its path.
    other.chmod(0o700)
    other.replace(script)
    supervisor.run(str(script), identity=identity)
    assert supervisor.replies_to_the_end() == [{"error": "another file has taken its place"}]


def test_script_has_the_time_that_it_was_given_to_clean_up(supervisor: Supervisor) -> None:
    supervisor.end_s = 30.0
    supervisor.shell("trap 'sleep 2; echo cleaned; exit 7' INT; sleep 600 & echo started; wait")
    supervisor.wait_for_line("started")
    supervisor.ask(stop=True)
    assert supervisor.lines_and_status() == (["cleaned"], 7)


def test_passwords_reach_neither_the_log_nor_the_client(supervisor: Supervisor) -> None:
    supervisor.shell(
        "set -x; PGPASSWORD=s3cret true; echo 'host=x password=s3cret' postgres://u:s3cret@h/d"
    )
    lines, _ = supervisor.lines_and_status()
    assert lines[0] == "+ PGPASSWORD=********" or lines[0] == "+ PGPASSWORD=******** true"
    assert "s3cret" not in "".join(lines) + supervisor.log.read_text()
    assert lines[-1] == "host=x password=******** postgres://u:********@h/d"


def test_flood_comes_in_gulps_and_whole(supervisor: Supervisor) -> None:
    supervisor.shell("i=0; while [ $i -lt 20000 ]; do echo line $i; i=$((i+1)); done")
    replies = supervisor.replies_to_the_end()
    lines = [line for reply in replies for line in lines_of(reply)]
    assert lines == [f"line {number}" for number in range(20000)]
    assert supervisor.log.read_text().splitlines() == lines
    assert len(replies) < 5000


@pytest.mark.parametrize(
    "line", ["password=s3cret", "h:5432:a:b:s3cret", "\x1e{}", "a\x1bb", "\xff"]
)
def test_what_needs_care_among_many_lines_has_it(supervisor: Supervisor, line: str) -> None:
    (supervisor.directory / "text").write_bytes(
        b"first\n" * 500 + line.encode("latin-1") + b"\n" + b"last\n" * 500
    )
    supervisor.shell("cat text")
    lines, _ = supervisor.lines_and_status()
    assert len(lines) == 1001
    log = supervisor.log.read_bytes()
    assert len(log.split(b"\n")) == 1002
    assert b"s3cret" not in log
    assert b"\x1b" not in log
    assert "s3cret" not in lines[500]
