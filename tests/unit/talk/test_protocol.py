"""The protocol's number stands for all that is sent: each class, its fields, and their types.

With the environment variable PGPOOL_RECOVERY_WRITE_GOLDEN the golden text is rewritten.
"""

import os
import types
from collections.abc import Iterator
from dataclasses import fields, is_dataclass
from enum import Enum
from pathlib import Path
from typing import Any, NewType, Union, get_args, get_origin, get_type_hints

from pgpool_recovery.talk.protocol import PROTOCOL, Failure, Hello, Message, Ping, Request
from pgpool_recovery.talk.request.asks import Asks

GOLDEN = Path(__file__).with_name("golden") / "protocol.txt"
CHANGED = (
    "What is on the wire has changed. If protocol {} was released, raise PROTOCOL in "
    "talk/protocol.py; in any case rewrite the golden text: "
    "PGPOOL_RECOVERY_WRITE_GOLDEN=1 .venv/bin/python -m pytest tests/unit/talk/test_protocol.py"
)


def answers() -> Iterator[tuple[Any, Any]]:
    """Yield each class of requests that are answered, and the type of the answer."""
    for kind in get_args(Request):
        if issubclass(kind, Asks):
            yield kind, get_args(kind.__orig_bases__[0])[0]


def spelt(kind: Any) -> str:
    """Return the spelling of a type without the modules of its parts."""
    if kind is type(None):
        return "None"
    if isinstance(kind, NewType):
        return f"{kind.__name__} = {spelt(kind.__supertype__)}"
    if get_origin(kind) in (Union, types.UnionType):
        return " | ".join(sorted(spelt(part) for part in get_args(kind)))
    if get_origin(kind) is not None:
        parts = ", ".join("..." if part is ... else spelt(part) for part in get_args(kind))
        return f"{get_origin(kind).__name__}[{parts}]"
    return str(kind.__name__)


def collect(kind: Any, found: dict[str, list[str]]) -> None:
    """Add a type and all types within it to `found`."""
    for part in get_args(kind):
        collect(part, found)
    if isinstance(kind, NewType):
        collect(kind.__supertype__, found)
    elif isinstance(kind, type) and issubclass(kind, Enum):
        found[kind.__name__] = [f"    {member.value}" for member in kind]
    elif is_dataclass(kind) and isinstance(kind, type):
        hints = get_type_hints(kind)
        sent = [field.name for field in fields(kind)]
        lines = [f"    {name}: {spelt(hints[name])}" for name in sent]
        assert found.setdefault(kind.__name__, lines) == lines, f"two classes {kind.__name__}"
        for name in sent:
            if get_origin(hints[name]) is not None or spelt(hints[name]) not in found:
                collect(hints[name], found)


def wire_format() -> str:
    """Return the structure of everything that is sent."""
    answered = dict(answers())
    found: dict[str, list[str]] = {}
    for root in (Request, Message, Failure, *answered.values()):
        collect(root, found)
    lines = [f"protocol {PROTOCOL}"]
    lines += [f"request: {spelt(part)}" for part in get_args(Request)]
    lines += [f"message: {spelt(part)}" for part in get_args(Message)]
    lines += [f"answer to {kind.__name__}: {spelt(answer)}" for kind, answer in answered.items()]
    for name in sorted(found):
        lines += [name, *found[name]]
    return "\n".join(lines) + "\n"


def test_every_request_declares_its_answer() -> None:
    assert {*Asks.__subclasses__(), Hello, Ping} == set(get_args(Request))


def test_wire_format_belongs_to_the_number() -> None:
    text = wire_format()
    if os.environ.get("PGPOOL_RECOVERY_WRITE_GOLDEN"):
        GOLDEN.write_text(text)
    assert text == GOLDEN.read_text(), CHANGED.format(PROTOCOL)
