"""The pieces of a gap: changes of every kind, each with what it needs beforehand.

Everything except databases is in the database postgres, and has a name that begins with `gap_`.
"""

from .ground import Ground, Piece
from .postgresql import Server
from .until import until

_VACUUM_WITHIN_S = 30


def rows_changed(share: float, *, rows: int = 20_000) -> Piece:
    """Change this share of a big table's rows, scattered, by HOT and by other updates."""
    every = round(1 / share)
    return Piece(
        "rows_changed",
        before=f"""
            CREATE TABLE gap_big (id bigint PRIMARY KEY, value int NOT NULL, filler text NOT NULL);
            INSERT INTO gap_big SELECT n, 0, repeat(md5(n::text), 8)
              FROM generate_series(1, {rows}) AS n;
            CREATE INDEX gap_big_value ON gap_big (value, id);
            VACUUM (FREEZE, ANALYZE) gap_big;""",
        during=f"""
            UPDATE gap_big SET filler = reverse(filler) WHERE id % {2 * every} = 0;
            UPDATE gap_big SET value = value + 1 WHERE id % {2 * every} = {every};
            DELETE FROM gap_big WHERE id % {20 * every} = 1;""",
    )


def _rows(table: str, number: int, *, width: int = 10) -> str:
    """Return SQL that makes a table with that many rows of about 32 bytes times `width`."""
    return f"""
        CREATE TABLE {table} (id bigint PRIMARY KEY, filler text);
        INSERT INTO {table} SELECT n, repeat(md5(n::text), {width})
          FROM generate_series(1, {number}) AS n;"""


TABLE_CREATED = Piece(
    "table_created",
    during=f"""
        {_rows("gap_created", 2000)}
        CREATE TABLE gap_toasted (id int, big text);
        ALTER TABLE gap_toasted ALTER COLUMN big SET STORAGE EXTERNAL;
        INSERT INTO gap_toasted SELECT n, repeat(md5(n::text), 300)
          FROM generate_series(1, 200) AS n;
        CREATE MATERIALIZED VIEW gap_view AS SELECT id % 10 AS digit, count(*) FROM gap_created
          GROUP BY 1;
        ALTER TABLE gap_created ADD COLUMN changes int NOT NULL DEFAULT 0;""",
)
TABLE_DROPPED = Piece(
    "table_dropped", before=_rows("gap_dropped", 2000), during="DROP TABLE gap_dropped;"
)
TABLE_TRUNCATED = Piece(
    "table_truncated",
    before=_rows("gap_truncated", 2000),
    during="""
        TRUNCATE gap_truncated;
        INSERT INTO gap_truncated SELECT n, 'after' FROM generate_series(1, 50) AS n;""",
)


def _cut_off_by_vacuum(ground: Ground) -> None:
    """Have VACUUM truncate a table, then let the table grow again.

    VACUUM gives up the truncation when another session wants the table, and it requires that no
    snapshot is older than the deletion, so it is retried.
    """
    primary = ground.primary
    primary.execute("DELETE FROM gap_vacuumed WHERE id > 2000;")
    until(
        lambda: _vacuumed_bytes(primary) < 2_000_000,
        within_s=_VACUUM_WITHIN_S,
        what="VACUUM to truncate gap_vacuumed",
    )
    primary.execute(
        "INSERT INTO gap_vacuumed SELECT n, 'grown again' || repeat(md5(n::text), 10)"
        " FROM generate_series(10001, 14000) AS n;"
    )


def _vacuumed_bytes(primary: Server) -> int:
    primary.execute("VACUUM gap_vacuumed;")
    return int(primary.sql("SELECT pg_relation_size('gap_vacuumed')")[0][0])


VACUUM_TRUNCATION = Piece(
    "vacuum_truncation", before=_rows("gap_vacuumed", 10_000), during=_cut_off_by_vacuum
)
VACUUM_FULL = Piece(
    "vacuum_full",
    before=_rows("gap_full", 3000),
    # pg_proc and pg_tablespace are mapped relations: their file's number is in no catalog.
    during="""
        DELETE FROM gap_full WHERE id % 3 = 0;
        VACUUM FULL gap_full;
        VACUUM FULL pg_proc;
        VACUUM FULL pg_tablespace;""",
)
CLUSTERED = Piece(
    "clustered",
    before=_rows("gap_clustered", 3000),
    during="""
        UPDATE gap_clustered SET id = -id WHERE id % 2 = 0;
        CLUSTER gap_clustered USING gap_clustered_pkey;""",
)
REPACKED = Piece(
    "repacked",
    before=_rows("gap_repacked", 3000) + _rows("gap_repacked_aside", 3000),
    # Only 19 has the command. CONCURRENTLY decodes WAL, for which that turns itself on meanwhile.
    during=r"""
        DELETE FROM gap_repacked WHERE id % 3 = 0;
        DELETE FROM gap_repacked_aside WHERE id % 3 = 0;
        SELECT current_setting('server_version_num')::int >= 190000 AS has_repack \gset
        \if :has_repack
        REPACK gap_repacked USING INDEX gap_repacked_pkey;
        REPACK (CONCURRENTLY) gap_repacked_aside;
        \endif""",
)

# One table with an index of each kind; one list makes them before the gap, to be changed in it,
# and the other in the gap.
_INDEX_KINDS = {
    "btree": "btree (id, word)",
    "gin": "gin (words)",
    "gist": "gist (box)",
    "spgist": "spgist (place)",
    "hash": "hash (word)",
    "brin": "brin (id) WITH (pages_per_range = 4)",
    "bloom": "bloom (id, number)",
}


def _indexed(table: str) -> str:
    return f"""
        CREATE EXTENSION IF NOT EXISTS bloom;
        CREATE TABLE {table} (
            id int, number int, word text, words tsvector, box box, place point);
        INSERT INTO {table} SELECT n, n % 77, md5(n::text),
            to_tsvector('simple', md5(n::text) || ' w' || n % 50 || ' x' || n % 7),
            box(point(n % 100, n % 37), point(n % 100 + 1, n % 37 + 1)), point(n % 991, n % 997)
          FROM generate_series(1, 6000) AS n;"""


def _indexes(table: str) -> str:
    return "".join(
        f"CREATE INDEX {table}_{name} ON {table} USING {kind};\n"
        for name, kind in _INDEX_KINDS.items()
    )


INDEXES = Piece(
    "indexes",
    before=f"{_indexed('gap_indexed')} {_indexes('gap_indexed')} {_indexed('gap_to_index')}",
    during=f"""
        {_indexes("gap_to_index")}
        DELETE FROM gap_indexed WHERE id % 3 = 0 OR id BETWEEN 1000 AND 3000;
        UPDATE gap_indexed SET number = -number WHERE id % 7 = 0;
        VACUUM gap_indexed;
        INSERT INTO gap_indexed SELECT id + 10000, number, word, words, box, place FROM gap_to_index
          WHERE id % 2 = 0;
        REINDEX INDEX gap_to_index_btree;""",
)
DATABASE_CREATED = Piece(
    "database_created",
    during="""
        CREATE DATABASE gap_created;
        CREATE DATABASE gap_copied TEMPLATE template0;
        \\connect gap_created
        CREATE TABLE inside AS SELECT generate_series(1, 1000) AS n;
        CREATE INDEX ON inside (n);""",
)
DATABASE_DROPPED = Piece(
    "database_dropped",
    before="CREATE DATABASE gap_dropped;",
    during="DROP DATABASE gap_dropped;",
)


def _lay_out_tablespaces(ground: Ground) -> None:
    for name in ("gap_kept", "gap_emptied"):
        ground.create_tablespace(name)
    ground.primary.execute(
        f"""
        {_rows("gap_in_kept", 2000)}
        ALTER TABLE gap_in_kept SET TABLESPACE gap_kept;
        CREATE INDEX gap_in_kept_filler ON gap_in_kept (md5(filler)) TABLESPACE gap_kept;
        {_rows("gap_moved_in", 2000)}
        {_rows("gap_in_emptied", 2000)}
        ALTER TABLE gap_in_emptied SET TABLESPACE gap_emptied;
        CREATE DATABASE gap_moved;"""
    )


def _change_tablespaces(ground: Ground) -> None:
    ground.create_tablespace("gap_added")
    ground.primary.execute(
        """
        UPDATE gap_in_kept SET filler = 'changed' WHERE id % 10 = 0;
        CREATE TABLE gap_in_added TABLESPACE gap_added AS SELECT * FROM gap_in_kept;
        CREATE INDEX ON gap_in_added (id) TABLESPACE gap_kept;
        ALTER TABLE gap_moved_in SET TABLESPACE gap_added;
        DROP TABLE gap_in_emptied;
        DROP TABLESPACE gap_emptied;
        ALTER DATABASE gap_moved SET TABLESPACE gap_added;"""
    )


TABLESPACES = Piece("tablespaces", before=_lay_out_tablespaces, during=_change_tablespaces)
LARGE_OBJECTS = Piece(
    "large_objects",
    before="""
        SELECT lo_from_bytea(n, convert_to(repeat(md5(n::text), 500), 'UTF8'))
          FROM generate_series(900001, 900020) AS n;""",
    during="""
        SELECT lo_unlink(oid) FROM pg_largeobject_metadata WHERE oid BETWEEN 900001 AND 900010;
        SELECT lo_put(900011, 5000, '\\x00ff00ff');
        SELECT lo_from_bytea(n, convert_to(repeat(md5(n::text), 700), 'UTF8'))
          FROM generate_series(900101, 900120) AS n;""",
)
UNLOGGED_TABLES = Piece(
    "unlogged_tables",
    before="""
        CREATE UNLOGGED TABLE gap_unlogged (id serial PRIMARY KEY, filler text);
        INSERT INTO gap_unlogged (filler) SELECT md5(n::text) FROM generate_series(1, 2000) AS n;
        CREATE UNLOGGED TABLE gap_to_log AS TABLE gap_unlogged;
        CREATE TABLE gap_to_unlog AS TABLE gap_unlogged;""",
    during="""
        INSERT INTO gap_unlogged (filler) SELECT md5(n::text) FROM generate_series(1, 2000) AS n;
        CREATE UNLOGGED TABLE gap_unlogged_too AS SELECT 1 AS one;
        ALTER TABLE gap_to_log SET LOGGED;
        ALTER TABLE gap_to_unlog SET UNLOGGED;""",
)
SEQUENCES = Piece(
    "sequences",
    before="""
        CREATE SEQUENCE gap_counted INCREMENT 7;
        CREATE SEQUENCE gap_down INCREMENT -3 CACHE 5;
        CREATE SEQUENCE gap_dropped_sequence;
        SELECT nextval('gap_counted'), nextval('gap_down'), nextval('gap_dropped_sequence');""",
    during="""
        SELECT nextval('gap_counted') FROM generate_series(1, 50);
        SELECT nextval('gap_down');
        DROP SEQUENCE gap_dropped_sequence;
        CREATE SEQUENCE gap_unused;
        CREATE SEQUENCE gap_set;
        SELECT setval('gap_set', 4711);""",
)
_PREPARED = {"max_prepared_transactions": "5"}
PREPARED_TRANSACTION_ENDED = Piece(
    "prepared_transaction_ended",
    before=f"""
        {_rows("gap_prepared", 500)}
        BEGIN;
        UPDATE gap_prepared SET filler = 'committed' WHERE id <= 100;
        PREPARE TRANSACTION 'gap before';""",
    during="COMMIT PREPARED 'gap before';",
    settings=_PREPARED,
)
PREPARED_TRANSACTION_OPEN = Piece(
    "prepared_transaction_open",
    before=_rows("gap_open", 500),
    during="""
        BEGIN;
        UPDATE gap_open SET filler = 'open' WHERE id > 400;
        CREATE TABLE gap_made_in_open AS SELECT 1 AS one;
        PREPARE TRANSACTION 'gap during';""",
    settings=_PREPARED,
)
