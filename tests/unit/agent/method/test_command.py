"""What the agent does with a command of the user's, and with what that has made."""

import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from pgpool_recovery.agent.directory.own_login import OwnLogin
from pgpool_recovery.agent.method.command import (
    DIRECTORY,
    FREE_LINES,
    CouldNot,
    Lines,
    look_for_programs,
    run_command,
)
from pgpool_recovery.agent.method.made_directory import manifest_end, write_label
from pgpool_recovery.domain.error import Cancelled, Undone
from pgpool_recovery.domain.event import Event, Progress, Said
from pgpool_recovery.domain.wal import Lsn, Point, TimelineId
from pgpool_recovery.facts.own_method import OwnMethod
from pgpool_recovery.facts.step.place import Place, Places
from pgpool_recovery.facts.step.transfer import RunCommand
from pgpool_recovery.files.process_table import processes
from pgpool_recovery.host import meter
from pgpool_recovery.host.stop import Stop
from tests.harness.until import until

MAKES_IT = "mkdir -p base/5 global pg_wal\necho 15 > PG_VERSION\ntouch base/5/1234\n"


@dataclass
class Site:
    """A workspace, and a program in it."""

    root: Path
    events: list[Event] = field(default_factory=list)

    @property
    def new(self) -> Path:
        return self.root / "data.pgpool_recovery" / "new"

    def step(self, script: str, **method: object) -> RunCommand:
        """Return the step that runs this text as a shell script."""
        program = self.root / "program"
        program.write_text(f"#!/bin/sh\nset -e\n{script}\n")
        program.chmod(0o755)
        own: OwnMethod = replace(OwnMethod("own", (str(program),)), **method)  # type: ignore[arg-type]
        place = Place(f"{self.root}/data", str(self.new.parent), is_inside=False, new=str(self.new))
        return RunCommand(
            places=Places(data=place, wal=None, tablespaces=()),
            bin_directory="/nowhere",
            method=own,
            node="node 1",
            conninfo={"host": "server1", "port": "5432", "user": "repl"},
            slot_name="pgpool_node_1",
            system_identifier="7298271828459045235",
            major=15,
            locations={},
            wal_directory=None,
        )

    def run(
        self, step: RunCommand, stop: Stop | None = None, own_login: OwnLogin | None = None
    ) -> Point | None:
        return run_command(
            step, OwnLogin() if own_login is None else own_login, stop or Stop(), self.events.append
        )

    @property
    def said(self) -> list[str]:
        return [event.line for event in self.events if isinstance(event, Said)]


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    made = Site(tmp_path)
    yield made
    assert left_running(made.new) == []


def left_running(new: Path) -> list[int]:
    """Return the processes of a command that still run."""
    wanted = f"{DIRECTORY}={new}"
    return [
        process.pid
        for process in processes()
        if not process.has_ended and wanted in process.text("environ").split("\0")
    ]


def test_what_it_is_told(site: Site) -> None:
    step = site.step(MAKES_IT + 'printf "%s\\n" "$@" "$PGPOOL_RECOVERY_PRIMARY_CONNINFO" "$PWD"')
    words = (*step.method.command, "--to={directory}", "{{x}} {primary_host}", "{keep_data}")
    login = OwnLogin({"user": "repl", "password": "secret of ours"})
    site.run(replace(step, method=replace(step.method, command=words)), own_login=login)
    assert site.said[:3] == [f"--to={site.new}", "{x} server1", "no"]
    assert "server1" in site.said[3]
    assert site.said[4] == str(site.new)
    assert not any("secret of ours" in line for line in site.said)


def test_promise_7_password_is_in_the_environment_only(site: Site) -> None:
    step = site.step(
        MAKES_IT + 'test "$PGPASSWORD" = "secret of ours"\ntr "\\0" " " </proc/$$/cmdline'
    )
    login = OwnLogin({"user": "repl", "password": "secret of ours"})
    site.run(step, own_login=login)
    assert site.said
    assert not any("secret" in line for line in site.said)


def test_progress_and_end_are_understood(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(meter, "TOLD_EVERY_S", 0)
    end = site.run(
        site.step(MAKES_IT + "echo progress: 5 10\necho backup-end: 2 0/5000138\necho x")
    )
    assert end == Point(TimelineId(2), Lsn(0x5000138))
    progress = [event for event in site.events if isinstance(event, Progress)]
    assert [(one.done_bytes, one.total_bytes) for one in progress] == [(5, 10)]
    assert site.said == ["x"]


def test_progress_is_passed_on_at_the_rate_of_a_person(site: Site) -> None:
    site.run(
        site.step(
            f"{MAKES_IT}i=0; while [ $i -lt 3000 ]; do i=$((i+1)); echo progress: $i 3000; done"
        )
    )
    progress = [event for event in site.events if isinstance(event, Progress)]
    assert len(progress) < 30, "it takes less than half a minute"
    assert site.said == []


def test_order_is_made(site: Site) -> None:
    left = (
        "postmaster.pid postmaster.opts recovery.signal standby.signal tablespace_map recovery.conf"
    )
    site.run(
        site.step(
            MAKES_IT
            + f"for name in {left}; do echo 1 >$name; done\nmkdir -p pg_replslot/x pg_stat_tmp\n"
            "touch pg_replslot/x/state pg_stat_tmp/global.stat\nchmod 755 ."
        )
    )
    assert not any((site.new / name).exists() for name in left.split())
    assert list((site.new / "pg_replslot").iterdir()) == []
    assert list((site.new / "pg_stat_tmp").iterdir()) == []
    assert (site.new / "pg_tblspc").is_dir()
    assert site.new.stat().st_mode & 0o777 == 0o700
    assert (site.new / "base/5/1234").exists()


@pytest.mark.parametrize(
    ("script", "message"),
    [
        ("exit 3", "program exited with status 3"),
        ("kill -KILL $$", "program was terminated by SIGKILL"),
        (":", "the command of method own has not made a data directory"),
        (
            MAKES_IT + "echo 14 >PG_VERSION",
            "the command of method own has made a data directory of PostgreSQL 14",
        ),
    ],
)
def test_failure(site: Site, script: str, message: str) -> None:
    with pytest.raises(Undone) as failure:
        site.run(site.step(script))
    assert failure.value.message == message


@pytest.mark.parametrize(
    ("script", "detail"),
    [
        ("ln -s /etc base/9", "base/9 is a link to /etc."),
        ("rmdir global; ln -s /etc global", "global is a link to /etc."),
        ("rmdir pg_wal; ln -s /etc pg_wal", "pg_wal is a link to /etc, which is not this node's"),
        ("ln base/5/1234 base/5/5678", "has a second name"),
        ("mkfifo base/5/9", "base/5/9 is not a file."),
        ("mkdir -p pg_tblspc/16384", "is a tablespace that the primary does not have."),
    ],
)
def test_what_a_server_must_not_use(site: Site, script: str, detail: str) -> None:
    with pytest.raises(Undone) as failure:
        site.run(site.step(MAKES_IT + "touch postmaster.opts\n" + script))
    assert failure.value.message.endswith("has made a data directory that a server must not use")
    assert detail in (failure.value.detail or "")
    assert (site.new / "postmaster.opts").exists(), "something was changed before the refusal"


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")
def test_files_of_another_user(site: Site) -> None:
    with pytest.raises(Undone) as failure:
        site.run(site.step(MAKES_IT + "chown nobody base/5/1234"))
    assert "base/5/1234 belongs to another user." in (failure.value.detail or "")


@pytest.mark.parametrize(
    ("script", "detail"),
    [
        ("", "It lacks tablespace 16384"),
        ("mkdir -p pg_tblspc\nln -s /elsewhere pg_tblspc/16384", "Tablespace 16384 is empty"),
        ("mkdir -p pg_tblspc/16384", "is not a link to"),
    ],
)
def test_tablespace_that_is_not_where_it_belongs(site: Site, script: str, detail: str) -> None:
    step = replace(site.step(MAKES_IT + script), locations={16384: f"{site.root}/ts"})
    with pytest.raises(Undone) as failure:
        site.run(step)
    assert detail in (failure.value.detail or "")


def test_links_to_tablespaces_and_wal_are_made_anew(site: Site) -> None:
    wal, space = site.root / "wal", site.root / "ts"
    script = MAKES_IT + (
        'IFS="="; set -- $PGPOOL_RECOVERY_TABLESPACES\nmkdir -p "$2/PG_15_1" pg_tblspc\n'
        "ln -s /elsewhere pg_tblspc/16384\ntouch pg_wal/000000010000000000000001"
    )
    step = replace(site.step(script), locations={16384: str(space)}, wal_directory=str(wal))
    site.run(step)
    assert (site.new / "pg_tblspc/16384").readlink() == space
    assert (site.new / "pg_wal").readlink() == wal
    assert [entry.name for entry in wal.iterdir()] == ["000000010000000000000001"]


def test_directory_that_is_not_empty_is_not_given_to_a_command_that_wants_an_empty_one(
    site: Site,
) -> None:
    kept = site.new / "base"
    kept.mkdir(parents=True)
    with pytest.raises(Undone, match="is not empty, so a command cannot be run there"):
        site.run(site.step("rm -r ./*"))
    assert kept.exists()
    site.run(site.step(MAKES_IT, keep_data=True))


def test_status_75_says_that_nothing_was_changed(site: Site) -> None:
    with pytest.raises(CouldNot) as failure:
        site.run(site.step("echo no backup\nexit 75"))
    assert failure.value.error.detail == "no backup"


def test_program_that_others_can_change_is_not_run(site: Site) -> None:
    step = site.step(MAKES_IT)
    Path(step.method.command[0]).chmod(0o777)
    with pytest.raises(CouldNot):
        site.run(step)
    assert not site.new.exists()


def test_what_it_leaves_running_is_ended(site: Site) -> None:
    site.run(site.step(MAKES_IT + "setsid sleep 1000 >/dev/null 2>&1 &"))
    assert left_running(site.new) == []


def test_cancel_ends_it_with_everything_that_it_started(site: Site) -> None:
    stop, failures = Stop(), list[BaseException]()

    def work() -> None:
        try:
            site.run(site.step("sleep 1000 & setsid sleep 1000 & echo begun; wait"), stop)
        except Cancelled as error:
            failures.append(error)

    thread = threading.Thread(target=work)
    thread.start()
    until(lambda: "begun" in site.said, within_s=10, what="the command to begin")
    stop.ask()
    thread.join(20)
    assert failures
    assert left_running(site.new) == []


def test_command_of_an_agent_that_was_killed_is_ended_first(site: Site) -> None:
    environment = {**os.environ, DIRECTORY: str(site.new)}
    argv = [sys.executable, "-c", "import time; print(flush=True); time.sleep(1000)"]
    with subprocess.Popen(argv, env=environment, stdout=subprocess.PIPE) as old:
        assert old.stdout is not None
        old.stdout.readline()
        # Nobody has reaped it yet, so it is still there, but has ended.
        site.run(site.step(f"grep -q '^State:.Z' /proc/{old.pid}/status\n{MAKES_IT}"))
        assert old.wait(10) == -15


@pytest.mark.parametrize(
    ("limits", "message"),
    [
        ({"stall_s": 0.3}, "the command of method own printed nothing for 0.3 s"),
        ({"timeout_s": 0.3}, "program did not end within 0.3 s"),
    ],
)
def test_hanging_command(site: Site, limits: dict[str, float], message: str) -> None:
    with pytest.raises(Undone) as failure:
        site.run(site.step("sleep 1000", **limits))
    assert failure.value.message.endswith(message)


def test_command_that_prints_is_not_silent(site: Site) -> None:
    script = MAKES_IT + "for n in 1 2 3 4 5 6; do echo $n; sleep 0.1; done"
    site.run(site.step(script, stall_s=0.5))
    assert site.said[-1] == "6"


def test_flood_of_lines_is_thinned_out() -> None:
    events: list[Event] = []
    lines = Lines(events.append, None)
    for number in range(100_000):
        lines.take(f"line {number}")
    lines.end()
    assert FREE_LINES <= len(events) < 2 * FREE_LINES
    assert events[-1] == Said("command", f"{100_001 - len(events)} more lines were not kept")


def test_server_that_is_left_running_is_reported_and_ended(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A process that looks like a server of that directory; its programs are recorded here."""
    ran: list[list[str]] = []
    found = iter([object(), None])
    monkeypatch.setattr("pgpool_recovery.agent.method.command.read_pid_file", lambda _: next(found))

    def stop_it(argv: list[str], *_: object) -> None:
        ran.append(argv)

    real = run_command.__globals__["run"]
    monkeypatch.setattr(
        "pgpool_recovery.agent.method.command.run",
        lambda argv, *rest, **more: (
            stop_it(argv) if argv[0].endswith("pg_ctl") else real(argv, *rest, **more)
        ),
    )
    with pytest.raises(Undone, match="left a server running in"):
        site.run(site.step(MAKES_IT))
    assert ran == [["/nowhere/pg_ctl", "stop", "-m", "immediate", "-D", str(site.new)]]


def test_programs_that_cannot_be_run(tmp_path: Path) -> None:
    plain, open_to_all = tmp_path / "plain", tmp_path / "open"
    plain.write_text("")
    open_to_all.write_text("")
    open_to_all.chmod(0o777)
    found = look_for_programs(("/bin/sh", str(tmp_path / "none"), str(plain), str(open_to_all)))
    assert found[0] is None
    assert found[1] == "No such file or directory."
    assert found[2] == "It is not executable."
    assert "another user could decide what is run" in str(found[3])


START = Point(TimelineId(1), Lsn(0x2000028))
RANGE = '"WAL-Ranges": [\n{ "Timeline": 1, "Start-LSN": "0/2000028", "End-LSN": "0/2000100" }\n],'


@pytest.mark.parametrize(
    ("text", "end"),
    [
        (RANGE, Point(TimelineId(1), Lsn(0x2000100))),
        (RANGE.replace("0/2000028", "0/2000060"), None),
        ("{}", None),
    ],
)
def test_end_in_a_manifest_of_the_same_backup(tmp_path: Path, text: str, end: Point | None) -> None:
    (tmp_path / "backup_manifest").write_text(f'{{ "Files": [{"x" * 100_000}],\n{text}\n"…": ""}}')
    assert manifest_end(tmp_path, START) == end
    assert manifest_end(tmp_path / "none", START) is None


def test_label_is_written(tmp_path: Path) -> None:
    write_label(tmp_path, "START WAL LOCATION\n")
    assert (tmp_path / "backup_label").read_text() == "START WAL LOCATION\n"
