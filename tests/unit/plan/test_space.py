"""How much room the WAL needs that a node fetches; the other spaces have cases (cases/space)."""

from pgpool_recovery.facts.facts import Filesystem
from pgpool_recovery.plan.space import WORKING_BYTES, reject_wal_room
from tests.unit.plan.situation import place, primary, target

MB = 2**20


def has_room(free_bytes: int, *, is_from_archive: bool) -> bool:
    """Return whether 10 GB of WAL may pass through, of which the primary keeps 64 MB."""
    facts = primary(wal_bytes=64 * MB, max_wal_bytes=100 * MB)
    data = place(filesystem=Filesystem(device=1, free_bytes=free_bytes))
    node = target(data=data)
    found = reject_wal_room("node 1", facts, node, 10240 * MB, is_from_archive=is_from_archive)
    return not list(found)


def test_wal_of_the_primary_needs_what_the_primary_keeps() -> None:
    assert has_room(64 * MB + WORKING_BYTES, is_from_archive=False)
    assert not has_room(64 * MB + WORKING_BYTES - 1, is_from_archive=False)


def test_wal_of_an_archive_needs_what_stays_until_a_restartpoint_has_ended() -> None:
    assert has_room(200 * MB + WORKING_BYTES, is_from_archive=True)
    assert not has_room(200 * MB + WORKING_BYTES - 1, is_from_archive=True)
