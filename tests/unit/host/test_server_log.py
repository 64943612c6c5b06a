"""The end of a server's log without its users' sessions."""

import os
from pathlib import Path

import pytest

from pgpool_recovery.agent.server.start_log import LAST_BYTES, find_log, last_lines
from pgpool_recovery.host.server_log import about_itself
from pgpool_recovery.talk.request.server import FindLog, LogPosition

PREFIXES = [
    "",
    "2026-11-27 13:00:00.123 UTC [42] ",
    "2026-11-27 13:00:00 UTC:10.0.0.7(5123):app@shop:[42]: ",
    "<13:00 %app 42> ",
    "2026-11-27[42]",
]
OWN = """\
LOG:  starting PostgreSQL 15.20 (Debian 15.20-0+deb12u1) on x86_64-pc-linux-gnu
LOG:  entering standby mode
LOG:  redo starts at 0/3000028
LOG:  consistent recovery state reached at 0/3000100
LOG:  database system is ready to accept read-only connections
FATAL:  could not connect to the primary server: connection to server at "10.0.0.1", port 5432
\tfailed: FATAL:  password authentication failed for user "repl"
FATAL:  could not start WAL streaming: ERROR:  replication slot "pgpool_node_1" does not exist
FATAL:  database system identifier differs between the primary and standby
DETAIL:  The primary's identifier is 7, the standby's identifier is 8.
LOG:  new timeline 3 forked off current database system timeline 2 before current recovery point
LOG:  waiting for WAL to become available at 0/5000000
FATAL:  hot standby is not possible because of insufficient parameter settings
DETAIL:  max_connections = 50 is a lower setting than on the primary server, where it is 100.
HINT:  You can restart the server after making the necessary configuration changes."""
OF_USERS = """\
ERROR:  duplicate key value violates unique constraint "people_pkey"
DETAIL:  Key (email)=(SECRET@example.com) already exists.
STATEMENT:  INSERT INTO people VALUES ('SECRET')
\tRETURNING 'LOG:  redo starts at SECRET'
LOG:  statement: SELECT 'SECRET'
LOG:  execute <unnamed>: SELECT $1
DETAIL:  parameters: $1 = 'SECRET'
LOG:  duration: 1.5 ms  statement: SELECT 'SECRET'
FATAL:  password authentication failed for user "SECRET"
DETAIL:  Connection matched pg_hba.conf line 5: "host all all all scram-sha-256 # SECRET"
ERROR:  invalid input syntax for type integer: "SECRET LOG:  redo starts at"
QUERY:  SELECT 'SECRET'
CONTEXT:  SQL function "SECRET" statement 1
WARNING:  SECRET of RAISE WARNING
ERROR:  could not open file "/home/SECRET" for reading: Permission denied
NOTICE:  SECRET"""


def prefixed(text: str, prefix: str) -> str:
    return "\n".join(
        line if line.startswith("\t") else f"{prefix}{line}" for line in text.split("\n")
    )


@pytest.mark.parametrize("prefix", PREFIXES)
def test_only_messages_of_the_server_about_itself_are_kept(prefix: str) -> None:
    own, users = prefixed(OWN, prefix), prefixed(OF_USERS, prefix)
    assert about_itself(f"{users}\n{own}\n{users}") == own
    assert about_itself(users) == ""


def test_statement_of_a_process_that_died_is_left_out() -> None:
    died = "LOG:  server process (PID 42) was terminated by signal 9: Killed"
    text = f"{died}\nDETAIL:  Failed process was running: SELECT 'SECRET'\n\tFROM t"
    assert about_itself(text) == died


def test_promise_7_value_of_a_parameter_is_left_out() -> None:
    """A reload logs the new primary_conninfo, including its password."""
    text = 'x LOG:  parameter "primary_conninfo" changed to "user=repl password=SECRET"'
    assert about_itself(text) == 'x LOG:  parameter "primary_conninfo" was changed'


@pytest.mark.parametrize("file", ["x.log", "x.csv"])
def test_promise_7_further_lines_of_a_value_are_left_out(tmp_path: Path, file: str) -> None:
    """A connection string in a file may contain newlines, which are logged unchanged."""
    said = 'parameter "primary_conninfo" changed to "user=repl{}password=SECRET"'
    row = f"2026-11-28 00:35:41.123 UTC{',' * 11}LOG,,{{}}{',' * 10}postmaster,,0\n"
    log = tmp_path / file
    if file == "x.log":
        log.write_text(f"LOG:  {said.format(chr(10) + chr(9))}\nLOG:  redo starts at 0/1\n")
    else:
        quoted = '"' + said.format("\n").replace('"', '""') + '"'
        log.write_text(row.format(quoted) + row.format("redo starts at 0/1"))
    told = last_lines(LogPosition(str(log), 0)).split("\n")
    assert told[0].startswith('LOG:  parameter "primary_conninfo"')
    assert told[1:] == ["LOG:  redo starts at 0/1"]


def test_other_languages_and_other_programs_are_not_kept() -> None:
    assert about_itself("FEHLER:  SECRET\nANWEISUNG:  SECRET\nscp: SECRET\n\tSECRET") == ""


@pytest.fixture
def log(tmp_path: Path) -> Path:
    file = tmp_path / "log"
    file.write_text(f"{OF_USERS}\nLOG:  redo starts at 0/1\n")
    return file


def test_log_of_a_server_that_accepts_connections(log: Path) -> None:
    assert last_lines(LogPosition(str(log), 0)) == "LOG:  redo starts at 0/1"
    log.write_text(OF_USERS)
    nothing = last_lines(LogPosition(str(log), 0))
    assert nothing == f"(nothing about the server itself; all of it: {log})"


def test_rest_of_a_line_that_was_cut_is_left_out(log: Path) -> None:
    cut = "SECRET LOG:  redo starts at SECRET\n"
    own = "LOG:  entering standby mode\n"
    log.write_text("x" * LAST_BYTES + cut + own + "\t" + "y" * (LAST_BYTES - 100) + "\n")
    assert "SECRET" not in last_lines(LogPosition(str(log), 0))
    assert last_lines(LogPosition(str(log), 0)).startswith(own.strip())


def test_log_is_read_from_its_former_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    log, data = tmp_path / "log", tmp_path / "data"
    data.mkdir()
    log.write_text("LOG:  redo starts at 0/1\n")
    (data / "current_logfiles").write_text(f"stderr {os.path.relpath(log, data)}\n")
    (data / "postmaster.pid").write_text(f"{os.getpid()}\n{data}\n1\n5432\n/tmp\n*\n1 2\nready\n")
    monkeypatch.chdir(data)  # The title of a postmaster, by which it is recognised.
    request = FindLog(str(data))
    earlier = find_log(request)
    assert earlier is not None
    assert earlier.offset == len("LOG:  redo starts at 0/1\n")
    with log.open("a") as file:
        file.write("LOG:  started streaming WAL from primary at 0/2 on timeline 1\n")
    position = find_log(request, earlier)
    assert position == earlier
    assert last_lines(position).startswith("LOG:  started streaming")
