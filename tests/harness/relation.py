"""What the catalogs of a running server say about the files of its relations."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from .page import Form
from .postgresql import Server

_DATABASES = "SELECT datname, oid FROM pg_database WHERE datallowconn ORDER BY datname"

# pg_relation_filepath handles shared and mapped relations, and tablespaces.
_RELATIONS = """
SET search_path = '';
SELECT pg_relation_filepath(c.oid), c.oid::regclass, c.relpersistence,
       CASE c.relkind WHEN 'S' THEN 'sequence' ELSE am.amname END, coalesce(s.seqincrement, 1)
  FROM pg_class c LEFT JOIN pg_am am ON am.oid = c.relam
       LEFT JOIN pg_sequence s ON s.seqrelid = c.oid
 WHERE pg_relation_filepath(c.oid) IS NOT NULL AND c.relpersistence <> 't'
"""


@dataclass(frozen=True)
class Relation:
    """A table, an index or a sequence: anything that has a file."""

    database: str
    name: str
    is_unlogged: bool
    form: Form


@dataclass(frozen=True)
class Catalog:
    """The relations by the path of their file in the data directory, and the databases by OID."""

    relations: Mapping[str, Relation]
    databases: Mapping[int, str]


def read_catalog(server: Server) -> Catalog:
    """Ask every database that accepts connections. Nothing may be created or dropped meanwhile."""
    databases = [(name, int(oid)) for name, oid in server.sql(_DATABASES)]
    relations = {path: relation for name, _ in databases for path, relation in _of(server, name)}
    return Catalog(relations, {oid: name for name, oid in databases})


def _of(server: Server, database: str) -> Iterator[tuple[str, Relation]]:
    rows = server.sql(_RELATIONS, database=database)
    for path, name, persistence, method, increment in rows:
        yield path, Relation(database, name, persistence == "u", Form(method, int(increment)))
