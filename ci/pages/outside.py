"""Find what a reader's browser would fetch from elsewhere; a link that is clicked is no fetch."""

import re
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path

_ELSEWHERE = re.compile(r"(https?:)?//", re.IGNORECASE)
_IN_STYLES = re.compile(r"(?:url\(|@import)\s*[\"']?((?:https?:)?//[^\"')\s]+)", re.IGNORECASE)
_NOT_FETCHED = {"a", "form"}
_FETCHING = {"src", "href", "srcset", "data", "poster", "xlink:href"}


class _Fetched(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in _NOT_FETCHED:
            return
        self.found += [
            value
            for name, value in attrs
            if name in _FETCHING and value and _ELSEWHERE.match(value.strip())
        ]


def fetched(text: str) -> list[str]:
    """Return the addresses elsewhere that a page, a picture or a style sheet makes browsers fetch.

    >>> fetched('<a href="https://a.example">x</a><script src="//b.example/x.js"></script>')
    ['//b.example/x.js']
    >>> fetched("@font-face { src: url('https://c.example/f.woff2') }")
    ['https://c.example/f.woff2']
    """
    parser = _Fetched()
    parser.feed(text)
    return parser.found + _IN_STYLES.findall(text)


def fetched_by(site: Path) -> Iterator[tuple[Path, str]]:
    """Yield each file of a site that has browsers fetch something from elsewhere, and what."""
    for file in sorted(site.rglob("*")):
        if file.suffix in {".html", ".css", ".svg"}:
            for address in fetched(file.read_text()):
                yield file.relative_to(site), address
