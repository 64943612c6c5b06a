"""What a foreign server and the mapping of a user say about a Pgpool-II and the login there."""

from pgpool_recovery_server.outcome import NOT_IN_PREREQUISITE_STATE, UNDEFINED_OBJECT, Failure

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
READ_MAPPING = """
select {schema}._pgpool_adm_read_mapping()
  from pg_catalog.pg_depend as d
  join pg_catalog.pg_extension as e on e.oid = d.refobjid
 where d.classid = 'pg_catalog.pg_proc'::pg_catalog.regclass
   and d.objid = '{schema}._pgpool_adm_read_mapping()'::pg_catalog.regprocedure
   and d.refclassid = 'pg_catalog.pg_extension'::pg_catalog.regclass and d.deptype = 'e'
   and e.extname = 'pgpool_adm'
"""


class Mapping:
    """The options of a foreign server and of the user mapping that applies to a user."""

    def __init__(self, row):
        self.server_options = options_of(row["server_options"])
        self.user_options = options_of(row["user_options"])
        self.owner_reads_files = row["owner_reads_files"]


def find_mapping(caller, shared, schema, server_name):
    """Return what applies to the current user; raises Failure when there is none.

    The catalog of the mappings is for superusers, and its view hides even the own password from
    users that have no right on the server. So a function with its owner's rights reads it, which
    learns from the memory of this session for whom, and leaves there what it has found. Only the
    current user can be asked for, whose name no statement can forge: also in a function that runs
    with the rights of another. The owner of the schema can rename it and put another function in
    the place of that one, so the query that calls it also asks whether it is the extension's.
    """
    user_name = caller.query("user", CURRENT_USER)[0]["name"]
    shared[WANTED] = [server_name, user_name]
    try:
        if not caller.query("mapping", READ_MAPPING.format(schema=schema)):
            raise Failure(
                "schema %s is not that of pgpool_adm any more" % schema,
                hint="Give the schema back the name that it had when the extension was created.",
                sqlstate=NOT_IN_PREREQUISITE_STATE,
            )
        rows = shared[FOUND]
    finally:
        shared.pop(WANTED, None)
        shared.pop(FOUND, None)
    if not rows:
        raise Failure('server "%s" does not exist' % server_name, sqlstate=UNDEFINED_OBJECT)
    if not rows[0]["is_mapped"]:
        raise Failure(
            'user mapping not found for user "%s", server "%s"' % (user_name, server_name),
            hint="Use CREATE USER MAPPING, with the options user and password.",
            sqlstate=UNDEFINED_OBJECT,
        )
    return Mapping(rows[0])


def options_of(words):
    """Return the options of a catalog, which are words like ``host=server1``, as a dictionary.

    >>> options_of(["host=server1", "password=a=b"])["password"]
    'a=b'
    """
    return dict(word.split("=", 1) for word in words or [])
