"""Which lines count in the logs of a server that is being started."""

import os
from pathlib import Path

import pytest

from pgpool_recovery.agent.server.start_log import StartLog, setting_asker
from pgpool_recovery.host.start_method import StartWay
from pgpool_recovery.host.stop import Stop


class Files:
    """A data directory, and the settings that its server would have."""

    def __init__(self, directory: Path) -> None:
        self.data = directory / "data"
        (self.data / "log").mkdir(parents=True)
        self.startup = self.data / "startup.log"
        self.settings: dict[str, str] = {}

    def log(self, unit: str | None = None, *, is_new: bool = True) -> StartLog:
        file = None if unit else str(self.startup)
        way = StartWay("pg_ctl", (), file, (), unit=unit)
        return StartLog(self.data, way, self.settings.get, is_new=is_new)

    def collects(self, *lines: str) -> None:
        """Write the list of the collector's files again, like a collector that starts."""
        new = self.data / "current_logfiles.tmp"
        new.write_text("".join(f"{line}\n" for line in lines))
        new.replace(self.data / "current_logfiles")


@pytest.fixture
def files(tmp_path: Path) -> Files:
    return Files(tmp_path)


def append(file: Path, text: str) -> None:
    with file.open("a") as opened:
        opened.write(text)


def test_only_what_was_written_since_counts(files: Files) -> None:
    append(files.startup, "FATAL:  of old\n")
    log = files.log()
    append(files.startup, "FATAL:  of now\n")
    assert log.end() == f"The server's log {files.startup} ends with:\nFATAL:  of now"
    position = log.position()
    assert position is not None
    assert position.offset == len("FATAL:  of old\n")


def test_list_of_an_earlier_run_is_ignored(files: Files) -> None:
    collected = files.data / "log/a.log"
    append(collected, "FATAL:  of old\n")
    files.collects("stderr log/a.log")
    log = files.log()
    append(files.startup, "FATAL:  of now\n")
    append(collected, "LOG:  of somebody else\n")
    assert log.cause(Stop()) == f"The server's log {files.startup} ends with:\nFATAL:  of now"


def test_file_with_a_new_name_is_identified_by_its_inode(files: Files) -> None:
    """A base backup has no list, and a file that the server appends to may have any name."""
    collected = files.data / "log/b.csv"
    append(collected, "of old\n")
    log = files.log()
    collected.rename(files.data / "log/c.csv")
    append(files.data / "log/c.csv", f"now{',' * 11}FATAL,,why{',' * 13}\n")
    files.collects("csvlog log/c.csv")
    assert log.end() == f"The server's log {files.data}/log/c.csv ends with:\nFATAL:  why"


def test_directory_in_the_settings_is_known_before_the_start(files: Files, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    append(elsewhere / "x.log", "FATAL:  of old\n")
    files.settings["log_directory"] = str(elsewhere)
    log = files.log()
    append(elsewhere / "x.log", "FATAL:  of now\n")
    files.collects(f"stderr {elsewhere}/x.log")
    assert log.end().endswith("ends with:\nFATAL:  of now")


def test_file_that_was_created_again_is_read_from_its_start(files: Files) -> None:
    append(files.startup, "LOG:  of old, and long\n")
    log = files.log()
    files.startup.unlink()
    append(files.startup, "FATAL:  why\n")
    assert log.end().endswith("ends with:\nFATAL:  why")
    os.truncate(files.startup, 0)
    append(files.startup, "FATAL:  x\n")
    assert log.end().endswith("ends with:\nFATAL:  x")


def test_lines_before_the_collector_are_reported_only_if_they_say_why(
    files: Files,
) -> None:
    log = files.log()
    append(files.startup, "LOG:  redirecting log output to logging collector process\n")
    append(files.data / "log/a.log", "FATAL:  why\n")
    files.collects("csvlog log/a.csv", "stderr log/a.log")
    assert log.end() == f"The server's log {files.data}/log/a.log ends with:\nFATAL:  why"
    append(files.startup, "FATAL:  of the main process\n")
    assert "of the main process" in log.end()


def test_password_in_a_setting_is_left_out_with_all_its_lines(files: Files) -> None:
    log = files.log()
    text = 'parameter "primary_conninfo" changed to "user=a\n\tpassword=SECRET"\nFATAL:  why\n'
    append(files.startup, f"LOG:  {text}")
    assert "SECRET" not in log.end()
    assert log.end().endswith("FATAL:  why")


def test_syslog_and_journal_are_named(files: Files, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(files.data))  # There is no journalctl in this directory.
    assert files.log("pg.service").cause(Stop()).endswith("journalctl -u pg.service.")
    assert files.log().cause(Stop()) == f"It wrote nothing to {files.startup}."
    files.settings |= {"log_destination": "csvlog,syslog", "syslog_ident": "shop"}
    assert (
        files.log().cause(Stop())
        == 'It logs to syslog, as "shop"; on its host: journalctl -t shop.'
    )


def test_journal_is_read_where_it_may_be(files: Files, monkeypatch: pytest.MonkeyPatch) -> None:
    program = files.data / "journalctl"
    program.write_text("#!/bin/sh\necho \"LOG:  $*\"\necho 'FATAL:  why'\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{files.data}:{os.environ['PATH']}")
    told = files.log("pg.service").cause(Stop())
    assert "-u pg.service" in told
    assert told.endswith("FATAL:  why")


def test_whole_log_of_a_running_server_counts(files: Files) -> None:
    files.collects("stderr log/a.log")
    append(files.data / "log/a.log", "LOG:  redo starts\n")
    assert files.log(is_new=False).end().endswith("LOG:  redo starts")


def test_statements_of_users_of_a_running_server_are_left_out(files: Files) -> None:
    sessions = """\
ERROR:  duplicate key value violates unique constraint "cards_pkey"
DETAIL:  Key (card)=(SECRET) already exists.
STATEMENT:  INSERT INTO cards VALUES ('SECRET')
FATAL:  password authentication failed for user "SECRET"
"""
    append(files.startup, f"{sessions}LOG:  redo starts\n{sessions}")
    log = files.log(is_new=False)
    assert log.end() == f"The server's log {files.startup} ends with:\nLOG:  redo starts"
    assert log.cause(Stop()) == log.end()
    files.startup.unlink()
    assert log.end() == ""


@pytest.mark.parametrize(
    ("text", "major", "expected"),
    [("", 15, "log"), ("", 19, "its word"), ("log_directory = 'x'\n", 15, "its word")],
)
def test_program_is_queried_for_a_setting_that_is_not_built_in(
    tmp_path: Path, text: str, major: int, expected: str
) -> None:
    program = tmp_path / "postgres"
    program.write_text("#!/bin/sh\necho its word\n")
    program.chmod(0o755)
    (tmp_path / "postgresql.conf").write_text(text)
    assert setting_asker(tmp_path, tmp_path, major, Stop())("log_directory") == expected
