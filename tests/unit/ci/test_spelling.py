"""A misspelt word in the prose of a page is found; code, names and addresses are not prose."""

import doctest
import shutil

import pytest

import ci.spelling
from ci.spelling import WORDS, known_words, main, misspelt, prose

pytestmark = pytest.mark.skipif(shutil.which("aspell") is None, reason="aspell is not installed")


def test_examples_hold() -> None:
    result = doctest.testmod(ci.spelling)
    assert result.attempted > 0
    assert result.failed == 0


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("This is teh end.", ["page.md:1: teh"]),
        ("A\n\n[recieve](a.md) it", ["page.md:3: recieve"]),
        ("Its color and its colour", ["page.md:1: color"]),
        ("Pgpool-II's failover, and its failovers", []),
        ("Failover", []),
        ("`teh` <!-- teh --> [a](teh.md) http://teh.example/teh pg_teh teh.conf=1 x86_64", []),
        ("```text\nteh\n```\n", []),
        ("* item:\n\n  ```sh\n  teh\n  ```\n", []),
    ],
)
def test_misspelt_words_are_found(text: str, found: list[str]) -> None:
    assert list(misspelt({"page.md": prose(text)})) == found


def test_list_is_in_order_and_names_a_word_once() -> None:
    words = WORDS.read_text().splitlines()
    assert words == sorted(set(words), key=lambda word: (word.lower(), word))
    assert {"Failover", "failover"} <= known_words()


def test_the_pages_are_spelt_right() -> None:
    assert main() == 0
