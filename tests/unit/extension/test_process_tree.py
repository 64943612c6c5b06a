"""Processes are listed in the order in which a signal does no harm."""

import pytest
from pgpool_recovery_server import process_tree
from pgpool_recovery_server.process_tree import find_processes


@pytest.mark.parametrize("chain", [(7, 8, 16, 24), (40, 32, 9, 16), (8, 9, 10, 11)])
def test_parents_come_before_their_children(
    monkeypatch: pytest.MonkeyPatch, chain: tuple[int, ...]
) -> None:
    """A shell whose program got the signal first would end without its trap."""
    parents = dict(zip(chain, (1, *chain), strict=False)) | {1: 0, 99: 1}
    first = chain[0]
    monkeypatch.setattr(process_tree, "_process_ids", lambda: sorted(parents))
    monkeypatch.setattr(
        process_tree,
        "_status",
        lambda pid: {"state": "S", "parent": parents[pid], "session": first if pid == first else 1},
    )
    monkeypatch.setattr(process_tree, "_environment_of", lambda _: [])
    assert find_processes(b"mark", first) == list(chain)
