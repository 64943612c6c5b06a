"""The entries of a server's log, in each of its formats and in other languages."""

import csv
import io
import json

import pytest

from pgpool_recovery.files.text import bytes_of
from pgpool_recovery.host.log_entry import KEPT_LINES, LogEntry, read_entries, told_lines
from pgpool_recovery.host.server_log import own_lines

BACKEND_TYPE = 23
COLUMNS = {"severity": 11, "message": 13, "detail": 14, "hint": 15, "context": 18, "user": 1}


def row(severity: str, message: str, process: str | None = "postmaster", **parts: str) -> str:
    """Return a row of csvlog, of PostgreSQL 12 without a `process`."""
    values = ["2026-11-28 00:35:41.123 UTC", *[""] * (22 if process is None else 25)]
    for name, text in {"severity": severity, "message": message, **parts}.items():
        values[COLUMNS[name]] = text
    if process is not None:
        values[BACKEND_TYPE] = process
    written = io.StringIO()
    csv.writer(written, lineterminator="\n").writerow(values)
    return written.getvalue()


def document(severity: str, message: str, process: str = "postmaster", **parts: str) -> str:
    names = {"error_severity": severity, "message": message, "backend_type": process, **parts}
    return json.dumps({"timestamp": "2026-11-28 00:35:41.123 UTC", "pid": 42, **names}) + "\n"


def texts(log: str, file: str) -> list[str]:
    return told_lines(read_entries(log.encode(), file))


@pytest.mark.parametrize("make", [row, document])
def test_structured_formats_are_shown_as_text(make: object) -> None:
    assert callable(make)
    suffix = "csv" if make is row else "json"
    log = make("LOG", 'line "3", of a\nfile, is wrong', detail="D", hint="H")
    log += make("FATAL", "could not load pg_hba.conf")
    assert texts(log, f"log/x.{suffix}") == [
        'LOG:  line "3", of a',
        "file, is wrong",
        "DETAIL:  D",
        "HINT:  H",
        "FATAL:  could not load pg_hba.conf",
    ]


def test_csv_that_is_cut_begins_with_the_next_row() -> None:
    log = row("LOG", 'a "value"\nof two, lines')[40:] + row("LOG", "whole") + row("FATAL", "end")
    entries = read_entries(log.encode(), "x.csv", is_cut=True)
    assert [entry.lines for entry in entries] == [("LOG:  whole",), ("FATAL:  end",)]


def test_incomplete_last_row_is_not_an_error() -> None:
    log = row("LOG", "whole")
    assert texts(log + '2026-11-28 00:35:41.123 UTC,,,42,,"half', "x.csv") == ["LOG:  whole"]
    assert texts(document("LOG", "whole") + '{"message": "ha', "x.json") == ["LOG:  whole"]


FATAL_WORDS = [
    "FATAL",
    "PANIK",
    "ВАЖНО",
    "致命的エラー",
    "치명적오류",
    "ÖLÜMCÜL (FATAL)",
    "KATASTROFALNY",
]
PREFIXES = ["", "2026-11-28 00:35:41.123 UTC [42] ", "<00:35 %app 42> ", "x: 42:", "[42]"]


@pytest.mark.parametrize("word", FATAL_WORDS)
@pytest.mark.parametrize("prefix", PREFIXES)
def test_cause_in_any_language_is_shown_however_much_follows(word: str, prefix: str) -> None:
    cause = f"{prefix}{word}:  warum\n\tund mehr\n"
    log = cause + "".join(f"{prefix}LOG:  line {n}\n" for n in range(2 * KEPT_LINES))
    lines = texts(log, "startup.log")
    assert lines[:3] == [f"{prefix}{word}:  warum", "\tund mehr", "…"]
    assert len(lines) == KEPT_LINES + 3


def test_unknown_severities_are_kept() -> None:
    log = "[1] LOGO:  unu\n[1] MORTIGA:  du\n[1] DETALO:  tri\n"
    assert texts(log, "startup.log") == log.rstrip("\n").split("\n")


@pytest.mark.parametrize("word", ["DEBUG", "DEBUG5", "DEPURAÇÃO2", "调试"])
def test_debug_messages_are_not_the_cause(word: str) -> None:
    log = "x FATAL:  why\n" + f"x {word}:  shmem_exit(1): 4 callbacks to make\n" * 99
    assert texts(log, "startup.log") == ["x FATAL:  why"]
    assert texts(log.partition("\n")[2], "startup.log"), "where there is nothing else they are told"


def test_text_that_is_cut_begins_with_the_next_entry() -> None:
    entries = read_entries(b"ECRET\n\tSECRET\nLOG:  a\n\tb\n", "x.log", is_cut=True)
    assert [entry.lines for entry in entries] == [("LOG:  a", "\tb")]


def test_bytes_of_another_encoding_are_kept() -> None:
    written = "FATAL:  Größe".encode("latin-1")
    (line,) = told_lines(read_entries(written, "x.log"))
    assert bytes_of(line) == written
    unescaped = document("FATAL", "X").replace(
        "X", "Größe"
    )  # Like jsonlog.c, which does not escape letters.
    for log, file in ((unescaped, "x.json"), (row("FATAL", "Größe"), "x.csv")):
        (line,) = told_lines(read_entries(log.encode("latin-1"), file))
        assert bytes_of(line) == written


@pytest.mark.parametrize("process", ["client backend", "walsender", "autovacuum worker", "new"])
def test_sessions_of_users_are_left_out_in_any_language(process: str) -> None:
    log = row("FATAL", "konnte nicht streamen", "walreceiver")
    log += row("FEHLER", "SECRET", process, detail="SECRET", user="app")
    log += row("LOG", "Parameter »x« auf »SECRET« gesetzt")
    entries = read_entries(log.encode(), "x.csv")
    assert own_lines(entries) == ["FATAL:  konnte nicht streamen", "LOG:  Parameter »x« auf …"]


def test_before_postgresql_13_the_user_name_decides() -> None:
    log = row("LOG", "redo starts", None) + row("ERROR", "SECRET", None, user="app")
    assert own_lines(read_entries(log.encode(), "x.csv")) == ["LOG:  redo starts"]


def test_statement_of_a_process_that_died_is_left_out() -> None:
    log = row("LOG", "server process died", detail="Failed process was running: SECRET")
    assert own_lines(read_entries(log.encode(), "x.csv")) == ["LOG:  server process died"]


def test_empty_log() -> None:
    for file in ("x.log", "x.csv", "x.json"):
        assert read_entries(b"", file) == list[LogEntry]()
