"""The generated parts of docs/reference/commands.md, made from the code."""

import re
from collections.abc import Iterator
from dataclasses import fields
from typing import Any

from pgpool_recovery.cli.grammar.commands import COMMANDS
from pgpool_recovery.cli.grammar.common import CONNECTION, DEBUG, EVENTS, JSON
from pgpool_recovery.cli.grammar.form import Option
from pgpool_recovery.cli.render.event_document import EVENTS as EVENT_KINDS
from pgpool_recovery.control.check import Reported
from pgpool_recovery.control.record import RecordedEvent, RecordedRun, RunProgress
from pgpool_recovery.control.status import NodeStatus, Status

HANDWRITTEN = ("install", "uninstall")
DOCUMENTS: dict[str, type[Any]] = {
    "status": Status,
    "node": NodeStatus,
    "progress": RunProgress,
    "run": RecordedRun,
    "event": RecordedEvent,
    "finding": Reported,
}
BLOCK = re.compile(r"(<!-- generated: (.+?) -->\n).*?(<!-- end -->)", re.DOTALL)


def with_generated(page: str) -> str:
    """Return a page with its generated blocks up to date."""
    blocks = dict(generated())

    def block(found: re.Match[str]) -> str:
        return f"{found[1]}\n{blocks[found[2]]}\n\n{found[3]}"

    return BLOCK.sub(block, page)


def generated() -> Iterator[tuple[str, str]]:
    """Yield the name and the text of each block."""
    yield "commands", table("command", "does", _summaries())
    for command in _commands():
        yield f"options of {command}", _options(command)
    yield "common options", _common()
    for name, kind in DOCUMENTS.items():
        rows = [(f"`{each.name}`", each.metadata["about"]) for each in fields(kind)]
        yield f"document {name}", table("key", "is", rows)
    yield "events", table("event", "tells", [(f"`{k}`", text) for k, text in EVENT_KINDS.items()])


def table(left: str, right: str, rows: list[tuple[str, str]]) -> str:
    """Return a table of two columns."""
    return "\n".join([f"| {left} | {right} |", "|---|---|", *(f"| {a} | {b} |" for a, b in rows)])


def _commands() -> list[str]:
    return [name for name in COMMANDS if name not in HANDWRITTEN]


def _summaries() -> list[tuple[str, str]]:
    return [(f"[`{name}`](#{name})", COMMANDS[name].summary.rstrip(".")) for name in _commands()]


def _options(name: str) -> str:
    command = COMMANDS[name]
    paragraphs = [command.summary, *filter(None, command.description.split("\n\n"))]
    text = "\n\n".join(" ".join(paragraph.split()) for paragraph in paragraphs)
    argument = command.argument
    rows = [] if argument is None else [(f"`{argument.value.metavar}`", argument.help)]
    rows += map(_row, command.options)
    return f"{text}\n\n{table('argument', 'is', rows)}" if rows else text


def _common() -> str:
    return table("option", "is", list(map(_row, (JSON, EVENTS, DEBUG, *CONNECTION))))


def _row(option: Option) -> tuple[str, str]:
    return ", ".join(f"`{name}`" for name in option.names), option.help
