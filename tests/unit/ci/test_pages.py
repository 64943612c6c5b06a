"""The pages are laid out as a site: links fit, diagrams are drawn, nothing is fetched elsewhere."""

import doctest
import re
import shutil
from pathlib import Path, PurePosixPath
from types import ModuleType

import pytest

import ci.pages.diagram
import ci.pages.outside
import ci.pages.stage
import demo.recording
from ci.pages.diagram import UnknownLineError, as_dot, drawn
from ci.pages.outside import fetched, fetched_by
from ci.pages.stage import FRONT, contents, places, staged

REPOSITORY = Path(__file__).parents[3]
WHERE = {
    PurePosixPath("README.md"): PurePosixPath("index.md"),
    PurePosixPath("docs/how-to/install.md"): PurePosixPath("how-to/install.md"),
    PurePosixPath("docs/pictures/a.svg"): PurePosixPath("pictures/a.svg"),
}
HERE = PurePosixPath("docs/how-to/install.md")


@pytest.mark.parametrize(
    "module",
    [ci.pages.diagram, ci.pages.outside, ci.pages.stage, demo.recording],
    ids=lambda module: module.__name__,
)
def test_examples_hold(module: ModuleType) -> None:
    result = doctest.testmod(module)
    assert result.attempted > 0
    assert result.failed == 0


def no_picture(flowchart: str) -> PurePosixPath:
    raise AssertionError(flowchart)


@pytest.mark.parametrize(
    ("page", "text", "expected"),
    [
        ("README.md", "[a](docs/how-to/install.md#x)", "[a](how-to/install.md#x)"),
        ("README.md", "![a](docs/pictures/a.svg)", "![a](pictures/a.svg)"),
        (HERE, "[a](../../README.md)", "[a](../index.md)"),
        (HERE, "[a](#b)", "[a](#b)"),
        (HERE, "[`a` [b]](../../ci/rooms.py)", "`a` [b]"),
        (HERE, "[a](https://a.example)", "[a](https://a.example)"),
        (HERE, "```sh\n[a](../../README.md)\n```\n", "```sh\n[a](../../README.md)\n```\n"),
    ],
)
def test_links_fit(page: str, text: str, expected: str) -> None:
    """A file that is no page of the site is named, and not linked."""
    assert staged(PurePosixPath(page), text, WHERE, no_picture) == expected


def test_a_diagram_becomes_a_picture_and_lines_keep_their_numbers() -> None:
    text = "a\n```mermaid\nflowchart TD\n```\nb\n"
    said: list[str] = []

    def draw(flowchart: str) -> PurePosixPath:
        said.append(flowchart)
        return PurePosixPath("diagrams/1.svg")

    laid_out = staged(HERE, text, WHERE, draw)
    assert "](../diagrams/1.svg)" in laid_out
    assert said == ["flowchart TD\n"]
    assert laid_out.split("\n").index("b") == text.split("\n").index("b")


def test_each_page_of_the_documentation_is_on_the_map() -> None:
    """Sphinx warns of a page that is in no table of contents."""
    where = places(REPOSITORY)
    listed = contents((REPOSITORY / "docs" / "index.md").read_text(), where)
    pages = [str(place.with_suffix("")) for place in where.values() if place.suffix == ".md"]
    assert len(pages) > 25
    assert [page for page in pages if page != "index" and f"\n{page}\n" not in listed] == []
    assert where[FRONT] == PurePosixPath("index.md")


def test_a_line_that_cannot_be_drawn_is_an_error() -> None:
    with pytest.raises(UnknownLineError, match=r"a -\.-> b"):
        as_dot("flowchart TD\n  a -.-> b\n")


@pytest.mark.skipif(shutil.which("dot") is None, reason="graphviz is not installed")
def test_the_diagrams_of_this_repository_can_be_drawn() -> None:
    text = (REPOSITORY / "CONTRIBUTING.md").read_text()
    flowcharts = re.findall(r"^```mermaid\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    assert flowcharts
    for flowchart in flowcharts:
        assert b"<svg" in drawn(flowchart)


@pytest.mark.parametrize(
    "text",
    [
        '<link href="https://a.example/x.css" rel="stylesheet">',
        '<img src="http://a.example/x.png">',
        '<script src="//a.example/x.js"></script>',
        '<style>@import "https://a.example/x.css";</style>',
        "a { background: url(//a.example/x.png) }",
        '<svg><image xlink:href="https://a.example/x.png"/></svg>',
    ],
)
def test_what_a_browser_would_fetch_is_found(text: str, tmp_path: Path) -> None:
    assert len(fetched(text)) == 1
    (tmp_path / "page.html").write_text(text)
    assert [file for file, _ in fetched_by(tmp_path)] == [Path("page.html")]


def test_pictures_are_small_and_fetch_nothing() -> None:
    pictures = sorted((REPOSITORY / "docs" / "pictures").iterdir())
    assert len(pictures) >= 2
    for picture in pictures:
        assert picture.stat().st_size < 150_000
        assert fetched(picture.read_text()) == []
