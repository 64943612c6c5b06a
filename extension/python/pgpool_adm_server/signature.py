"""Define the signatures of the functions for users, and check calls against them."""

import re
from typing import Dict, List, Tuple

from pgpool_recovery_server.outcome import INSUFFICIENT_PRIVILEGE, INVALID_PARAMETER_VALUE, Failure
from pgpool_recovery_server.session import Session

from .function_rows import FUNCTIONS

ADDRESS_TYPES = ("text", "integer", "text", "text")  # Host, port, user name and password.
SERVER_TYPES = ("text",)
MAY_CALL = """
select pg_catalog.has_function_privilege(p.oid, 'execute') as may_call
  from pg_catalog.pg_proc as p
  join pg_catalog.pg_depend as d
    on d.classid = 'pg_catalog.pg_proc'::pg_catalog.regclass and d.objid = p.oid
  join pg_catalog.pg_extension as e on e.oid = d.refobjid
 where d.refclassid = 'pg_catalog.pg_extension'::pg_catalog.regclass and d.deptype = 'e'
   and e.extname = 'pgpool_adm' and p.pronamespace = e.extnamespace and p.proname = $1
   and pg_catalog.array_to_string(p.proargtypes::pg_catalog.oid[], ' ')
       = pg_catalog.array_to_string($2::pg_catalog.regtype[]::pg_catalog.oid[], ' ')
"""


class Signature:
    """One function for users, in one of its two forms."""

    def __init__(
        self, name: str, own_types: Tuple[str, ...], server_types: Tuple[str, ...]
    ) -> None:
        self.name = name
        self.types = own_types + server_types
        self.own_count = len(own_types)
        self.has_address = server_types == ADDRESS_TYPES

    @property
    def text(self) -> str:
        """The signature in the form that the functions for users pass."""
        return "%s(%s)" % (self.name, ",".join(self.types))


def all_signatures() -> Dict[str, Signature]:
    """Return every signature by its text; there are no others.

    >>> len(all_signatures()) == 2 * len(FUNCTIONS)
    True
    """
    found = [
        Signature(name, own_types, server_types)
        for name, (own_types, _) in FUNCTIONS.items()
        for server_types in (ADDRESS_TYPES, SERVER_TYPES)
    ]
    return {signature.text: signature for signature in found}


def callable_signature(caller: Session, text: str) -> Signature:
    """Return the signature that a text names; raises Failure when the caller may not call it.

    The text must be exactly one of ours. If it were parsed as PostgreSQL parses signatures, one
    with a space in it could be allowed as one form of a function and executed as the other. The
    privilege is that on the function of this extension, in its schema, with exactly these types.
    Another function of that name, which any role that can create functions may add, is ignored.
    """
    signature = all_signatures().get(text)
    if signature is not None:
        types = list(signature.types)
        found = caller.query("privilege", MAY_CALL, ["text", "text[]"], [signature.name, types])
        if len(found) == 1 and found[0]["may_call"]:
            return signature
    raise Failure(
        "permission denied for function %s" % (text or "").partition("(")[0],
        sqlstate=INSUFFICIENT_PRIVILEGE,
    )


def checked_arguments(signature: Signature, arguments: List[str]) -> List[str]:
    """Return the arguments of a call; raises Failure when they do not fit the function.

    The functions for users cannot pass other ones; a role that calls the one behind them can.
    """
    fits = len(arguments) == len(signature.types) and all(
        _is_of(kind, text) for kind, text in zip(signature.types, arguments)
    )
    if not fits:
        raise Failure(
            "invalid arguments for function %s" % signature.name,
            detail="They must be of the types %s." % ", ".join(signature.types),
            sqlstate=INVALID_PARAMETER_VALUE,
        )
    return arguments


def _is_of(kind: str, text: object) -> bool:
    if not isinstance(text, str):
        return False
    if kind == "boolean":
        return text in ("true", "false")
    return kind == "text" or re.match(r"-?[0-9]{1,10}\Z", text) is not None
