"""Text becomes man(7) that shows exactly that text."""

import re
import subprocess

import pytest

from packages.manual import markdown, roff


def shown(source: str) -> str:
    """Return what mandoc shows of the lines of a page, without its head and foot."""
    page = roff.page([*roff.title("x", 1, 0, "1"), roff.heading("Name"), "x \\- y", source])
    done = subprocess.run(
        ["mandoc", "-Tutf8", "-Owidth=78"], input=page, capture_output=True, text=True, check=True
    )
    plain = subprocess.run(
        ["col", "-bx"], input=done.stdout, capture_output=True, text=True, check=True
    ).stdout
    body = re.split(r"x \W y\s", plain, maxsplit=1)[1]
    return " ".join(body.rpartition("pgpool-recovery 1")[0].split())


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("`.pgpass` begins a line", ".pgpass begins a line"),
        ("'quoted' begins a line", "'quoted' begins a line"),
        ("a `--flag=C:\\x`, `'a'`, `~/x` and `a^b`", "a --flag=C:\\x, 'a', ~/x and a^b"),
        ("use --all-down or `[node.N]`", "use --all-down or [node.N]"),
        ("see [`a` and **b**](x.md#y).", "see a and b."),
        ("a *text* and `*.md` and 2 * 3 * 4", "a text and *.md and 2 * 3 * 4"),
        ("it is … so", "it is ... so"),
        ('a `{"a": 1, "b. C": {…}}` b. C', 'a {"a": 1, "b. C": {...}} b. C'),
    ],
)
def test_text_is_shown_as_it_is(text: str, expected: str) -> None:
    assert shown("\n".join(roff.filled(text))) == expected


def test_sentences_begin_lines_and_no_line_is_long() -> None:
    text = "It is one. Then `a. B` follows, e.g. this: another. " + "Word" + " word" * 40 + "."
    lines = roff.filled(text)
    assert lines[:2] == ["It is one.", "Then \\fBa. B\\fR follows, e.g. this: another."]
    assert max(map(len, lines)) <= roff.WIDTH


MARKDOWN = """\
Before
it.

1. **One.** It is
   long.

   | a | b |
   |---|---|
   | `x` | y |
2. Two

* item
  goes on

```sh
.hidden --option
'quoted'
```

| key | type | default | meaning | what to do |
|---|---|---|---|---|
| `k` | text | `"a \\| b"` | what it is | nothing |

| `k` | the value |
|---|---|
| `"v"` | is v |
"""


def test_each_form_of_markdown_is_shown() -> None:
    assert shown("\n".join(markdown.as_roff(MARKDOWN))) == (
        "Before it. 1. One. It is long. x Y. 2. Two • item goes on .hidden --option 'quoted' "
        'k (type: text; default: "a | b") What it is. What to do: nothing. '
        'k: the value: "v" Is v.'
    )


def test_form_that_is_not_known_is_refused() -> None:
    with pytest.raises(ValueError, match="heading"):
        list(markdown.as_roff("#### Deep"))


def test_sections_are_those_outside_of_fences() -> None:
    page = "lead\n\n## One\n\ntext\n```sh\n## not one\n```\n## Two\nend"
    assert markdown.sections(page) == {"One": "\ntext\n```sh\n## not one\n```", "Two": "end"}
