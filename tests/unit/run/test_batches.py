"""Batches have every file once, are small, and the largest come first."""

from hypothesis import given
from hypothesis import strategies as st

from pgpool_recovery.run.batches import BATCH_BYTES, BATCH_FILES, batches_of

sizes = st.one_of(st.integers(0, 9000), st.integers(0, 2**30), st.just(BATCH_BYTES))


@given(st.lists(sizes, max_size=600))
def test_batches(drawn: list[int]) -> None:
    files = {f"base/5/{number}": size for number, size in enumerate(drawn)}
    batches = batches_of(files)
    paths = [path for batch in batches for path in batch.paths]
    assert sorted(paths) == sorted(files)
    assert len(set(paths)) == len(paths)
    for batch in batches:
        assert batch.size_bytes == sum(files[path] for path in batch.paths)
        assert 0 < len(batch.paths) <= BATCH_FILES
        assert len(batch.paths) == 1 or batch.size_bytes < 2 * BATCH_BYTES
    order = [batch.size_bytes for batch in batches]
    assert order == sorted(order, reverse=True)
