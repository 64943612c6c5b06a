"""Connection strings can contain any bytes."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pgpool_recovery.domain.error import Refused
from pgpool_recovery.files.text import text_of
from pgpool_recovery.postgres.conninfo import format_conninfo, parse_conninfo

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
