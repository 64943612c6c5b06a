"""Divide the files of a server into batches that keep several channels equally busy."""

from collections.abc import Iterator, Mapping

from pgpool_recovery.domain.record import record

BATCH_BYTES = 32 * 2**20
BATCH_FILES = 256


@record
class Batch:
    """Some files, and how large they are together."""

    paths: tuple[str, ...]
    size_bytes: int


def batches_of(files: Mapping[str, int]) -> list[Batch]:
    """Return all files in batches, the largest first: the last ones to be done are small.

    Files of one directory stay together, in their order, so that directories stay in the cache.

    >>> [batch.paths for batch in batches_of({"a": 1, "b": 2**30, "c": 2})]
    [('b',), ('a', 'c')]
    """
    return sorted(_batches(files), key=lambda batch: -batch.size_bytes)


def _batches(files: Mapping[str, int]) -> Iterator[Batch]:
    paths, total = list[str](), 0
    for path, size in files.items():
        if size >= BATCH_BYTES:
            yield Batch((path,), size)
            continue
        paths.append(path)
        total += size
        if total >= BATCH_BYTES or len(paths) >= BATCH_FILES:
            yield Batch(tuple(paths), total)
            paths, total = [], 0
    if paths:
        yield Batch(tuple(paths), total)
