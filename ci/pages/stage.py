"""Lay out the Markdown pages of this repository as a site, with their links made to fit.

The pages are written to be read where they lie, on GitHub or with `less`. So what only Sphinx needs
is added here: the table of contents, in the order of the map (`docs/index.md`), and pictures in
place of Mermaid's diagrams. Lines keep their numbers, so that a warning names the right one.
"""

import os
import re
from collections.abc import Callable, Mapping
from pathlib import Path, PurePosixPath

FRONT = PurePosixPath("README.md")
MAP = PurePosixPath("docs/index.md")
PROJECT = {
    PurePosixPath("CHANGELOG.md"): PurePosixPath("project/changelog.md"),
    PurePosixPath("CONTRIBUTING.md"): PurePosixPath("project/contributing.md"),
    PurePosixPath("SECURITY.md"): PurePosixPath("project/security.md"),
    PurePosixPath("findings/README.md"): PurePosixPath("project/findings.md"),
}
PARTS = {
    "tutorial": "Learn",
    "how-to": "Do",
    "reference": "Look up",
    "explanation": "Understand",
    "project": "The project",
}
_FENCE = re.compile(r"^(```+)(\w*)\n(.*?)^\1$", re.MULTILINE | re.DOTALL)
_LINK = re.compile(r"(!?)\[((?:[^\[\]]|\[[^\[\]]*\])*)\]\(([^)\s]+)\)")


def places(repository: Path) -> dict[PurePosixPath, PurePosixPath]:
    """Return where each page and picture of the repository is in the site."""
    docs = [file.relative_to(repository).as_posix() for file in (repository / "docs").rglob("*.*")]
    pages = {
        PurePosixPath(file): PurePosixPath(file).relative_to("docs")
        for file in sorted(docs)
        if file.endswith((".md", ".svg"))
    }
    return {**pages, **PROJECT, MAP: PurePosixPath("map.md"), FRONT: PurePosixPath("index.md")}


def staged(
    page: PurePosixPath,
    text: str,
    where: Mapping[PurePosixPath, PurePosixPath],
    draw: Callable[[str], PurePosixPath],
) -> str:
    """Return a page's text as Sphinx reads it.

    `draw` turns a Mermaid diagram into a picture, and returns its place in the site.
    """
    parts, end = [], 0
    for fence in _FENCE.finditer(text):
        parts.append(_LINK.sub(lambda link: _moved(link, page, where), text[end : fence.start()]))
        parts.append(_drawn(fence, where[page], draw))
        end = fence.end()
    parts.append(_LINK.sub(lambda link: _moved(link, page, where), text[end:]))
    return "".join(parts)


def _drawn(fence: re.Match[str], place: PurePosixPath, draw: Callable[[str], PurePosixPath]) -> str:
    if fence[2] != "mermaid":
        return fence[0]
    picture = _relative(draw(fence[3]), place)
    return f"![Packages, and arrows to those that they import]({picture})" + "\n" * fence[0].count(
        "\n"
    )


def _moved(
    link: re.Match[str], page: PurePosixPath, where: Mapping[PurePosixPath, PurePosixPath]
) -> str:
    """Return a link to the same page in the site; for a file that is not there, its text."""
    mark, text, target = link.groups()
    name, hash_sign, anchor = target.partition("#")
    if not name or re.match(r"[a-z]+:", name):
        return link[0]
    there = PurePosixPath(os.path.normpath(page.parent / name))
    if there not in where:
        return text
    return f"{mark}[{text}]({_relative(where[there], where[page])}{hash_sign}{anchor})"


def _relative(target: PurePosixPath, page: PurePosixPath) -> str:
    return os.path.relpath(target, page.parent)


def contents(map_text: str, where: Mapping[PurePosixPath, PurePosixPath]) -> str:
    """Return the tables of contents for the front page, in the order of the map's links.

    A page that the map does not name is in none of them, of which Sphinx warns.

    >>> where = {PurePosixPath("docs/how-to/install.md"): PurePosixPath("how-to/install.md")}
    >>> print(contents("| **do** | [Install](how-to/install.md) |", where).split(":hidden:")[2])
    <BLANKLINE>
    :caption: Do
    <BLANKLINE>
    how-to/install
    ```
    <BLANKLINE>
    """
    named = (PurePosixPath("docs", link[3].partition("#")[0]) for link in _LINK.finditer(map_text))
    places = [place for page in named if (place := where.get(page))]
    pages = list(dict.fromkeys([*places, *(where[page] for page in PROJECT if page in where)]))
    parts = [_toctree("", ["map"])]
    for folder, caption in PARTS.items():
        found = [str(page.with_suffix("")) for page in pages if page.parts[0] == folder]
        parts += [_toctree(f":caption: {caption}\n", found)] if found else []
    return "\n".join(["", *parts])


def _toctree(options: str, names: list[str]) -> str:
    return "\n".join(["```{toctree}", ":hidden:", f"{options}", *names, "```", ""])
