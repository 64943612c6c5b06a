"""Compare what two servers hold, table by table."""

from dataclasses import dataclass

from .postgresql import Server
from .psql import quoted
from .until import until

_USER_TABLES = """
SELECT format(
    'SELECT %L, count(*), coalesce(sum(hashtext(t::text)::bigint), 0) FROM %s AS t',
    c.oid::regclass, c.oid::regclass)
FROM pg_class AS c
WHERE c.relkind IN ('r', 'm') AND c.relpersistence = 'p'
    AND c.relnamespace <> 'pg_catalog'::regnamespace
    AND c.relnamespace <> 'information_schema'::regnamespace
    AND NOT EXISTS (SELECT FROM pg_depend AS d WHERE d.objid = c.oid AND d.deptype = 'e')
"""


@dataclass(frozen=True)
class TableSum:
    """A checksum of a table's rows that does not depend on their order."""

    rows: int
    checksum: int


@dataclass(frozen=True)
class Comparison:
    """True when nothing differs; otherwise it says what."""

    differences: tuple[str, ...]

    def __bool__(self) -> bool:
        return not self.differences


def compare_contents(source: Server, other: Server, *, within_s: float = 60) -> Comparison:
    """Compare all logged user tables of all databases once `other` has replayed all WAL.

    No client may write meanwhile.
    """
    if other.is_in_recovery:
        wait_for_replay(other, source.wal_position(), within_s=within_s)
    left, right = table_sums(source), table_sums(other)
    names = sorted(left.keys() | right.keys())
    return Comparison(
        tuple(
            f"{name}: {source.name} has {left.get(name)}, {other.name} has {right.get(name)}"
            for name in names
            if left.get(name) != right.get(name)
        )
    )


def wait_for_replay(standby: Server, position: str, *, within_s: float = 60) -> None:
    """Wait until a standby has replayed WAL up to an LSN."""
    query = f"SELECT pg_last_wal_replay_lsn() >= {quoted(position)}::pg_lsn"
    until(
        lambda: standby.sql(query) == [("t",)],
        within_s=within_s,
        what=f"{standby.name} to replay up to {position}",
    )


def table_sums(server: Server) -> dict[str, TableSum]:
    """Return the sum of each user table, named `database.schema.table`."""
    databases = server.sql("SELECT datname FROM pg_database WHERE datallowconn ORDER BY datname")
    return {
        f"{database}.{table}": table_sum
        for (database,) in databases
        for table, table_sum in _sums_in(server, database).items()
    }


def _sums_in(server: Server, database: str) -> dict[str, TableSum]:
    # With an empty search path, every table is printed with its schema.
    prefix = "SET search_path = '';\n"
    queries = [query for (query,) in server.sql(prefix + _USER_TABLES, database=database)]
    rows = server.sql(prefix + " UNION ALL ".join(queries), database=database) if queries else []
    return {table: TableSum(int(count), int(checksum)) for table, count, checksum in rows}
