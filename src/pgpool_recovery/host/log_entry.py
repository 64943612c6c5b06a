r"""Read a server's log in any format, as entries whose lines a person can read.

csvlog and jsonlog have separate fields for the parts of an entry (csvlog.c, jsonlog.c). A text log
has the prefix of log_line_prefix, a severity in the language of lc_messages, a colon and two blanks
(elog.c), and then the message; further lines of an entry begin with a tab:

    2026-11-27 13:00:00 UTC [42] FATAL:  could not load pg_hba.conf

The suffix of the logging collector's files is the format (logfile_getname in syslogger.c).
"""

import csv
import io
import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from pgpool_recovery.domain.record import record
from pgpool_recovery.files.text import text_of

KEPT_LINES = 20
MAX_LINE_CHARACTERS = 2000
CSV, JSON = ".csv", ".json"
STRUCTURED = (CSV, JSON)

FATAL = frozenset(
    "FATAL PANIC PANIK FATALE PANICO FATALT PANIKA PÂNICO KRİTİK KATASTROFALNY ÖLÜMCÜL ΚΡΙΣΙΜΟ "  # noqa: SIM905 - a list is a page long
    "ВАЖНО ПАНИКА ФАТАЛЬНО ПАНІКА ფატალური პანიკა 치명적오류 손상 致命的エラー 致命错误 "
    "灾难性错误 比致命错误还过分的错误 致命錯誤 嚴重錯誤".split()
)
"""The severities that end a process of the server, in the languages of PostgreSQL's messages."""
DEBUG = frozenset(
    ("DEBUG", "DEPURAÇÃO", "ОТЛАДКА", "НАЛАГОДЖЕННЯ", "გამართვა", "디버그", "调试", "除錯")
)

SEVERITY = re.compile(r"(?<![^\W\d_])([^\W\d_]{2,})(?: \(FATAL\))?\d?:  ")
"""Only letters. Digits may follow (the level of a debug message), or in Turkish " (FATAL)"."""
BEGINS_ROW = re.compile(rb"^\d{4,}-\d\d-\d\d \d\d:\d\d:\d\d", re.MULTILINE)
"""A row begins with its time (csvlog.c). So may a line within a text; nothing is lost then."""

# Columns of csvlog, since the oldest release that is supported (csvlog.c).
USER, SEVERITY_COLUMN, MESSAGE, DETAIL, HINT, CONTEXT, BACKEND_TYPE = 1, 11, 13, 14, 15, 18, 23
MIN_COLUMNS = CONTEXT + 1
OWN_PROCESSES = frozenset(
    {
        "postmaster",
        "startup",
        "walreceiver",
        "checkpointer",
        "background writer",
        "walwriter",
        "archiver",
        "logger",
        "walsummarizer",
        "slotsync worker",
        "slotsyncworker",
    }
)
"""Values of backend_type for processes that run no statements of users (miscinit.c)."""
MAIN = "postmaster"


@record
class LogEntry:
    """A message: its severity as written, and its lines.

    `is_own` is whether it is about the server itself, not about a user's session; None if the
    format does not tell. `is_of_main` is whether the postmaster wrote it.
    """

    severity: str
    lines: tuple[str, ...]
    is_own: bool | None = None
    is_of_main: bool = False

    @property
    def is_fatal(self) -> bool:
        """Whether a process of the server ended with this message."""
        return self.severity.partition(" ")[0] in FATAL

    @property
    def is_debugging(self) -> bool:
        """Whether it is a debug message, for developers of PostgreSQL."""
        return self.severity.rstrip("12345") in DEBUG


def read_entries(data: bytes, file: str, *, is_cut: bool = False) -> list[LogEntry]:
    """Return the entries in a part of a log file; with `is_cut` it begins in the middle of one."""
    suffix = Path(file).suffix
    if suffix == CSV:
        return list(_csv_entries(data, is_cut=is_cut))
    if suffix == JSON:
        return list(_json_entries(data))
    return list(_text_entries(text_of(data), is_cut=is_cut))


def told_lines(entries: Iterable[LogEntry]) -> list[str]:
    """Return the last lines without debug messages, after the last fatal entry if not included."""
    every = list(entries)
    kept = [entry for entry in every if not entry.is_debugging] or every
    lines = [line for entry in kept for line in entry.lines][-KEPT_LINES:]
    fatal = next((entry for entry in reversed(kept) if entry.is_fatal), None)
    if fatal is not None and fatal.lines[0] not in lines:
        lines = [*fatal.lines[:KEPT_LINES], "…", *lines]
    return [line[:MAX_LINE_CHARACTERS] for line in lines]


def _text_entries(text: str, *, is_cut: bool) -> Iterator[LogEntry]:
    lines = text.rstrip("\n").split("\n")
    if is_cut:
        # The first line may be any part of a line.
        lines = lines[1:]
        while lines and lines[0].startswith("\t"):
            lines = lines[1:]
    begun: list[str] = []
    for line in lines:
        if begun and not line.startswith("\t"):
            yield _text_entry(begun)
            begun = []
        begun.append(line)
    if any(begun):
        yield _text_entry(begun)


def _text_entry(lines: list[str]) -> LogEntry:
    found = SEVERITY.search(lines[0])
    return LogEntry("" if found is None else found[1], tuple(lines))


def _csv_entries(data: bytes, *, is_cut: bool) -> Iterator[LogEntry]:
    if is_cut:
        begins = [found.start() for found in BEGINS_ROW.finditer(data) if found.start()]
        data = data[begins[0] :] if begins else b""
    text = text_of(data.replace(b"\0", b""))
    try:
        for row in csv.reader(io.StringIO(text, newline="")):
            if len(row) >= MIN_COLUMNS:
                yield _csv_entry(row)
    except csv.Error:  # A field longer than any message.
        return


def _csv_entry(row: Sequence[str]) -> LogEntry:
    process = row[BACKEND_TYPE] if len(row) > BACKEND_TYPE else None
    parts = {
        "DETAIL": row[DETAIL],
        "HINT": row[HINT],
        "CONTEXT": row[CONTEXT],
    }
    return _entry(row[SEVERITY_COLUMN], row[MESSAGE], parts, process, row[USER])


def _json_entries(data: bytes) -> Iterator[LogEntry]:
    for line in data.split(b"\n"):
        try:
            row = json.loads(text_of(line))
        except (ValueError, RecursionError):
            continue
        if isinstance(row, dict) and "message" in row:
            parts = {name.upper(): str(row.get(name) or "") for name in ("detail", "hint")}
            parts["CONTEXT"] = str(row.get("context") or "")
            yield _entry(
                str(row.get("error_severity", "")),
                str(row["message"]),
                parts,
                _text_of(row, "backend_type"),
                str(row.get("user") or ""),
            )


def _text_of(row: Mapping[str, Any], name: str) -> str | None:
    return str(row[name]) if name in row else None


def _entry(
    severity: str, message: str, parts: Mapping[str, str], process: str | None, user: str
) -> LogEntry:
    """Return an entry with its lines in the form of the server's text log."""
    texts = {severity: message, **{name: text for name, text in parts.items() if text}}
    lines = [line for name, text in texts.items() for line in f"{name}:  {text}".split("\n")]
    is_own = process in OWN_PROCESSES if process is not None else not user
    return LogEntry(severity, tuple(lines), is_own, process == MAIN)
