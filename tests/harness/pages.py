"""Compare the relation files of two cleanly stopped servers, block by block.

catalog = read_catalog(primary)  # while it runs
...
assert compare_pages(primary, node, catalog) == []
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import chain, islice
from pathlib import Path

from .block import Segments, differing_blocks
from .page import Form, is_blank, map_bits, masked, masked_lsn
from .postgresql import Server
from .relation import Catalog, Relation
from .relation_file import (
    ForkPath,
    RelationFiles,
    find_relation_files,
    find_transaction_files,
    tablespaces,
)

_UNKNOWN = Form("")
_FIRST_NORMAL_OID = 16384  # what initdb makes has a lower one
_SHOWN_BYTES = 8


@dataclass(frozen=True)
class Difference:
    """One place where two servers differ; `block` counts from the start of the fork."""

    database: str
    relation: str
    fork: str
    what: str
    block: int | None = None
    offset: int | None = None

    def __str__(self) -> str:
        block = "" if self.block is None else f" block {self.block}"
        offset = "" if self.offset is None else f" offset {self.offset}"
        return f"{self.database}: {self.relation} ({self.fork}){block}{offset}: {self.what}"


def compare_pages(
    primary: Server,
    node: Server,
    catalog: Catalog,
    *,
    visibility_maps: bool = True,
    limit: int = 50,
) -> list[Difference]:
    """Return where the node's relation files are not what the primary's are; empty when equal.

    Both servers are stopped cleanly, and the catalog is the primary's. The files that record the
    status of transactions are compared as well. Left out: what `page.py` masks, free space maps,
    temporary relations, all forks of an unlogged relation except its init fork, and visibility maps
    if requested (minors from before August 2026 may leave a bit set that the primary has cleared).
    At most `limit` differences are returned.
    """
    names = _Names(primary.name, node.name, catalog)
    here, there = find_relation_files(primary), find_relation_files(node)
    found = _differences(names, here, there, visibility_maps=visibility_maps)
    links = _links(names, tablespaces(primary), tablespaces(node))
    transactions = _files(names, find_transaction_files(primary), find_transaction_files(node))
    return list(islice(chain(links, transactions, found), limit))


@dataclass(frozen=True)
class _Names:
    """The names of the two servers and of the objects in them."""

    primary: str
    node: str
    catalog: Catalog

    def place(self, path: ForkPath) -> tuple[str, str, str]:
        """Return the database, the relation and the fork; paths for what no catalog lists."""
        relation = self.catalog.relations.get(path.relation)
        if relation is not None:
            return relation.database, relation.name, path.fork
        database = self.catalog.databases.get(path.database_oid, str(path.database_oid))
        return database, path.relation, path.fork

    def only(self, *, on_primary: bool) -> str:
        return f"only on {self.primary if on_primary else self.node}"

    def both(self, offset: int, left: bytes, right: bytes) -> str:
        here, there = (page[offset : offset + _SHOWN_BYTES].hex() for page in (left, right))
        return f"{self.primary} has {here}, {self.node} has {there}"


def _links(names: _Names, here: set[str], there: set[str]) -> Iterator[Difference]:
    for oid in sorted(here ^ there):
        yield Difference("", f"pg_tblspc/{oid}", "link", names.only(on_primary=oid in here))


def _differences(
    names: _Names, here: RelationFiles, there: RelationFiles, *, visibility_maps: bool
) -> Iterator[Difference]:
    yield from _files(names, here.database_files, there.database_files)
    for path in sorted(here.forks.keys() | there.forks.keys()):
        relation = names.catalog.relations.get(path.relation)
        if path.fork == "vm" and not visibility_maps:
            continue
        if relation is not None and relation.is_unlogged and path.fork != "init":
            continue
        yield from _fork(names, path, relation, here.forks.get(path), there.forks.get(path))


def _files(
    names: _Names, here: Mapping[str, Path], there: Mapping[str, Path]
) -> Iterator[Difference]:
    """Compare small files without hints byte by byte."""
    for path in sorted(here.keys() | there.keys()):
        if path not in here or path not in there:
            yield Difference("", path, "file", names.only(on_primary=path in here))
        elif here[path].read_bytes() != there[path].read_bytes():
            yield Difference("", path, "file", "contents differ")


def _fork(
    names: _Names,
    path: ForkPath,
    relation: Relation | None,
    here: Segments | None,
    there: Segments | None,
) -> Iterator[Difference]:
    """Compare one fork. A missing visibility map counts as one without bits.

    A file that only the node has is reported even when no catalog lists it, because replay that
    creates a relation with its number would find its pages. A file that only the primary has, and
    that no catalog lists, was left behind by a crash before its WAL was written.
    """
    place = names.place(path)
    if path.fork != "vm" and (here is None or there is None):
        if there is not None or relation is not None:
            yield Difference(*place, names.only(on_primary=there is None))
        return
    form = _UNKNOWN if relation is None else relation.form
    for block, left, right in differing_blocks(here or {}, there or {}):
        if path.fork == "vm":
            difference = _map_block(names, path, block, left, right)
        else:
            difference = _block(names, path, form, block, left, right)
        if difference is not None:
            yield difference


def _block(
    names: _Names, path: ForkPath, form: Form, block: int, left: bytes, right: bytes
) -> Difference | None:
    place = names.place(path)
    if is_blank(left) and is_blank(right):
        return None
    if not left or not right:
        return Difference(*place, names.only(on_primary=bool(left)), block)
    here, there = masked(left, form, block), masked(right, form, block)
    if path.fork == "init":
        # Up to PostgreSQL 16 the primary writes a B-tree's first page before it has an LSN.
        here, there = masked_lsn(here), masked_lsn(there)
    offset = _first_difference(here, there)
    if offset is None:
        return None
    return Difference(*place, names.both(offset, left, right), block, offset)


def _map_block(
    names: _Names, path: ForkPath, block: int, left: bytes, right: bytes
) -> Difference | None:
    """Compare a page of a visibility map by its bits.

    CREATE DATABASE logs pages of a map as if what follows their header were unused space
    (RelationCopyStorageUsingBuffer), so on a standby such a database has none of the template's
    bits. That is safe: a cleared bit only costs work.
    """
    here, there = map_bits(left), map_bits(right)
    offset = _first_difference(here, there)
    if offset is None or (_is_copied(path) and _is_subset(there, here)):
        return None
    shown = names.both(offset, here, there)
    return Difference(*names.place(path), shown, block, len(left or right) - len(here) + offset)


def _is_copied(path: ForkPath) -> bool:
    """Return whether a file was copied from its database's template: its number is lower."""
    return path.database_oid >= _FIRST_NORMAL_OID and path.number < path.database_oid


def _is_subset(bits: bytes, others: bytes) -> bool:
    return int.from_bytes(bits, "little") & ~int.from_bytes(others, "little") == 0


def _first_difference(left: bytes, right: bytes) -> int | None:
    if left == right:
        return None
    pairs = enumerate(zip(left, right, strict=False))
    at_the_end = min(len(left), len(right))
    return next((offset for offset, (one, other) in pairs if one != other), at_the_end)
