"""Find out whether a call is a superuser's own.

The functions run with the rights of their owner, so the caller is not the role that they run as. It
is the role of the session, or the one that SET ROLE has put in its place.
"""

from typing import TYPE_CHECKING

from server_types import Plpy

if TYPE_CHECKING:
    from .session import Session

INVOKER = """
select rolsuper as is_superuser
  from pg_catalog.pg_roles
 where rolname operator(pg_catalog.=)
       case pg_catalog.current_setting('role') when 'none' then session_user
            else pg_catalog.current_setting('role')::pg_catalog.name end
"""
RESTRICTED = "unlisten _pgpool_recovery"


def invoker_is_superuser(plpy: Plpy, session: "Session", is_direct: bool) -> bool:
    """Return whether the call is a superuser's own; `is_direct`: no function is around it.

    A function that a superuser calls may run with the rights of its owner, who wrote the call. The
    server itself also makes calls in a superuser's session with the rights of another role: it
    analyzes the expressions of an index, or refreshes a materialized view, as their owner. There it
    does not allow UNLISTEN, which otherwise does nothing.
    """
    if not is_direct:
        return False
    rows = session.query("invoker", INVOKER)
    if not rows or not rows[0]["is_superuser"]:
        return False
    try:
        plpy.execute(RESTRICTED)
    except plpy.SPIError:
        return False
    return True
