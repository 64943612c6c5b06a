"""Draw the picture of the rooms in CONTRIBUTING.md from the imports: ``python -m ci.rooms``.

A room is one of our packages, or a module outside of any. An arrow leads to an imported room. It
is omitted where other arrows also lead there, through rooms in between; the numbers in a room
count all of them. With ``--check`` nothing is written, and the exit status tells whether the rooms,
the arrows and, roughly, the sizes are still those of the code.
"""

import argparse
import ast
import re
import sys
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

REPOSITORY = Path(__file__).resolve().parents[1]
SOURCE = REPOSITORY / "src" / "pgpool_recovery"
PAGE = REPOSITORY / "CONTRIBUTING.md"
BEGIN, END = "<!-- rooms: written by python -m ci.rooms -->\n", "<!-- rooms: end -->\n"
DIVIDED = ("agent",)
"""Packages that have rooms themselves, which are shown in a separate picture."""
TOLERANCE = 0.2
"""How much a size may differ before the picture is stale: not every commit redraws it."""


class Room(NamedTuple):
    """What a room contains, and which other rooms it imports."""

    modules: int
    lines: int
    imports: frozenset[str]


Rooms = Mapping[str, Room]


def rooms_of(source: Path, package: str) -> Rooms:
    """Return the rooms of a package, named by its path below `source`; "" is all of it."""
    modules: dict[str, list[str]] = defaultdict(list)
    imported: dict[str, set[str]] = defaultdict(set)
    for file in sorted((source / package).rglob("*.py")):
        room = _room(file.relative_to(source / package))
        if room is not None:
            text = file.read_text()
            modules[room].append(text)
            imported[room] |= set(_imports(text, ".".join((source.name, *Path(package).parts))))
    return {
        room: Room(
            len(texts),
            sum(text.count("\n") for text in texts),
            frozenset(imported[room] & modules.keys() - {room}),
        )
        for room, texts in modules.items()
    }


def _room(file: Path) -> str | None:
    """Return the room of a module; the package's own two files are not in one."""
    first = file.parts[0]
    return None if first in ("__init__.py", "__main__.py") else first.removesuffix(".py")


def _imports(text: str, package: str) -> Iterator[str]:
    """Yield the names directly below a package that a module imports, anywhere in it."""
    for node in ast.walk(ast.parse(text)):
        names = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module is not None:
            names = [f"{node.module}.{alias.name}" for alias in node.names]
        for name in names:
            if name.startswith(f"{package}."):
                yield name.removeprefix(f"{package}.").split(".")[0]


def arrows_of(rooms: Rooms) -> list[tuple[str, str]]:
    """Return the arrows that no others imply.

    >>> rooms = {"a": Room(1, 1, frozenset("bc")), "b": Room(1, 1, frozenset("c"))}
    >>> arrows_of(rooms | {"c": Room(1, 1, frozenset())})
    [('a', 'b'), ('b', 'c')]
    """
    return [
        (name, other)
        for name, room in sorted(rooms.items())
        for other in sorted(room.imports)
        if not any(other in _reached(rooms, between) for between in room.imports - {other})
    ]


def _reached(rooms: Rooms, name: str) -> set[str]:
    """Return the rooms that one leads to, directly or through others."""
    found: set[str] = set()
    waiting = [name]
    while waiting:
        new = rooms[waiting.pop()].imports - found
        found |= new
        waiting += new
    return found


def picture(rooms: Rooms) -> str:
    """Return the picture, for Mermaid."""
    importers = {name: sum(name in room.imports for room in rooms.values()) for name in rooms}
    lines = [
        f'    {name}["{name}<br>{room.lines} lines, modules: {room.modules}'
        f'<br>arrows in: {importers[name]}, out: {len(room.imports)}"]'
        for name, room in sorted(rooms.items())
    ]
    lines += [f"    {name} --> {other}" for name, other in arrows_of(rooms)]
    return "\n".join(["```mermaid", "flowchart TD", *lines, "```\n"])


def block(source: Path) -> str:
    """Return the text between the marks."""
    pictures = [picture(rooms_of(source, package)) for package in ("", *DIVIDED)]
    heads = ["", *(f"The rooms of `{package}`:\n\n" for package in DIVIDED)]
    return "".join(f"\n{head}{one}" for head, one in zip(heads, pictures, strict=True)) + "\n"


def split(page: str) -> tuple[str, str, str]:
    """Return a page up to the first mark, between the marks, and from the second one on."""
    before, begin, rest = page.partition(BEGIN)
    between, end, after = rest.partition(END)
    if not end:
        raise SystemExit(f"{PAGE.name} lacks the marks of the picture: {BEGIN}{END}")
    return before + begin, between, end + after


def is_current(shown: str, drawn: str) -> bool:
    """Return whether a picture still shows the code; sizes may differ a little.

    >>> is_current("a 100 lines", "a 110 lines"), is_current("a 100 lines", "b 100 lines")
    (True, False)
    >>> is_current("a 100 lines", "a 300 lines")
    False
    """
    number = re.compile(r"[0-9]+(?= lines)")
    if number.sub("", shown) != number.sub("", drawn):
        return False
    pairs = zip(number.findall(shown), number.findall(drawn), strict=True)
    return all(abs(int(one) - int(other)) <= TOLERANCE * int(other) for one, other in pairs)


def main(words: Sequence[str]) -> int:
    """Draw the picture, or check it."""
    parser = argparse.ArgumentParser(prog="python -m ci.rooms")
    parser.add_argument("--check", action="store_true", help="write nothing")
    options = parser.parse_args(words)
    before, shown, after = split(PAGE.read_text())
    drawn = block(SOURCE)
    if not is_current(shown, drawn):
        if options.check:
            print(f"{PAGE.name}: the rooms have changed; run python -m ci.rooms", file=sys.stderr)
            return 1
        PAGE.write_text(before + drawn + after)
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
