"""Answer a call of a function for users: check the privilege, query Pgpool-II, return rows."""

import io
import json
from typing import Iterable, List, Optional

from pgpool_recovery.pcp.client.pcp_error import PcpError
from pgpool_recovery_server.outcome import Failure, failed, success
from pgpool_recovery_server.session import Session

from server_types import Found, Memory, Plpy, Row

from .asked_server import Asked, server_of_address, server_of_foreign_server
from .function_rows import FUNCTIONS
from .signature import Signature, callable_signature, checked_arguments
from .typed_password import forget_password, remember_password
from .user_mapping import take_found


def call_function(
    plpy: Plpy, session: Memory, shared: Memory, function: str, arguments: List[str]
) -> Row:
    """Return the outcome of a call, whose document is the rows in JSON.

    `plpy`, `session` and `shared` are PL/Python's plpy, SD and GD. `function` is the signature of
    the function that was called, such as ``pcp_node_info(integer,text)``, and `arguments` are its
    arguments as text. A role that calls this directly needs the privilege on that function, too.
    """
    caller = Session(plpy, session)
    caller.lift_transaction_timeout()
    forget_password(caller, shared)
    found = take_found(shared)
    try:
        signature = callable_signature(caller, function)
        arguments = checked_arguments(signature, arguments or [])
        if signature.has_address:
            remember_password(caller, shared, arguments[-1])
        rows = rows_of(caller, found, signature, arguments)
        outcome = success(True, caller.in_encoding(in_json(rows)))
        forget_password(caller, shared)  # It is needed only for a call that has failed.
        return outcome
    except Failure as cause:
        return failed(cause)
    except PcpError as error:
        return failed(as_failure(caller, error))


def rows_of(
    caller: Session, found: Optional[Found], signature: Signature, arguments: List[str]
) -> Iterable[Row]:
    """Query Pgpool-II and return its rows, each a dictionary of column names and values.

    `found` is the user mapping that was read for this call, if any.
    """
    own, last = arguments[: signature.own_count], arguments[signature.own_count :]
    if signature.has_address:
        server = server_of_address(caller, *last)
    else:
        server = server_of_foreign_server(caller, found, *last)
    _, ask = FUNCTIONS[signature.name]
    rows: Iterable[Row] = ask(Asked(caller, server), *own)
    return rows


def in_json(rows: Iterable[Row]) -> str:
    """Return the rows as a JSON array; only one row at a time exists as a dictionary.

    >>> in_json([{"pids": [1]}, {"pids": []}])
    '[{"pids":[1]},{"pids":[]}]'
    """
    text = io.StringIO()
    before = "["
    for row in rows:
        text.write(before)
        text.write(json.dumps(row, ensure_ascii=False, separators=(",", ":")))
        before = ","
    text.write("]" if before == "," else "[]")
    return text.getvalue()


def as_failure(caller: Session, error: PcpError) -> Failure:
    """Return the failure of a PCP command, in characters that this session can show."""
    detail, hint = (text and caller.printable(text) for text in (error.detail, error.hint))
    message = caller.printable(error.message)
    return Failure(message, detail=detail, hint=hint, sqlstate=error.sqlstate)
