"""Make an animated picture of what the demonstration wrote: `make demo`'s output in, SVG out.

A line appears when it did, except that a pause is shortened to a second and a half; the seconds in
the lines stay. The picture plays once and then shows the end. Where pictures do not move, and for
readers who want none that do, it shows the end at once.
"""

import re
import sys
from html import escape

COLUMNS = 100
ROWS = 26
WIDTH_PX = 8.0  # of a character
HEIGHT_PX = 18.0  # of a line
MARGIN_PX = 14.0
LONGEST_PAUSE_S = 1.5
BETWEEN_LINES_S = 0.08
_SECONDS = re.compile(r" *(\d+\.\d) s  ")
_DIRECTORY = re.compile(r"/var/tmp/pgpool-harness-[\w/.-]+(?=/data\d)")
_WORKSPACE = re.compile(r" \(/var/tmp/pgpool-harness-\w+\)")
_STYLE = """
.screen { fill: #161b22; }
text { fill: #c9d1d9; font: 13px 'DejaVu Sans Mono', Menlo, Consolas, monospace; }
.head { fill: #79c0ff; font-weight: bold; }
.plan { fill: #7ee787; }
.quoted { fill: #9aa5b1; }
@media (prefers-reduced-motion: no-preference) {
  text { animation: appear 1ms backwards; }
  .scroll { animation: scroll %.2fs step-end backwards; }
}
@keyframes appear { from { opacity: 0; } }
@keyframes scroll { %s }
"""


def lines_of(output: str) -> list[str]:
    """Return the lines to show; an ellipsis stands for directories and for what is too long."""
    said = ["$ make demo", *output.strip("\n").splitlines()]
    short = [_DIRECTORY.sub("…", _WORKSPACE.sub("", line)) for line in said]
    return [line if len(line) <= COLUMNS else f"{line[: COLUMNS - 1]}…" for line in short]


def times_of(lines: list[str]) -> list[float]:
    """Return when each line appears, in seconds.

    >>> times_of(["$ make demo", "   0.0 s  building", "  10.0 s  built", "  10.5 s  done"])
    [0.0, 0.08, 1.58, 2.08]
    """
    times, last_s, now_s = [], 0.0, 0.0
    for number, line in enumerate(lines):
        at = _SECONDS.match(line)
        pause_s = 0.0 if at is None else float(at[1]) - last_s
        last_s = last_s if at is None else float(at[1])
        if number:
            now_s += min(max(pause_s, BETWEEN_LINES_S), LONGEST_PAUSE_S)
        times.append(round(now_s, 2))
    return times


def picture(output: str) -> str:
    """Return the picture of what the demonstration wrote."""
    lines = lines_of(output)
    times = times_of(lines)
    width, height = COLUMNS * WIDTH_PX + 2 * MARGIN_PX, ROWS * HEIGHT_PX + 2 * MARGIN_PX
    hidden = max(len(lines) - ROWS, 0)
    total_s = times[-1] + 0.01
    texts = "\n".join(
        _text(row, line, time_s)
        for row, (line, time_s) in enumerate(zip(lines, times, strict=True))
        if line
    )
    return f"""\
<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:g} {height:g}" xml:space="preserve">
<title>make demo: a lost standby is recovered while a client writes</title>
<style>{_STYLE % (total_s, _scrolling(times, total_s))}</style>
<rect class="screen" width="{width:g}" height="{height:g}" rx="8"/>
<clipPath id="window"><rect width="{width:g}" height="{height - MARGIN_PX / 2:g}"/></clipPath>
<g clip-path="url(#window)">
<g class="scroll" transform="translate(0 {-hidden * HEIGHT_PX:g})">
{texts}
</g>
</g>
</svg>
"""


def _text(row: int, line: str, time_s: float) -> str:
    at = f'x="{MARGIN_PX:g}" y="{MARGIN_PX + (row + 0.75) * HEIGHT_PX:g}"'
    delay = f'style="animation-delay:{time_s:g}s"'
    return f'<text class="{_kind(line)}" {at} {delay}>{escape(line, quote=False)}</text>'


def _kind(line: str) -> str:
    if not _SECONDS.match(line):
        return "head"
    if "| plan: " in line or "| ready to be " in line or "same contents" in line:
        return "plan"
    return "quoted" if " s  | " in line else "said"


def _scrolling(times: list[float], total_s: float) -> str:
    """Return the keyframes: with each line that does not fit, everything moves up by one."""
    moves = [(0.0, 0), *((time, row + 1 - ROWS) for row, time in enumerate(times) if row >= ROWS)]
    return " ".join(
        f"{100 * time / total_s:.2f}% {{ transform: {_up(lines)}; }}" for time, lines in moves
    )


def _up(lines: int) -> str:
    return f"translateY({-lines * HEIGHT_PX:g}px)"


if __name__ == "__main__":
    sys.stdout.write(picture(sys.stdin.read()))
