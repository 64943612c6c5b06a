"""Draw the Mermaid flowcharts of this repository with Graphviz.

Mermaid's own program is JavaScript that a reader's browser would have to fetch. These flowcharts
use only two kinds of lines: `name["text<br>text"]` and `name --> name`.
"""

import re
import subprocess

_BOX = re.compile(r'(\w+)\["([^"]+)"\]')
_ARROW = re.compile(r"(\w+) --> (\w+)")
_WITHIN_S = 60


class UnknownLineError(ValueError):
    """A line of a flowchart that is neither a box nor an arrow."""


def as_dot(flowchart: str) -> str:
    """Return a flowchart in Graphviz's language.

    >>> print(as_dot('flowchart TD\\n  a["a<br>5 lines"]\\n  b["b"]\\n  a --> b'))
    digraph {
    bgcolor="white"
    node [shape=box, style="rounded,filled", fillcolor="#eef3f8", fontname="sans-serif"]
    "a" [label="a\\n5 lines"]
    "b" [label="b"]
    "a" -> "b"
    }
    """
    head, *lines = [line.strip() for line in flowchart.strip().splitlines()]
    if head != "flowchart TD":
        raise UnknownLineError(head)
    style = 'shape=box, style="rounded,filled", fillcolor="#eef3f8", fontname="sans-serif"'
    return "\n".join(
        ["digraph {", 'bgcolor="white"', f"node [{style}]", *map(_line, filter(None, lines)), "}"]
    )


def _line(line: str) -> str:
    if box := _BOX.fullmatch(line):
        text = box[2].replace("<br>", "\\n")
        return f'"{box[1]}" [label="{text}"]'
    if arrow := _ARROW.fullmatch(line):
        return f'"{arrow[1]}" -> "{arrow[2]}"'
    raise UnknownLineError(line)


def drawn(flowchart: str) -> bytes:
    """Return a flowchart as SVG.

    Raises FileNotFoundError without Graphviz's program dot.
    """
    argv = ["dot", "-Tsvg"]
    dot = as_dot(flowchart).encode()
    return subprocess.run(
        argv, input=dot, capture_output=True, check=True, timeout=_WITHIN_S
    ).stdout
