"""Differences are found to the byte, but not those that PostgreSQL makes on one side only."""

import shutil
import struct
from collections.abc import Iterator

import pytest

from tests.harness.clean_stop import both_stopped
from tests.harness.contents import wait_for_replay
from tests.harness.page import BLOCK_BYTES
from tests.harness.postgresql import Server
from tests.harness.relation import read_catalog
from tests.harness.workspace import Workspace
from tests.harness_selftest.standby_files import (
    Stopped,
    change,
    kept,
    primary_and_standby,
    tuple_offsets,
)

TABLES = """
CREATE EXTENSION bloom;
CREATE TABLE plain (id int PRIMARY KEY, word text, words tsvector, box box, place point);
INSERT INTO plain SELECT n, md5(n::text), to_tsvector('simple', 'w' || n % 9 || ' x' || n),
    box(point(n, n), point(n + 1, n + 1)), point(n % 91, n % 97) FROM generate_series(1, 3000) AS n;
CREATE INDEX plain_gin ON plain USING gin (words);
CREATE INDEX plain_gist ON plain USING gist (box);
CREATE INDEX plain_spgist ON plain USING spgist (place);
CREATE INDEX plain_hash ON plain USING hash (word);
CREATE INDEX plain_brin ON plain USING brin (id);
CREATE INDEX plain_bloom ON plain USING bloom (id);
CREATE TABLE frozen AS SELECT n AS id, md5(n::text) AS word FROM generate_series(1, 1000) AS n;
VACUUM (FREEZE) frozen;
CREATE TABLE small AS SELECT 1 AS one;
CREATE UNLOGGED TABLE unlogged AS SELECT n FROM generate_series(1, 1000) AS n;
CREATE SEQUENCE counted INCREMENT 5;
SELECT nextval('counted') FROM generate_series(1, 40);
CREATE DATABASE made;
"""
INDEXES = ["pkey", "gin", "gist", "spgist", "hash", "brin", "bloom"]


def leave_hints(primary: Server, standby: Server) -> None:
    """Set hint bits on one side only, by reading rows, and by index scans that find dead rows."""
    standby.execute("SELECT count(*) FROM small; SELECT count(word) FROM frozen;")
    for word in primary.sql("DELETE FROM plain WHERE id % 3 = 0 RETURNING word")[:20]:
        primary.execute(
            "SET enable_seqscan = off; SET enable_bitmapscan = off;"
            f"SELECT id FROM plain WHERE word = '{word[0]}';"
            "SELECT word FROM plain WHERE id < 1000;"
            "SELECT id FROM plain WHERE box && box '(1, 1), (50, 50)';"
        )
    # Pruning is logged in WAL; the hint bits of these rows are not.
    primary.execute("INSERT INTO plain (id) SELECT n FROM generate_series(5001, 5300) AS n;")
    primary.execute("SELECT count(*) FROM plain;")


@pytest.fixture(scope="module")
def stopped(workspace: Workspace, namespaces: None) -> Iterator[Stopped]:
    with primary_and_standby(workspace) as (primary, standby):
        primary.execute(TABLES)
        wait_for_replay(standby, primary.wal_position())
        leave_hints(primary, standby)
        catalog = read_catalog(primary)
        with both_stopped(primary, standby):
            yield Stopped(primary, standby, catalog)


def test_hints_are_no_differences(stopped: Stopped) -> None:
    names = ["plain", "small", "plain_pkey", "plain_hash", "plain_gist", "counted"]
    raw = {name: stopped.raw_differences(f"public.{name}") for name in names}
    assert [name for name, number in raw.items() if number == 0] == []
    assert stopped.differences() == []


def test_a_byte_of_a_row(stopped: Stopped) -> None:
    with kept(stopped.file("public.plain")) as file:
        offset = tuple_offsets(file, block=3)[-1] + 30
        change(file, 3 * BLOCK_BYTES + offset)
        [difference] = stopped.differences()
    assert (difference.database, difference.relation) == ("postgres", "public.plain")
    assert (difference.fork, difference.block, difference.offset) == ("main", 3, offset)
    assert f"public.plain (main) block 3 offset {offset}: node0 has" in str(difference)


@pytest.mark.parametrize(
    ("offset", "bits"),
    [(0, 0xFF), (4, 1), (5, 1), (7, 1), (18, 1), (21, 0x10)],
    ids=["xmin", "xmax", "xmax-high", "xmax-highest", "attributes", "xmax-is-multi"],
)
def test_a_tuple_header_is_compared_but_for_hints(stopped: Stopped, offset: int, bits: int) -> None:
    with kept(stopped.file("public.plain")) as file:
        change(file, tuple_offsets(file)[0] + offset, bits)
        assert len(stopped.differences()) == 1


def test_a_row_that_is_no_longer_frozen(stopped: Stopped) -> None:
    with kept(stopped.file("public.frozen")) as file:
        change(file, tuple_offsets(file)[0] + 21, 0x02)  # HEAP_XMIN_INVALID
        assert len(stopped.differences()) == 1


@pytest.mark.parametrize("offset", [0, 4, 12, 14, 16, 18])
def test_a_page_header_is_compared_but_for_hints(stopped: Stopped, offset: int) -> None:
    with kept(stopped.file("public.frozen")) as file:
        change(file, offset, 0x08)
        assert stopped.differences()


def test_the_page_says_that_all_is_visible(stopped: Stopped) -> None:
    with kept(stopped.file("public.frozen")) as file:
        change(file, 10, 0x04)  # PD_ALL_VISIBLE
        assert len(stopped.differences()) == 1


@pytest.mark.parametrize("index", INDEXES)
def test_a_byte_of_an_index(stopped: Stopped, index: str) -> None:
    """A changed byte is found in each kind of index.

    Bloom fills its pages from the front, the others from the end.
    """
    name = f"public.plain_{index}"
    offset = 60 if index == "bloom" else BLOCK_BYTES - 60
    with kept(stopped.file(name)) as file:
        block = file.stat().st_size // BLOCK_BYTES - 2
        change(file, block * BLOCK_BYTES + offset)
        [difference] = stopped.differences()
    assert (difference.relation, difference.block) == (name, block)
    assert difference.offset == offset


@pytest.mark.parametrize("index", INDEXES)
def test_the_metapage_of_an_index(stopped: Stopped, index: str) -> None:
    with kept(stopped.file(f"public.plain_{index}")) as file:
        change(file, 24 + 1)
        assert [one.block for one in stopped.differences()] == [0]


def test_a_bit_of_a_visibility_map(stopped: Stopped) -> None:
    with kept(stopped.file("public.frozen", "vm")) as file:
        change(file, 24, 0x03)
        [difference] = stopped.differences()
        assert (difference.fork, difference.block, difference.offset) == ("vm", 0, 24)
        file.unlink()
        assert [one.fork for one in stopped.differences()] == ["vm"]


def test_a_visibility_map_that_was_made_by_create_database(stopped: Stopped) -> None:
    """On a standby, CREATE DATABASE copies the map without its bits (see pages.py).

    Missing bits are therefore no difference, but additional ones are.
    """
    relation = ("pg_proc", "vm", "made")
    assert stopped.raw_differences(*relation)
    with kept(stopped.file(*relation)) as file:
        change(file, BLOCK_BYTES - 1, 0x01)
        [difference] = stopped.differences()
    assert (difference.database, difference.fork) == ("made", "vm")


def test_the_last_page_is_missing(stopped: Stopped) -> None:
    with kept(stopped.file("public.plain")) as file:
        blocks = file.stat().st_size // BLOCK_BYTES
        with file.open("r+b") as opened:
            opened.truncate((blocks - 1) * BLOCK_BYTES)
        [difference] = stopped.differences()
    assert (difference.block, difference.what) == (blocks - 1, "only on node0")


def test_half_a_page_is_missing(stopped: Stopped) -> None:
    with kept(stopped.file("public.plain")) as file:
        with file.open("r+b") as opened:
            opened.truncate(file.stat().st_size - BLOCK_BYTES // 2)
        assert len(stopped.differences()) == 1


def test_a_page_that_was_emptied(stopped: Stopped) -> None:
    with kept(stopped.file("public.plain")) as file:
        with file.open("r+b") as opened:
            opened.seek(BLOCK_BYTES)
            opened.write(bytes(BLOCK_BYTES))
        assert [one.block for one in stopped.differences()] == [1]


def test_a_page_too_many(stopped: Stopped) -> None:
    with kept(stopped.file("public.plain")) as file:
        blocks = file.stat().st_size // BLOCK_BYTES
        with file.open("ab") as opened:
            opened.write(file.read_bytes()[:BLOCK_BYTES])
        [difference] = stopped.differences()
    assert (difference.block, difference.what) == (blocks, "only on node1")


def test_empty_pages_at_the_end_are_no_difference(stopped: Stopped) -> None:
    new_page = struct.pack("<8x6H4x", 0, 0, 24, BLOCK_BYTES, BLOCK_BYTES, 0x2004)
    with kept(stopped.file("public.plain")) as file:
        with file.open("ab") as opened:
            opened.write(bytes(BLOCK_BYTES) + new_page.ljust(BLOCK_BYTES, b"\0"))
        assert stopped.differences() == []


def test_a_missing_file(stopped: Stopped) -> None:
    with kept(stopped.file("public.small")) as file:
        file.unlink()
        [difference] = stopped.differences()
    assert (difference.relation, difference.what) == ("public.small", "only on node0")


def test_a_file_too_many(stopped: Stopped) -> None:
    """An additional file is found, even a second segment after a first one that is not full."""
    small = stopped.file("public.small")
    for name in ("99999", f"{small.name}.1"):
        with kept(small.with_name(name)) as file:
            shutil.copy(small, file)
            assert [one.what for one in stopped.differences()] == ["only on node1"]


def test_an_init_fork(stopped: Stopped) -> None:
    with kept(stopped.file("public.unlogged", "init")) as file:
        file.write_bytes(b"x" * BLOCK_BYTES)
        assert [one.fork for one in stopped.differences()] == ["init"]


def test_a_sequence_that_counts_on_from_elsewhere(stopped: Stopped) -> None:
    with kept(stopped.file("public.counted")) as file:
        change(file, tuple_offsets(file)[0] + 24, 0x01)
        [difference] = stopped.differences()
    assert difference.relation == "public.counted"


@pytest.mark.parametrize("path", ["pg_filenode.map", "PG_VERSION"])
def test_files_of_a_database(stopped: Stopped, path: str) -> None:
    with kept(stopped.file("public.small").with_name(path)) as file:
        change(file, 1)
        assert [one.what for one in stopped.differences()] == ["contents differ"]


def test_what_became_of_transactions(stopped: Stopped) -> None:
    data_directory = stopped.node.machine.path(stopped.node.data_directory)
    with kept(data_directory / "pg_xact/0000") as file:
        change(file, 180)
        assert [one.relation for one in stopped.differences()] == ["pg_xact/0000"]


def test_differences_are_bounded(stopped: Stopped) -> None:
    with kept(stopped.file("public.plain")) as file:
        file.write_bytes(b"nonsense" * (file.stat().st_size // 8))
        assert len(stopped.differences(limit=7)) == 7
        assert len(stopped.differences(limit=1000)) == file.stat().st_size // BLOCK_BYTES
