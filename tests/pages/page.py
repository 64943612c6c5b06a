"""A page as a reader works through it: blocks of commands, each with the output that it shows."""

import re
from collections.abc import Mapping
from dataclasses import dataclass

_BLOCK = re.compile(r"^```sh\n(.*?)^```\n(?:\n```text\n(.*?)^```\n)?", re.MULTILINE | re.DOTALL)
_HEADING = re.compile(r"^## (.+)$", re.MULTILINE)

_DIFFERS = (
    (re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\+\d{4}"), "WHEN"),
    (re.compile(r"\b[0-9A-F]{24}\b"), "SEGMENT"),
    (re.compile(r"\b[0-9A-F]+/[0-9A-F]+\b"), "LSN"),
    (re.compile(r"\b\d+(\.\d+)? (bytes|kB|MB|GB)\b"), "SIZE"),
    (re.compile(r"\b\d+(\.\d+)? s\b"), "TIME"),
    (re.compile(r"\bup \d+(\.\d+|rc\d+)\b"), "up VERSION"),
    (re.compile(r"^ *\d+ +(\d) +WHEN"), r"RUN \1 WHEN"),
    (re.compile(r" +"), " "),
)
_SLOW_STEP = re.compile(r"step \d of \d took |\d+(\.\d+)? \w+ of .* copied")
"""A line that is written only if a step takes long."""


@dataclass(frozen=True)
class Block:
    """Commands below a heading, and the output that the page shows after them, if it does."""

    heading: str
    commands: str
    output: str | None

    @property
    def is_for_root(self) -> bool:
        """Return whether it is run as another user than the rest, by sudo."""
        return "sudo " in self.commands


def blocks(page: str) -> list[Block]:
    """Return the blocks of commands of a page, in its order.

    >>> blocks("## Try\\n\\n```sh\\ndate\\n```\\n\\n```text\\nSaturday\\n```\\n")
    [Block(heading='Try', commands='date\\n', output='Saturday\\n')]
    """
    headings = [(match.start(), match[1]) for match in _HEADING.finditer(page)]
    return [
        Block(
            max(((at, name) for at, name in headings if at < match.start()), default=(0, ""))[1],
            match[1],
            match[2],
        )
        for match in _BLOCK.finditer(page)
    ]


def shape(output: str) -> list[str]:
    """Return the lines of an output without what differs from run to run.

    >>> shape("from 0/5000000 on (1.2 s), 55 MB\\nstep 2 of 4 took 0.1 s\\nup 15.20  0 bytes")
    ['from LSN on (TIME), SIZE', 'up VERSION SIZE']
    """
    lines = [line.rstrip() for line in output.strip().splitlines() if not _SLOW_STEP.match(line)]
    for pattern, word in _DIFFERS:
        lines = [pattern.sub(word, line) for line in lines]
    return lines


def with_outputs(page: str, outputs: Mapping[str, str]) -> str:
    """Return a page with the outputs replaced, by commands, where it shows one."""

    def written(match: re.Match[str]) -> str:
        if match[2] is None or match[1] not in outputs:
            return match[0]
        return f"```sh\n{match[1]}```\n\n```text\n{outputs[match[1]].strip()}\n```\n"

    return _BLOCK.sub(written, page)
