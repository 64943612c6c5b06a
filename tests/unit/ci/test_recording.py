"""The picture of the demonstration shows each of its lines, moving or not."""

import re
import xml.etree.ElementTree as ET
from pathlib import Path

from demo.recording import COLUMNS, ROWS, lines_of, picture

PICTURE = Path(__file__).parents[3] / "docs" / "pictures" / "demo.svg"
SVG = "{http://www.w3.org/2000/svg}"
OUTPUT = "A head (/var/tmp/pgpool-harness-x1)\n" + "".join(
    f"{number:6.1f} s  | <step> {number} & /var/tmp/pgpool-harness-x1/local-y/home/15/data1\n"
    for number in range(40)
)


def texts(svg: str) -> list[str]:
    return [one.text or "" for one in ET.fromstring(svg).iter(f"{SVG}text")]  # noqa: S314  # ours


def test_each_line_is_shown_and_fits() -> None:
    shown = texts(picture(OUTPUT))
    assert shown[:3] == ["$ make demo", "A head", "   0.0 s  | <step> 0 & …/data1"]
    assert len(shown) == 42
    assert all(len(line) <= COLUMNS for line in lines_of(OUTPUT + "x" * 300))


def test_without_motion_the_end_is_shown() -> None:
    """What hides lines, or moves them, is an animation; without it the last rows are in view."""
    svg = picture(OUTPUT)
    still, _, moving = svg.partition("@media (prefers-reduced-motion: no-preference) {")
    assert "opacity" not in still
    assert "animation:" not in still
    assert "animation: appear" in moving
    rows = len(lines_of(OUTPUT))
    assert f'transform="translate(0 {-(rows - ROWS) * 18})"' in svg


def test_picture_in_the_readme_is_of_a_demonstration_that_ended_well() -> None:
    shown = texts(PICTURE.read_text())
    assert shown[0] == "$ make demo"
    assert any("both nodes have the same contents" in line for line in shown)
    assert re.search(r"nothing is left", shown[-1])
