"""The generated parts of docs/reference/commands.md: what the code knows of itself."""

import re
from collections.abc import Iterator
from dataclasses import fields
from inspect import cleandoc
from typing import Any

from pgpool_recovery.cli.app import COMMANDS, app
from pgpool_recovery.cli.output import OUTPUT
from pgpool_recovery.cli.render.event_document import EVENTS
from pgpool_recovery.cli.where import CONNECTION
from pgpool_recovery.control.check import Finding
from pgpool_recovery.control.record import Progress, Recorded, Run
from pgpool_recovery.control.status import NodeStatus, Status

HANDWRITTEN = ("install", "uninstall")
DOCUMENTS: dict[str, type[Any]] = {
    "status": Status,
    "node": NodeStatus,
    "progress": Progress,
    "run": Run,
    "event": Recorded,
    "finding": Finding,
}
BLOCK = re.compile(r"(<!-- generated: (.+?) -->\n).*?(<!-- end -->)", re.DOTALL)


def with_generated(page: str) -> str:
    """Return a page whose generated blocks are as the code has it now."""
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
    yield "events", table("event", "tells", [(f"`{name}`", text) for name, text in EVENTS.items()])


def table(left: str, right: str, rows: list[tuple[str, str]]) -> str:
    """Return a table of two columns."""
    return "\n".join([f"| {left} | {right} |", "|---|---|", *(f"| {a} | {b} |" for a, b in rows)])


def _commands() -> list[str]:
    names = [command.__name__ for commands in COMMANDS.values() for command in commands]
    return [name for name in names if name not in HANDWRITTEN]


def _summaries() -> list[tuple[str, str]]:
    return [
        (f"[`{name}`](#{name})", _paragraphs(name)[0].rstrip(".").replace("\n", " "))
        for name in _commands()
    ]


def _paragraphs(name: str) -> list[str]:
    """Return what the help of a command says before its parameters."""
    text = cleandoc(app[name].help)
    return text.partition("\nParameters\n---")[0].strip().split("\n\n")


def _options(name: str) -> str:
    text = "\n\n".join(" ".join(paragraph.split()) for paragraph in _paragraphs(name))
    rows = [row for is_common, row in _arguments(name) if not is_common]
    return f"{text}\n\n{table('argument', 'is', rows)}" if rows else text


def _groups(named: Any) -> list[Any]:
    return list(named) if isinstance(named, tuple | list) else [named]


def _common() -> str:
    return table("option", "is", [row for is_common, row in _arguments("recover") if is_common])


def _arguments(name: str) -> Iterator[tuple[bool, tuple[str, str]]]:
    """Yield the arguments of a command, and whether all commands for people have them."""
    for argument in app[name].assemble_argument_collection(parse_docstring=True):
        names = [word for word in argument.names if not word.startswith("--no-")]
        if not argument.show:
            continue
        is_common = bool({CONNECTION, OUTPUT} & set(_groups(argument.parameter.group)))
        described = ", ".join(f"`{word}`" for word in names)
        yield is_common, (described, " ".join((argument.parameter.help or "").split()))
