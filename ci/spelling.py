"""Find misspelt words in the pages: `python -m ci.spelling`. British English, by aspell.

Only prose is read: no code, no addresses, no names of files and settings. Words that aspell does
not know and that are right are in `docs/words.txt`, one a line; a word there in lower case is also
right with a capital, and each with 's.
"""

import re
import subprocess
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[1]
WORDS = REPOSITORY / "docs" / "words.txt"
LANGUAGE = "en_GB"
_WITHIN_S = 60
_NO_PROSE = [
    re.compile(r"^ *```.*?^ *```$", re.MULTILINE | re.DOTALL),
    re.compile(r"<!--.*?-->", re.DOTALL),
    re.compile(r"``.+?``|`[^`]*`"),
    re.compile(r"(?<=\])\([^)\s]*\)"),
    re.compile(r"[a-z]+://\S+"),
    re.compile(r"[\w.~-]*[_/=@$%\\][\w./-]*"),
    re.compile(r"\b\w*\d\w*\b"),
]


def pages() -> list[Path]:
    """Return the pages of this repository, without what an editor or a build has left."""
    folders = [REPOSITORY.glob("*.md"), (REPOSITORY / "docs").rglob("*.md")]
    return sorted(
        [*(page for found in folders for page in found), REPOSITORY / "findings/README.md"]
    )


def prose(page: str) -> str:
    """Return the prose of a page; each line keeps its number.

    >>> prose("See [the `log`](log.md#x) of pg_wal:\\n```\\nteh\\n```\\nend")
    'See [the ] of :\\n\\n\\n\\nend'
    """
    for pattern in _NO_PROSE:
        page = pattern.sub(lambda found: "\n" * found[0].count("\n"), page)
    return page


def known_words() -> set[str]:
    """Return the words of the list, and those that begin a sentence."""
    words = set(WORDS.read_text().split())
    return words | {word.capitalize() for word in words if word.islower()}


def unknown(text: str, known: Iterable[str]) -> set[str]:
    """Return the words of a text that neither aspell nor the list knows.

    Raises FileNotFoundError without aspell, and CalledProcessError without its dictionary.
    """
    argv = ["aspell", "list", f"--lang={LANGUAGE}", "--encoding=utf-8", "--mode=none"]
    done = subprocess.run(
        argv, input=text, capture_output=True, text=True, check=True, timeout=_WITHIN_S
    )
    right = set(known)
    return {word for word in done.stdout.split() if word.removesuffix("'s") not in right}


def misspelt(texts: dict[str, str]) -> Iterator[str]:
    """Yield a line for each misspelt word: where it is, and the word. `texts`: prose by page."""
    wrong = unknown("\n".join(texts.values()), known_words())
    pattern = re.compile(rf"(?<!\w)(?:{'|'.join(map(re.escape, sorted(wrong)))})(?!\w)")
    for name, text in texts.items():
        for number, line in enumerate(text.splitlines() if wrong else [], start=1):
            yield from (f"{name}:{number}: {found[0]}" for found in pattern.finditer(line))


def main() -> int:
    """Check all pages; return 0 if every word is right."""
    try:
        texts = {str(page.relative_to(REPOSITORY)): prose(page.read_text()) for page in pages()}
        found = list(misspelt(texts))
    except (FileNotFoundError, subprocess.CalledProcessError) as error:
        print(f"aspell cannot check: {error}; run ci/install-packages", file=sys.stderr)
        return 1
    for line in found:
        print(line)
    if found:
        print(f"Correct them, or add them to {WORDS.relative_to(REPOSITORY)}.")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
