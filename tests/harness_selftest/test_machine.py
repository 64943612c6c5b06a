"""What every machine of the harness guarantees, shown on this machine, without namespaces."""

import os
import time
from pathlib import Path

import pytest

from tests.harness.command import CommandError, CommandTimeoutError
from tests.harness.keeper import StartError
from tests.harness.local_host import LocalHost
from tests.harness.until import until
from tests.harness.workspace import Workspace


def test_a_command_gets_its_input_and_gives_its_output_and_status(local_host: LocalHost) -> None:
    script = "cat; echo complaint >&2; exit 3"
    completed = local_host.run(["sh", "-c", script], stdin="text\n", check=False)
    assert (completed.returncode, completed.stdout, completed.stderr) == (
        3,
        "text\n",
        "complaint\n",
    )


def test_a_failed_command_says_what_it_complained_about(local_host: LocalHost) -> None:
    with pytest.raises(CommandError, match=r"exit status 3\n  no luck"):
        local_host.run(["sh", "-c", "echo no luck >&2; exit 3"])


def test_a_program_that_is_not_there_is_named(local_host: LocalHost) -> None:
    with pytest.raises(StartError, match="no-such-program"):
        local_host.run(["no-such-program"])


def test_a_command_runs_as_its_user_with_a_clean_environment(local_host: LocalHost) -> None:
    script = "id -un; echo $HOME; env | cut -d= -f1 | sort | tr '\\n' ' '"
    lines = local_host.run(["sh", "-c", script], env={"EXTRA": "1"}).stdout.splitlines()
    assert lines[0] == ("postgres" if os.geteuid() == 0 else os.environ["USER"])
    assert lines[1] == str(local_host.home)
    assert lines[2].split() == ["EXTRA", "HOME", "LANG", "LOGNAME", "PATH", "PWD", "SHELL", "USER"]


def test_a_daemon_that_keeps_the_output_open_is_not_waited_for(local_host: LocalHost) -> None:
    began = time.monotonic()
    completed = local_host.run(["sh", "-c", "sleep 600 & echo started"])
    assert completed.stdout == "started\n"
    assert time.monotonic() - began < 5
    until(
        lambda: [process.argv for process in local_host.processes()] == [("sleep", "600")],
        within_s=10,  # At first it is still a fork of the shell.
        what="the daemon alone to be left",
    )


def test_a_command_that_takes_too_long_is_killed_with_its_children(local_host: LocalHost) -> None:
    with pytest.raises(CommandTimeoutError, match=r"did not end within 0\.3 s\n  begun"):
        local_host.run(["sh", "-c", "echo begun; sleep 600 | cat"], timeout_s=0.3)
    until(lambda: not local_host.processes(), within_s=5, what="no process to be left")


def test_a_child_can_be_watched_and_ended(local_host: LocalHost) -> None:
    log = local_host.log_directory / "child.log"
    child = local_host.spawn(["sh", "-c", "echo begun; exec sleep 600"], log=log)
    until(lambda: log.read_text() == "begun\n", within_s=5, what="the child to begin")
    assert child.is_alive
    assert child.wait(timeout_s=0) is None
    child.terminate()
    assert child.wait(timeout_s=5) == -15
    child.kill()  # This has no effect on a process that has ended.
    assert child.returncode == -15


def test_all_descendants_end_with_the_machine(workspace: Workspace) -> None:
    with LocalHost(workspace) as machine:
        # A daemon in a session of its own that ignores SIGQUIT.
        deaf = "import signal, time; signal.signal(signal.SIGQUIT, signal.SIG_IGN); time.sleep(600)"
        machine.run(["sh", "-c", f"setsid python3 -c '{deaf}' & setsid sleep 600 &"])
        until(lambda: len(machine.processes()) == 2, within_s=5, what="two daemons")
        pids = [process.pid for process in machine.processes()]
        directory = machine.directory
    assert not [pid for pid in pids if Path(f"/proc/{pid}").exists()]
    assert not directory.exists()


def test_processes_tell_user_arguments_and_environment(local_host: LocalHost) -> None:
    child = local_host.spawn(
        ["sleep", "600"], log=local_host.log_directory / "log", env={"MARK": "x"}
    )
    [process] = local_host.processes()
    assert (process.pid, process.argv) == (child.pid, ("sleep", "600"))
    assert process.environ["MARK"] == "x"


def test_a_file_has_its_owner_and_rights_from_the_beginning(local_host: LocalHost) -> None:
    file = local_host.home / "deep/secret"
    local_host.write_file(file, "text")
    assert local_host.run(["stat", "-c", "%a", file]).stdout == "600\n"
    assert local_host.run(["cat", file]).stdout == "text"


def test_free_ports_are_free_and_given_once(local_host: LocalHost) -> None:
    ports = [local_host.free_port(5432) for _ in range(20)]
    assert len(set(ports)) == 20
    assert all(1024 < port < 32768 for port in ports)
