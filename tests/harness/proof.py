"""Prove that a node equals its primary: its contents, its structure, and every page of its files.

with cluster.load() as load:
    cluster.recover(1)
load.stop()
assert_equal(cluster, 1)
"""

from collections.abc import Sequence

from .clean_stop import both_stopped
from .cluster import Cluster
from .contents import compare_contents, wait_for_replay
from .pages import compare_pages
from .postgresql import Server
from .relation import read_catalog

_EXTENSIONS = ("amcheck", "pg_visibility")
_AMCHECK_WITHIN_S = 300
_SHOWN_LINES = 40

# pg_visibility finds rows that some snapshot does not see on pages whose bit in the visibility map
# says that every snapshot sees every row, and rows that are not frozen on pages marked all-frozen.
_FALSE_BITS = """
SET search_path = '';
SELECT c.oid::regclass, 'all-visible', found FROM pg_class c, public.pg_check_visible(c.oid) found
 WHERE c.relkind IN ('r', 'm', 't') AND c.relpersistence = 'p'
UNION ALL
SELECT c.oid::regclass, 'all-frozen', found FROM pg_class c, public.pg_check_frozen(c.oid) found
 WHERE c.relkind IN ('r', 'm', 't') AND c.relpersistence = 'p'
 LIMIT 40
"""


def assert_equal(
    cluster: Cluster, node_id: int, *, visibility_maps: bool = True, within_s: float = 60
) -> None:
    """Prove that a node of a cluster equals the primary, while no client writes.

    Pgpool-II is stopped meanwhile, so that it does not see a failure, and keeps its record of which
    nodes are attached. The other nodes go on running.
    """
    primary = cluster.primary
    cluster.pgpool.stop()
    try:
        assert_server_equal(
            primary, cluster.node(node_id), visibility_maps=visibility_maps, within_s=within_s
        )
    finally:
        cluster.pgpool.start(keep_status=True)


def assert_server_equal(
    primary: Server, node: Server, *, visibility_maps: bool = True, within_s: float = 60
) -> None:
    """Prove that a standby equals its primary, while no client writes; both are restarted.

    In this order: wait until it has replayed all WAL; compare every page of both, stopped
    (pages.py; `visibility_maps` as there); compare checksums of all tables (contents.py); run
    pg_amcheck, with every index's entries against its table, and pg_visibility. The pages come
    first, because reading a table on the primary may set hints there, and the images of those
    pages in the WAL would repair a stale page of the node. Raises AssertionError with everything
    that was found.
    """
    databases = [
        name for (name,) in primary.sql("SELECT datname FROM pg_database WHERE datallowconn")
    ]
    _create_extensions(primary, databases)
    wait_for_replay(node, primary.wal_position(), within_s=within_s)
    catalog = read_catalog(primary)
    with both_stopped(primary, node):
        pages = compare_pages(primary, node, catalog, visibility_maps=visibility_maps)
    lines = [
        *map(str, pages),
        *compare_contents(primary, node, within_s=within_s).differences,
        *_structure(node),
        *(line for database in databases for line in _false_bits(node, database)),
    ]
    assert not lines, f"{node.name} does not equal {primary.name}:\n  " + "\n  ".join(lines)


def _create_extensions(primary: Server, databases: Sequence[str]) -> None:
    for database in databases:
        for extension in _EXTENSIONS:
            statement = f"CREATE EXTENSION IF NOT EXISTS {extension} SCHEMA public"
            primary.execute(statement, database=database)


def _structure(node: Server) -> list[str]:
    """Return what pg_amcheck reports about the tables and B-trees of all databases."""
    where = ["-h", str(node.machine.socket_directory), "-p", str(node.port), "-U", "postgres"]
    argv = [node.installation.program("pg_amcheck"), *where, "--all", "--heapallindexed"]
    # It counts a notice as a finding, such as one about an unlogged index that a standby lacks.
    quiet = {"PGOPTIONS": "-c client_min_messages=warning"}
    done = node.machine.run(argv, env=quiet, timeout_s=_AMCHECK_WITHIN_S, check=False)
    lines = [line for line in done.output.splitlines() if line.strip()]
    if done.returncode != 0 and not lines:
        lines = [f"exit status {done.returncode}"]
    return [f"pg_amcheck: {line}" for line in lines[:_SHOWN_LINES]]


def _false_bits(node: Server, database: str) -> list[str]:
    rows = node.sql(_FALSE_BITS, database=database)
    return [f"{database}: {table}: row {row} is not {what}" for table, what, row in rows]
