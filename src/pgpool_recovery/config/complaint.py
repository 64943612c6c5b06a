"""Find the line of the settings file that a complaint is about, and suggest what was meant."""

import re
from collections.abc import Iterable
from difflib import get_close_matches
from typing import Any, get_args, get_type_hints

from pgpool_recovery.domain.record import is_record, names_of

UNKNOWN = re.compile(r"unknown setting (?P<names>\S+(?:, \S+)*?)(?: in (?P<where>\S+))?")
PLACED = re.compile(r".* in (?P<where>[\w.-]+)", re.DOTALL)
TABLE = re.compile(r"\s*\[+\s*(?P<name>[^\]#]+?)\s*\]+")


def with_lines(complaints: Iterable[str], text: str, settings: type) -> list[str]:
    """Return complaints with their line numbers, sorted by them; those without one come last.

    Only settings that are written one per line have a line number. For an unknown setting, the most
    similar name is suggested.
    """
    found = [_with_line(complaint, text, settings) for complaint in complaints]
    return [said for _line, said in sorted(found, key=lambda one: (one[0] is None, one[0] or 0))]


def _with_line(complaint: str, text: str, settings: type) -> tuple[int | None, str]:
    unknown = UNKNOWN.fullmatch(complaint)
    if unknown is not None:
        where = (unknown["where"] or "").split(".") if unknown["where"] else []
        names = unknown["names"].split(", ")
        known = _names(settings, where)
        meant = [f"{one}?" for name in names for one in get_close_matches(name, known, n=1)]
        complaint += f" ({', '.join(meant)})" if meant else ""
        place = [*where, names[0]]
    else:
        placed = PLACED.fullmatch(complaint)
        place = placed["where"].split(".") if placed else []
    line = line_of(text, place)
    return line, complaint if line is None else f"line {line}: {complaint}"


def line_of(text: str, place: list[str]) -> int | None:
    """Return the line number of a setting, or of the table of that name; None if not found.

    >>> line_of("[policy]\\nstop_runing = 1\\n", ["policy", "stop_runing"])
    2
    """
    table: list[str] = []
    for number, line in enumerate(text.split("\n"), start=1):
        header = TABLE.match(line)
        if header is not None:
            table = _words(header["name"])
            if table == place:
                return number
        elif "=" in line and [*table, *_words(line.partition("=")[0])] == place:
            return number
    return None


def _words(name: str) -> list[str]:
    return [word.strip().strip("\"'") for word in name.split(".")]


def _names(settings: type, where: Iterable[str]) -> list[str]:
    """Return the names that a table may have; empty if the user chooses them, as in `node`."""
    kind: Any = settings
    for name in where:
        if is_record(kind):
            kind = get_type_hints(kind).get(name)
        else:
            kind = (get_args(kind) or (None,))[-1]
    return list(names_of(kind)) if is_record(kind) else []
