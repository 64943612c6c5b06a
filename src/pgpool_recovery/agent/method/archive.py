"""Take the archives of a base backup in pieces, whether the server compresses them or not."""

from collections.abc import Callable, Iterable

from pgpool_recovery.agent.method.tar_stream import Member, Sink, TarStream
from pgpool_recovery.domain.error import Undone
from pgpool_recovery.host.zstd import Decompressor

SUFFIX, COMPRESSED = ".tar", ".zst"
BASE = "base"
"""The name of the archive of the data directory; that of a tablespace is its OID."""


class ArrivingArchive:
    """One archive; `name` is that of its file on the server, which says whether it is compressed.

    `opener` returns the function that directs the members of the archive of that name: ``base``, or
    the OID of a tablespace.
    """

    def __init__(self, file: str, opener: Callable[[str], Callable[[Member], Sink]]) -> None:
        self._decompressor = Decompressor() if file.endswith(COMPRESSED) else None
        self.name = file.removesuffix(COMPRESSED).removesuffix(SUFFIX)
        self._tar = TarStream(f"{self.name}{SUFFIX}", opener(self.name))

    def feed(self, data: memoryview) -> int:
        """Take the next piece; return how many bytes of the archive it holds."""
        if self._decompressor is None:
            self._tar.feed(data)
            return len(data)
        total = 0
        for piece in self._decompressor.feed(data):
            self._tar.feed(memoryview(piece))
            total += len(piece)
        return total

    def finish(self) -> None:
        """End the archive; raise Undone when something is missing."""
        if self._decompressor is not None:
            self._decompressor.finish()
        self._tar.finish()


def unexpected_archive(name: str) -> Undone:
    """Return the failure of a base backup that has an archive of no known directory."""
    return Undone(f'the base backup has an unexpected archive "{name}"')


def check_archives(names: Iterable[str], tablespaces: Iterable[int]) -> None:
    """Raise Undone unless there is one archive for each directory."""
    found, wanted = sorted(names), sorted([BASE, *map(str, tablespaces)])
    if found != wanted:
        raise Undone(
            f"the base backup has the archives {', '.join(found)}, not {', '.join(wanted)}"
        )
