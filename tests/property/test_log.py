"""No password gets into the log, wherever it is in a value and whatever characters it has."""

import shlex
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from urllib.parse import quote

from hypothesis import given
from hypothesis import strategies as st

from pgpool_recovery.agent.directory.own_login import OwnLogin
from pgpool_recovery.domain.error import Undone
from pgpool_recovery.domain.record import record
from pgpool_recovery.log.note import note, note_parts, span, turn_off, turn_on
from pgpool_recovery.plan.inherited import SECRETS
from pgpool_recovery.postgres.conninfo import format_conninfo
from pgpool_recovery.talk.request.host import AskArchive

MARK = "zQ7x"
"""In every password, so that a part of it is found."""
PRINTABLE = st.characters(min_codepoint=33, max_codepoint=0x2FF, exclude_characters="\x7f")
ENDS = st.text(PRINTABLE | st.just(" "), max_size=6)


@st.composite
def passwords(draw: st.DrawFn) -> str:
    """Draw a password of any characters, including blanks and quotes, around the mark."""
    return f"{draw(ENDS)}{MARK}{draw(ENDS)}"


def plain(text: str) -> str:
    """Return what a line of a program's output can have without quotes."""
    return "".join(letter for letter in text if letter.isalnum())


@st.composite
def carriers(draw: st.DrawFn) -> object:
    """Draw a value that has a password where we, libpq and users put passwords."""
    password = draw(passwords())
    word = draw(st.sampled_from(SECRETS))
    conninfo = {"host": "a", word: password, "port": "5432"}
    command = f"PGPASSWORD={shlex.quote(password)} cp %p %f".replace("'\"'\"'", "'\\''")
    return draw(
        st.sampled_from(
            [
                conninfo,
                ["psql", "-d", format_conninfo({"host": "a", "password": password, "user": "b"})],
                ["psql", "--password", password],
                ["psql", f"--password={plain(password)}"],
                ["sh", "-c", command],
                ["psql", f"postgres://me:{quote(password)}@host/db"],
                f"host:5432:*:me:{plain(password)}",
                AskArchive("/data", command, history=(), since=1, timeout_s=1),  # type: ignore[arg-type]
                Undone("it failed", detail=f"password={plain(password)} was in it"),
                ValueError(password),
                Held(password, conninfo),
            ]
        )
    )


@record
class Held:
    """A record that has what no fact may have."""

    password: str
    conninfo: Mapping[str, str]


def nested(values: st.SearchStrategy[object]) -> st.SearchStrategy[object]:
    return (
        st.lists(values, min_size=1, max_size=3)
        | st.dictionaries(st.sampled_from(["a", "b"]), values, min_size=1)
        | st.tuples(st.just(1), values)
    )


@contextmanager
def logging() -> Iterator[list[str]]:
    lines: list[str] = []
    turn_on(lines.append, "a test")
    try:
        yield lines
    finally:
        turn_off()


@given(st.recursive(carriers(), nested, max_leaves=4))
def test_no_password_is_logged(value: object) -> None:
    with logging() as lines:
        note("one {}", value)
        note_parts("part", value)
        with span("does {}: {}", "x", value) as doing:
            doing.came_to(value)
    assert lines
    assert not [line for line in lines if MARK in line]


@given(passwords(), st.sampled_from(SECRETS))
def test_what_the_nodes_own_login_makes_of_its_secrets_is_not_logged(
    password: str, word: str
) -> None:
    own = OwnLogin()
    own.conninfo = {"host": "a", "user": "b", word: password}
    with logging() as lines:
        note("connects as {}", own.whole({"host": "a", "user": "b"}))
        note("it is {}", own)
    assert not [line for line in lines if MARK in line]
