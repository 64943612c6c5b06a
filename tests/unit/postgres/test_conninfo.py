"""Connection strings can contain any bytes."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pgpool_recovery.domain.error import Refused
from pgpool_recovery.files.text import text_of
from pgpool_recovery.postgres.conninfo import (
    NEWER_DEFAULTS,
    format_conninfo,
    parse_conninfo,
    without_default,
)
from tests.unit.programs.recorded import on_each_major, recorded

VALUES = st.binary().filter(lambda data: b"\0" not in data).map(text_of)


@given(st.dictionaries(st.sampled_from(["user", "password", "application_name"]), VALUES))
def test_any_value_survives(values: dict[str, str]) -> None:
    assert parse_conninfo(format_conninfo(values)) == values


def test_refusal_does_not_quote_the_string() -> None:
    with pytest.raises(Refused) as caught:
        parse_conninfo(text_of(b"password='s\xe9cret"))
    said = f"{caught.value.message} {caught.value.detail}"
    assert "cret" not in said
    assert caught.value.__cause__ is None
    assert caught.value.__context__ is None or caught.value.__suppress_context__


@on_each_major
def test_what_pg_basebackup_of_any_major_writes_is_read(major: int) -> None:
    """Whichever libpq this is: one that is older than the major does not know all keywords."""
    written = recorded(major, "setting/primary_conninfo.txt").strip()
    assert parse_conninfo(written)["passfile"] == "/var/lib/postgresql/.pgpass"


@on_each_major
def test_a_libpq_that_knows_no_newer_keyword_gets_none(major: int) -> None:
    written = recorded(major, "setting/primary_conninfo.txt").strip()
    for word in NEWER_DEFAULTS:
        written = without_default(written, word) or written
    assert not any(word in written for word in NEWER_DEFAULTS)
    oldest = recorded(14, "setting/primary_conninfo.txt").strip()
    assert parse_conninfo(oldest).keys() <= parse_conninfo(written).keys()


@pytest.mark.parametrize(
    "text",
    [
        "host=a sslcertmode=require",
        "host=a options='sslcertmode=allow'",
        "host=a options=x\\ sslcertmode=allow",
        "host=a 'sslcertmode=allow",
        "postgresql://a?sslcertmode=allow",
    ],
)
def test_what_could_mean_something_else_is_not_left_out(text: str) -> None:
    assert without_default(text, "sslcertmode") is None


def test_unknown_keyword_is_named() -> None:
    with pytest.raises(Refused) as caught:
        parse_conninfo("host=a no_such_word=1")
    assert caught.value.detail is not None
    assert "no_such_word" not in caught.value.detail
