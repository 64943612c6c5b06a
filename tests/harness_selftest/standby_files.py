"""Change the files of a stopped primary and standby that are equal except for hint bits."""

import struct
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.harness.block import Segments, differing_blocks
from tests.harness.cluster import ClusterPlan
from tests.harness.cluster_site import Site, build_servers
from tests.harness.network import Network
from tests.harness.page import BLOCK_BYTES
from tests.harness.pages import Difference, compare_pages
from tests.harness.postgresql import Server
from tests.harness.relation import Catalog
from tests.harness.relation_file import ForkPath, find_relation_files
from tests.harness.system import OWN_SYSTEM
from tests.harness.workspace import Workspace


@contextmanager
def primary_and_standby(
    workspace: Workspace, plan: ClusterPlan | None = None
) -> Iterator[tuple[Server, Server]]:
    """Yield a primary and a standby on hosts of their own, without Pgpool-II."""
    with Network(["one", "other", "client"]) as network:
        one, other, client = network.hosts
        site = Site([one, other], client, client, OWN_SYSTEM.installation())
        primary, standby = build_servers(workspace, plan or ClusterPlan(), site)
        yield primary, standby


@dataclass(frozen=True)
class Stopped:
    """Both servers, stopped, and what was read from the primary's catalogs before."""

    primary: Server
    node: Server
    catalog: Catalog

    def differences(self, *, limit: int = 50) -> list[Difference]:
        return compare_pages(self.primary, self.node, self.catalog, limit=limit)

    def file(self, relation: str, fork: str = "main", database: str = "postgres") -> Path:
        """Return the node's file of a relation."""
        return self._files(self.node, relation, fork, database)[0]

    def raw_differences(self, relation: str, fork: str = "main", database: str = "postgres") -> int:
        """Return how many blocks of a relation differ if nothing is masked."""
        both = [self._files(one, relation, fork, database) for one in (self.primary, self.node)]
        return len(list(differing_blocks(*both)))

    def _files(self, server: Server, relation: str, fork: str, database: str) -> Segments:
        [path] = [
            path
            for path, known in self.catalog.relations.items()
            if (known.database, known.name) == (database, relation)
        ]
        return find_relation_files(server).forks[ForkPath(path, fork)]


@contextmanager
def kept(file: Path) -> Iterator[Path]:
    """Restore the file's contents afterwards, whatever was done to it."""
    before = file.read_bytes() if file.exists() else None
    try:
        yield file
    finally:
        if before is None:
            file.unlink(missing_ok=True)
        else:
            file.write_bytes(before)


def change(file: Path, offset: int, flipped: int = 0xFF) -> None:
    """Flip bits of the byte at an offset."""
    with file.open("r+b") as opened:
        opened.seek(offset)
        [byte] = opened.read(1)
        opened.seek(offset)
        opened.write(bytes([byte ^ flipped]))


def tuple_offsets(file: Path, block: int = 0) -> Sequence[int]:
    """Return the offsets of a block's tuples, relative to the block."""
    page = file.read_bytes()[block * BLOCK_BYTES : (block + 1) * BLOCK_BYTES]
    [lower] = struct.unpack_from("<H", page, 12)
    pointers = struct.unpack_from(f"<{(lower - 24) // 4}I", page, 24)
    return [pointer & 0x7FFF for pointer in pointers if pointer >> 17]
