"""Turn the Markdown of our reference pages into man(7): only the forms that these pages use."""

import re
from collections.abc import Callable, Iterator
from textwrap import dedent

from packages.manual.roff import example, filled, inline, subheading, tagged

ITEM = re.compile(r"(\*|\d+\.) +")
CELL = re.compile(r"(?<!\\)\|")
MARK = re.compile(r"<!--.*?-->")
FENCE = "```"
BRIEF = ("type", "default", "used by", "severity", "mode", "status")
"""Columns whose cells are short: they are put beside the tag of an entry."""


def sections(page: str) -> dict[str, str]:
    """Return the texts below the headings of the second level, by these; none within a fence."""
    found: dict[str, list[str]] = {}
    lines: list[str] = []
    is_fenced = False
    for line in page.splitlines():
        is_fenced ^= line.strip().startswith(FENCE)
        if line.startswith("## ") and not is_fenced:
            lines = found.setdefault(line[3:], [])
        else:
            lines.append(line)
    return {name: "\n".join(text) for name, text in found.items()}


def as_roff(text: str) -> Iterator[str]:
    """Yield the lines of man(7) for a text. Raises ValueError for an unknown form."""
    lines = MARK.sub("", text).splitlines()
    while lines:
        line = lines[0]
        if not line.strip():
            del lines[0]
        elif line.startswith(FENCE):
            yield ".PP"
            yield from example(_fenced(lines))
        elif line.startswith("|"):
            yield from _table(_taken(lines, lambda each: each.startswith("|")))
        elif line.startswith("### "):
            yield subheading(lines.pop(0)[4:])
        elif line.startswith("#"):
            raise ValueError(f"cannot put a heading of this level into a man page: {line}")
        elif ITEM.match(line):
            yield from _item(lines)
        else:
            yield ".PP"
            yield from filled(" ".join(_taken(lines, _is_text)))


def rows(text: str) -> list[list[str]]:
    """Return the cells of a table, the head first, without the line that only separates it."""
    table = [line for line in text.splitlines() if line.startswith("|")]
    split = [CELL.split(line)[1:-1] for line in table]
    cells = [[each.strip().replace("\\|", "|") for each in line] for line in split]
    return [row for row in cells if not all(set(cell) <= set("-:") for cell in row)]


def _table(lines: list[str]) -> Iterator[str]:
    """Yield a table as a list: the first column is the tag, brief ones follow it in parentheses.

    Of the other columns, the first needs no name. If the head has a name in code, as a table of the
    values of a setting has, it comes before.
    """
    head, *body = rows("\n".join(lines))
    if head[0].startswith("`"):
        yield ".PP"
        yield from filled(f"{head[0]}: {head[-1]}:")
    for row in body:
        cells = dict(zip(head, row, strict=True))
        tag = cells.pop(head[0])
        brief = [f"{name}: {cells.pop(name)}" for name in head[1:] if name in BRIEF]
        texts = [cell for cell in cells.values() if cell]
        named = [f"{name}: {cell}" for name, cell in cells.items() if cell][1:]
        told = " ".join(_as_sentence(each) for each in (*texts[:1], *named))
        strong = inline(tag) if "`" in tag else f"\\fB{inline(tag)}\\fR"
        beside = f" ({inline('; '.join(brief))})" if brief else ""
        yield from tagged(strong + beside, filled(told))


def _as_sentence(cell: str) -> str:
    """Return a cell that can be followed by another one.

    >>> _as_sentence("what to do: nothing"), _as_sentence("It is.")
    ('What to do: nothing.', 'It is.')
    """
    text = cell[0].upper() + cell[1:]
    return text if text.endswith((".", "!", ":")) else f"{text}."


def _item(lines: list[str]) -> Iterator[str]:
    """Yield an item of a list, and what is indented below it."""
    mark = ITEM.match(lines[0])
    assert mark is not None  # noqa: S101 - the caller has looked
    width = mark.end()
    first, tag = lines.pop(0)[width:], "\\(bu" if mark[1] == "*" else mark[1]
    inner = [first, *_taken(lines, lambda line: not line.strip() or line.startswith(" " * width))]
    paragraph = _taken(
        inner, lambda line: bool(line.strip()) and not line.strip().startswith(FENCE)
    )
    yield f".IP {tag} {width + 1}"
    yield from filled(" ".join(paragraph))
    rest = dedent("\n".join(inner))
    if rest.strip():
        yield f".RS {width + 1}"
        yield from as_roff(rest)
        yield ".RE"


def _is_text(line: str) -> bool:
    return bool(line.strip()) and not line.startswith(("|", "#", FENCE)) and not ITEM.match(line)


def _taken(lines: list[str], is_part: Callable[[str], object]) -> list[str]:
    """Take the lines from the beginning that are part of something."""
    taken: list[str] = []
    while lines and is_part(lines[0]):
        taken.append(lines.pop(0))
    return taken


def _fenced(lines: list[str]) -> list[str]:
    del lines[0]
    inner = _taken(lines, lambda line: not line.startswith(FENCE))
    del lines[:1]
    return inner
