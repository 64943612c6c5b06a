"""Read the address of a Pgpool-II and the login there from a foreign server and a user mapping."""

from typing import Dict, Optional, Sequence

from pgpool_recovery_server.outcome import NOT_IN_PREREQUISITE_STATE, UNDEFINED_OBJECT, Failure
from pgpool_recovery_server.session import Session

from server_types import Found, Memory, Row, Wanted

from .moment import moment_of

WANTED = "pgpool_adm: mapping that a call waits for"
FOUND = "pgpool_adm: mapping that was found"
CURRENT_USER = "select current_user::pg_catalog.text as name"
MAPPING = """
select s.srvoptions as server_options, m.umuser is not null as is_mapped,
       m.umoptions as user_options,
       pg_catalog.pg_has_role(s.srvowner, 'pg_read_server_files', 'usage') as owner_reads_files
  from pg_catalog.pg_foreign_server as s
  left join lateral (
       select u.umuser, u.umoptions from pg_catalog.pg_user_mapping as u
        where u.umserver = s.oid
          and u.umuser in (0, (select r.oid from pg_catalog.pg_roles as r where r.rolname = $2))
        order by u.umuser = 0 limit 1) as m on true
 where s.srvname = $1
"""


class Mapping:
    """The options of a foreign server and of the user mapping that applies to a user."""

    def __init__(self, row: Row) -> None:
        self.server_options = options_of(row["server_options"])
        self.user_options = options_of(row["user_options"])
        self.owner_reads_files = row["owner_reads_files"]


def want(caller: Session, shared: Memory, server_name: str) -> None:
    """Note that the current user needs the user mapping for a foreign server.

    Only superusers can read the catalog of the mappings, and its view hides even their own password
    from users who have no privilege on the server. So a function with its owner's rights reads it:
    it learns from the memory of this session for which user, and leaves there what it has found.
    Only the current user's mapping can be requested, and no statement can forge that name, not even
    in a function that runs with the rights of another role.
    """
    shared[WANTED] = _wanted(caller, server_name)


def find_wanted(caller: Session, shared: Memory) -> None:
    """Read the mapping that is wanted, and keep it together with what it is for."""
    wanted = shared.pop(WANTED, None)
    if wanted is not None:
        server_name, user_name, _ = wanted
        rows = caller.query("mapping", MAPPING, ["text"] * 2, [server_name, user_name])
        shared[FOUND] = (wanted, list(rows))


def take_found(shared: Memory) -> Optional[Found]:
    """Return what was found and for whom, or None; it is no longer kept."""
    shared.pop(WANTED, None)
    found: Optional[Found] = shared.pop(FOUND, None)
    return found


def mapping_of(caller: Session, found: Optional[Found], server_name: str) -> Mapping:
    """Return the mapping that applies to the current user; raises Failure when there is none.

    A mapping can be read without a call, and another role may make a call later in this session. So
    what was found counts only for the same user, foreign server and statement.
    """
    wanted, rows = found or (None, None)
    if wanted != _wanted(caller, server_name):
        raise Failure(
            "no user mapping was read for this call",
            hint="Call one of the functions whose names begin with pcp_.",
            sqlstate=NOT_IN_PREREQUISITE_STATE,
        )
    if not rows:
        raise Failure('server "%s" does not exist' % server_name, sqlstate=UNDEFINED_OBJECT)
    if not rows[0]["is_mapped"]:
        raise Failure(
            'user mapping not found for user "%s", server "%s"' % (wanted[1], server_name),
            hint="Use CREATE USER MAPPING, with the options user and password.",
            sqlstate=UNDEFINED_OBJECT,
        )
    return Mapping(rows[0])


def _wanted(caller: Session, server_name: str) -> Wanted:
    """Return the foreign server, the current user, and when the statement began."""
    return server_name, caller.query("user", CURRENT_USER)[0]["name"], moment_of(caller)


def options_of(words: Optional[Sequence[str]]) -> Dict[str, str]:
    """Return the options of a catalog, words such as ``host=server1``, as a dictionary.

    >>> options_of(["host=server1", "password=a=b"])["password"]
    'a=b'
    """
    return dict(word.split("=", 1) for word in words or [])
