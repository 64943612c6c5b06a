"""A bug in the server is reported as an error of PostgreSQL, without any value."""

import json
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest
from pgpool_recovery_server.bug_report import outcome_of, value_of

SECRET = "passw0rd-of-somebody"


class PlpyError(Exception):
    """As plpy.Error."""


def no_error(message: str, detail: str | None = None) -> None:
    raise PlpyError(message, detail)


PLPY = SimpleNamespace(
    SPIError=type("SPIError", (Exception,), {}),
    Fatal=type("Fatal", (Exception,), {}),
    Error=PlpyError,
    error=no_error,
)


def key() -> Any:
    return dict[str, str]()[SECRET]


def document() -> Any:
    return json.loads(f"{SECRET}")


def decoding() -> Any:
    return (SECRET.encode() + b"\xe9").decode()


def chained() -> Any:
    try:
        return key()
    except KeyError:
        raise ValueError(SECRET)


def by_value_of(call: Callable[[], Any]) -> str:
    with pytest.raises(PlpyError) as caught:
        value_of(PLPY, call)
    assert caught.value.__cause__ is None
    assert caught.value.__context__ is None
    return "\n".join(map(str, caught.value.args))


def by_outcome_of(call: Callable[[], Any]) -> str:
    row = outcome_of(PLPY, call)
    assert (row["result"], row["sqlstate"]) == (None, "XX000")
    return f"{row['message']}\n{row['detail']}"


@pytest.mark.parametrize("way", [by_outcome_of, by_value_of])
@pytest.mark.parametrize("call", [key, document, decoding, chained])
def test_bug_shows_kind_and_place_and_no_value(
    way: Callable[[Callable[[], Any]], str], call: Callable[[], Any]
) -> None:
    said = way(call)
    assert SECRET not in said
    assert said.startswith("bug in the extension: ")
    assert f" {call.__name__}" in said
    kinds = {"key": "KeyError", "document": "JSONDecodeError", "decoding": "UnicodeDecodeError"}
    assert kinds.get(call.__name__, "KeyError") in said


@pytest.mark.parametrize("way", [outcome_of, value_of])
def test_error_of_postgresql_goes_on(way: Callable[[Any, Any], Any]) -> None:
    """A cancel is one, which must not become the failure of a call."""

    def cancelled() -> None:
        raise PLPY.SPIError("canceling statement due to user request")

    with pytest.raises(PLPY.SPIError):
        way(PLPY, cancelled)


@pytest.mark.parametrize("way", [outcome_of, value_of])
def test_value_is_handed_on(way: Callable[[Any, Any], Any]) -> None:
    assert way(PLPY, lambda: 1) == 1
