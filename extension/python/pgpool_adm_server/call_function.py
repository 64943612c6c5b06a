"""Answer one call of a function for users: may it be called, which Pgpool-II is asked, its rows."""

import json

from pgpool_recovery.pcp.client.pcp_error import PcpError
from pgpool_recovery_server.outcome import INSUFFICIENT_PRIVILEGE, Failure, failed, success
from pgpool_recovery_server.session import Session

from .asked_server import ADDRESS_ARGUMENTS, Asked, server_of_address, server_of_foreign_server
from .function_rows import FUNCTIONS

ADDRESS_TYPES = "text,integer,text,text)"
MAY_CALL = """
select has_function_privilege(d.objid, 'execute') as may_call
  from pg_depend as d join pg_extension as e on e.oid = d.refobjid
 where d.refclassid = 'pg_extension'::regclass and d.deptype = 'e' and e.extname = 'pgpool_adm'
   and d.classid = 'pg_proc'::regclass and d.objid = to_regprocedure($1)
"""


def call_function(plpy, session, shared, schema, function, arguments):
    """Return the outcome of a call, whose document is the rows in JSON.

    `plpy`, `session` and `shared` are PL/Python's plpy, SD and GD; `function` is the signature of
    the function that was called, as ``pcp_node_info(integer,text)``, and `arguments` what it was
    called with, as texts. Whoever calls this itself needs the right to call that function.
    """
    caller = Session(plpy, session)
    try:
        refuse_without_privilege(caller, schema, function)
        rows = rows_of(caller, shared, schema, function, arguments)
        return success(True, caller.in_encoding(json.dumps(rows, ensure_ascii=False)))
    except Failure as cause:
        return failed(cause)
    except PcpError as error:
        return failed(as_failure(caller, error))


def refuse_without_privilege(caller, schema, function):
    """Raise Failure when the caller may not call the function of this extension.

    Another one with its name, which whoever may create functions beside it can make, is none.
    """
    found = caller.query("privilege", MAY_CALL, ["text"], ["%s.%s" % (schema, function)])
    if not (found and found[0]["may_call"]):
        raise Failure(
            "permission denied for function %s" % function.partition("(")[0],
            sqlstate=INSUFFICIENT_PRIVILEGE,
        )


def rows_of(caller, shared, schema, function, arguments):
    """Ask Pgpool-II and return rows, each a dictionary of column names and values."""
    if function.endswith(ADDRESS_TYPES):
        own, last = arguments[:-ADDRESS_ARGUMENTS], arguments[-ADDRESS_ARGUMENTS:]
        server = server_of_address(caller, *last)
    else:
        own, last = arguments[:-1], arguments[-1]
        server = server_of_foreign_server(caller, shared, schema, last)
    return FUNCTIONS[function.partition("(")[0]](Asked(caller, server), *own)


def as_failure(caller, error):
    """Return the failure of a PCP command, in characters that this session has."""
    texts = (error.message, error.detail, error.hint)
    message, detail, hint = (text and caller.printable(text) for text in texts)
    return Failure(message, detail=detail, hint=hint, sqlstate=error.sqlstate)
