"""Return the end of a call as a row, which PL/pgSQL raises without a Python traceback."""

from typing import Optional

from server_types import Row

MAX_TEXT_CHARACTERS = 8000

INTERNAL_ERROR = "XX000"
INVALID_PARAMETER_VALUE = "22023"
INSUFFICIENT_PRIVILEGE = "42501"
NOT_IN_PREREQUISITE_STATE = "55000"
QUERY_CANCELED = "57014"
CONNECTION_FAILURE = "08006"
UNDEFINED_OBJECT = "42704"


class Failure(Exception):
    """An expected failure, in the parts of a PostgreSQL error."""

    def __init__(
        self,
        message: str,
        detail: Optional[str] = None,
        hint: Optional[str] = None,
        sqlstate: str = INTERNAL_ERROR,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.detail = detail
        self.hint = hint
        self.sqlstate = sqlstate


def success(result: bool, document: Optional[str] = None) -> Row:
    """Return the row of a call that succeeded; `document` is its answer in JSON."""
    row = dict.fromkeys(("sqlstate", "message", "detail", "hint"))
    row.update(result=result, document=document)
    return row


def failed(failure: Failure) -> Row:
    """Return the row of a call that ends with this failure as its error."""
    return {
        "result": None,
        "sqlstate": failure.sqlstate,
        "message": cut(failure.message),
        "detail": failure.detail and cut(failure.detail),
        "hint": failure.hint and cut(failure.hint),
        "document": None,
    }


def with_stock_message(function_name: str, cause: Failure) -> Failure:
    """Return a failure with the message of the stock extension and the cause as its detail."""
    said = as_sentence(cause.message)
    return Failure(
        "%s failed" % function_name,
        detail=said if cause.detail is None else said + "\n" + cause.detail,
        hint=cause.hint,
        sqlstate=cause.sqlstate,
    )


def as_sentence(message: str) -> str:
    """Return a message as a sentence; the name of a host or program that begins it is kept.

    >>> as_sentence("node 1: no space"), as_sentence("server2:/data: no space")
    ('Node 1: no space.', 'server2:/data: no space.')
    """
    first = message.partition(" ")[0]
    return (message[:1].upper() + message[1:] if first.isalpha() else message) + "."


def cut(text: str) -> str:
    """Return a text, truncated to a length that suits a log line."""
    if len(text) <= MAX_TEXT_CHARACTERS:
        return text
    return text[:MAX_TEXT_CHARACTERS] + " ..."
