"""Arrange the situations from which a node is brought back."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from tests.harness.cluster import Cluster
from tests.harness.contents import wait_for_replay
from tests.harness.wal import remove_wal_for

_BYTES_PER_ROW = 1100
_TABLE = """
CREATE TABLE big (id bigint PRIMARY KEY, value int NOT NULL, filler text NOT NULL);
INSERT INTO big SELECT n, 0, repeat(md5(n::text), 31) FROM generate_series(1, {rows}) AS n;
VACUUM (FREEZE, ANALYZE) big;
"""
_NOISE_BYTES = 32 * 2**20
_DENSE_TABLE = """
CREATE TABLE noise (bytes bytea NOT NULL);
ALTER TABLE noise ALTER bytes SET STORAGE EXTERNAL;
INSERT INTO noise
SELECT string_agg(sha512(n::text::bytea), '') FROM generate_series(1, {noise} / 64) AS n;
CREATE TABLE big (id bigint PRIMARY KEY, value int NOT NULL, filler bytea NOT NULL);
"""
_DENSE_ROWS = """
INSERT INTO big
SELECT n, 0, substr(bytes, (1 + n::bigint * 1000003 % ({noise} - 1024))::int, 1024)
  FROM noise, generate_series({first}, {last}) AS n;
"""
_ROWS_AT_ONCE = 1_000_000
# Rows are changed in runs of 1000 adjacent ones, and the runs are spread over the table.
_CHANGE = "UPDATE big SET value = value + 1 WHERE id / 1000 % 100 < {percent};"


def table(gigabytes: float) -> str:
    """Return SQL that creates a table of about that size, including its index."""
    return _TABLE.format(rows=round(gigabytes * 1e9 / _BYTES_PER_ROW))


def dense_table(gigabytes: float) -> Iterator[str]:
    """Yield SQL like that of `table`, but of rows that cannot be compressed.

    So the link limits every way, as with data that is encrypted.
    """
    yield _DENSE_TABLE.format(noise=_NOISE_BYTES)
    rows = round(gigabytes * 1e9 / _BYTES_PER_ROW)
    for first in range(1, rows + 1, _ROWS_AT_ONCE):
        last = min(rows, first + _ROWS_AT_ONCE - 1)
        yield _DENSE_ROWS.format(noise=_NOISE_BYTES, first=first, last=last)
    yield "DROP TABLE noise; VACUUM (FREEZE, ANALYZE) big;"


def changed(percent: int) -> str:
    """Return SQL that changes this share of the rows."""
    return _CHANGE.format(percent=percent)


@dataclass(frozen=True)
class Situation:
    """A situation; `arrange` returns the node that is down, which Pgpool-II has not noticed yet."""

    name: str
    arrange: Callable[[Cluster], int]
    has_diverged: bool = False


def _stopped(cluster: Cluster) -> int:
    cluster.node(1).stop()
    cluster.node(0).execute(f"{changed(2)} CHECKPOINT;")
    return 1


def diverged(cluster: Cluster) -> int:
    """Node 0 was primary, and wrote data that node 1 did not get before its promotion."""
    old, new = cluster.node(0), cluster.node(1)
    wait_for_replay(new, old.wal_position())
    cluster.host(0).cut(cluster.host(1))
    old.execute(changed(1))
    cluster.fail_over()
    cluster.host(0).mend(cluster.host(1))
    new.execute(f"{changed(2)} CHECKPOINT;")
    return 0


def _stale(cluster: Cluster) -> int:
    cluster.node(1).stop()
    cluster.node(0).execute(changed(2))
    remove_wal_for(cluster.node(0), cluster.node(1))
    return 1


def _empty(cluster: Cluster) -> int:
    cluster.node(1).lose()
    cluster.node(0).execute("CHECKPOINT;")
    return 1


def _after_writes(cluster: Cluster) -> int:
    cluster.node(1).stop()
    cluster.node(0).execute(f"CHECKPOINT; {changed(10)}")
    return 1


SITUATIONS = (
    Situation("stopped standby", _stopped),
    Situation("diverged ex-primary", diverged, has_diverged=True),
    Situation("stale standby, WAL gone", _stale),
    Situation("new, empty node", _empty),
    Situation("after writes, no checkpoint", _after_writes),
)
