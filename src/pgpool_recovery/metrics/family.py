"""Render families of samples in the text format of Prometheus, and remove them from a text."""

import re
from collections.abc import Iterable, Mapping

from pgpool_recovery.domain.line import lines_of
from pgpool_recovery.domain.record import record

Sample = tuple[Mapping[str, str], float]
HEAD = re.compile(r"# (?:HELP|TYPE) (\S+)")


@record
class Family:
    """The samples of one metric. All are gauges, since each file is written from scratch."""

    name: str
    help: str
    samples: tuple[Sample, ...]

    def lines(self) -> list[str]:
        """Return the lines of the text format; none if there is no sample."""
        if not self.samples:
            return []
        head = [f"# HELP {self.name} {self.help}", f"# TYPE {self.name} gauge"]
        return head + [_sample(self.name, labels, value) for labels, value in self.samples]


def render(families: Iterable[Family]) -> str:
    """Return the text of families.

    >>> print(render([Family("a_b", "What it is.", (({"node": "1"}, 2.0),))]), end="")
    # HELP a_b What it is.
    # TYPE a_b gauge
    a_b{node="1"} 2
    """
    return "".join(line + "\n" for family in families for line in family.lines())


def without(text: str, names: Iterable[str]) -> str:
    """Return a text that we rendered, without the families of these names."""
    gone, kept = set(names), []
    for line in lines_of(text):
        head = HEAD.match(line)
        name = head[1] if head else re.split(r"[{ ]", line, maxsplit=1)[0]
        if name not in gone:
            kept.append(line + "\n")
    return "".join(kept)


def _sample(name: str, labels: Mapping[str, str], value: float) -> str:
    inside = ",".join(f'{label}="{_escaped(text)}"' for label, text in labels.items())
    shown = f"{value:.0f}" if value == int(value) else f"{value:.3f}"
    return f"{name}{{{inside}}} {shown}" if inside else f"{name} {shown}"


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
