"""A run's slot on a real primary: its end is noticed, even if it still has a restart_lsn."""

from collections.abc import Iterator

import pytest
from psycopg.conninfo import conninfo_to_dict

from pgpool_recovery.domain.error import Undone
from pgpool_recovery.domain.event import Event, Said
from pgpool_recovery.domain.node import NodeId, Target
from pgpool_recovery.domain.wal import Lsn, Point, TimelineId, parse_lsn
from pgpool_recovery.facts.step.standby import CreateSlot
from pgpool_recovery.observe.primary import observe_primary
from pgpool_recovery.postgres.connection import Connection, connect
from pgpool_recovery.run.own_slot import OwnSlot, replace_ended
from tests.harness.postgresql import Server
from tests.harness.until import until
from tests.server.conftest import on_each_major

SLOT = "pgpool_node_1"
TARGET = Target("server2", "/data", NodeId(1))
SEGMENT = 16 * 2**20
LIMIT_MB = 48
pytestmark = on_each_major


class Site:
    """A slot of a run, its server, and what was reported."""

    def __init__(self, server: Server, connection: Connection, own: dict[str, str]) -> None:
        self.server, self.connection = server, connection
        self.events: list[Event] = []
        self.slot = OwnSlot(
            connection, lambda: connect(own, timeout_s=5), own, self.events.append, connect_s=5
        )

    @property
    def said(self) -> list[str]:
        return [event.line for event in self.events if isinstance(event, Said)]

    def write(self, segments: int) -> None:
        for _ in range(segments):
            self.server.execute("SELECT pg_logical_emit_message(false, 'x', 'y'), pg_switch_wal()")

    def checkpoint(self) -> None:
        self.server.execute("CHECKPOINT")

    @property
    def status(self) -> str:
        (row,) = self.connection.rows("slot", name=SLOT)
        return str(row["wal_status"])

    def written(self) -> Point:
        lsn = parse_lsn(self.server.wal_position())
        return Point(TimelineId(1), Lsn(lsn - lsn % SEGMENT))


@pytest.fixture
def site(server: Server) -> Iterator[Site]:
    server.execute(f"ALTER SYSTEM SET max_slot_wal_keep_size = '{LIMIT_MB}MB'")
    server.execute("ALTER SYSTEM SET wal_keep_size = 0")
    server.reload()
    own = {word: str(text) for word, text in conninfo_to_dict(server.conninfo_from_here()).items()}
    own["dbname"] = "postgres"
    with connect(own, timeout_s=5) as connection:
        until(lambda: observe_primary(connection).slot_limit_bytes, within_s=10, what="the reload")
        yield Site(server, connection, own)
    for name in server.slots():
        server.drop_slot(name)
    server.execute("ALTER SYSTEM RESET ALL")
    server.reload()


def take(site: Site, hold_from: Point | None = None, *, is_new: bool = True) -> None:
    site.slot.take(CreateSlot(SLOT, is_new=is_new, hold_from=hold_from))


def test_limit_is_the_larger_one_of_two_settings(site: Site) -> None:
    assert observe_primary(site.connection).slot_limit_bytes == LIMIT_MB * 2**20
    site.server.execute("ALTER SYSTEM SET wal_keep_size = '96MB'")
    site.server.reload()
    until(
        lambda: observe_primary(site.connection).slot_limit_bytes == 96 * 2**20,
        within_s=10,
        what="the reload",
    )


def test_new_slot_outlives_the_checkpoint_of_the_copy(site: Site) -> None:
    """A new slot survives the copy's checkpoint, although it begins too far back.

    It begins at the last checkpoint's REDO, which is further back than a slot may keep WAL, so the
    run advances it.
    """
    site.checkpoint()
    site.write(6)
    take(site)
    site.checkpoint()
    assert site.status == "reserved"
    assert not site.slot.renew()


def test_slot_that_keeps_old_wal_outlives_that_checkpoint_as_well(site: Site) -> None:
    take(site)
    site.write(3)
    take(site, is_new=False)
    site.write(1)
    site.checkpoint()
    assert site.status == "reserved"


def test_wal_within_the_limit_is_held_over_a_checkpoint(site: Site) -> None:
    begin = site.written()
    site.write(2)
    take(site, begin)
    site.checkpoint()
    site.slot.require_again()
    assert site.said == []
    assert site.status in ("reserved", "extended")


def test_slot_that_our_checkpoint_ends_is_seen_before_the_rewind(site: Site) -> None:
    begin = site.written()
    site.write(6)
    take(site, begin)
    site.checkpoint()
    assert site.status == "lost"
    with pytest.raises(
        Undone, match=r"could not retain the WAL|does not retain the primary's WAL"
    ) as undone:
        site.slot.require_again()
    why = undone.value.detail or ""
    assert "has already been removed" in why or "max_slot_wal_keep_size is" in why


def test_slot_that_the_next_checkpoint_would_end_is_not_accepted(site: Site) -> None:
    begin = site.written()
    site.write(6)
    take(site, begin)
    assert site.status == "unreserved"
    with pytest.raises(Undone, match="does not retain the primary's WAL") as undone:
        site.slot.require_again()
    assert f"max_slot_wal_keep_size is {LIMIT_MB} MB" in (undone.value.detail or "")
    assert "unreserved" in (undone.value.detail or "")


def test_step_that_cannot_be_undone_has_a_slot_that_holds(site: Site) -> None:
    """A step that cannot be undone begins with a slot that holds WAL, even if one was lost."""
    take(site)
    site.write(6)
    site.checkpoint()
    assert site.status == "lost"
    site.slot.make_ready()
    site.checkpoint()
    assert site.status == "reserved"
    why = f"lost{_reason(site, 'wal_removed')}"
    assert site.said == [
        f"replication slot {SLOT} was created again: it was no longer usable ({why})"
    ]


def test_slot_that_was_dropped_is_created_again(site: Site) -> None:
    take(site)
    site.server.drop_slot(SLOT)
    assert site.slot.renew()
    assert site.said == [f"replication slot {SLOT} was created again: it was gone"]
    site.slot.undo()
    assert site.server.slots() == {}


def test_slot_that_was_idle_for_too_long_is_created_again_despite_its_restart_lsn(
    site: Site,
) -> None:
    end_idle(site)
    (row,) = site.connection.rows("slot", name=SLOT)
    assert (row["wal_status"], row["restart_lsn"] is None) == ("lost", False)
    assert site.slot.renew()
    assert site.said == [
        f"replication slot {SLOT} was created again: it was no longer usable (lost, idle_timeout)"
    ]
    assert site.status == "reserved"


def test_plan_that_was_made_before_the_slot_ended(site: Site) -> None:
    end_idle(site)
    take(site, is_new=False)
    assert site.status == "reserved"


def test_slot_that_ended_before_the_start_is_created_again(site: Site) -> None:
    replace_ended(site.connection, TARGET, SLOT, site.events.append)
    take(site)
    replace_ended(site.connection, TARGET, SLOT, site.events.append)
    assert site.said == []
    site.write(6)
    site.checkpoint()
    assert not replace_ended(site.connection, TARGET, "barman", site.events.append)
    assert replace_ended(site.connection, TARGET, SLOT, site.events.append)
    assert site.status == "reserved"
    assert len(site.said) == 1


def end_idle(site: Site) -> None:
    """Make idle_replication_slot_timeout invalidate the slot."""
    if observe_primary(site.connection).major < 18:
        pytest.skip("before PostgreSQL 18, no slot is invalidated for being idle")
    take(site)
    site.server.execute("ALTER SYSTEM SET idle_replication_slot_timeout = '1s'")
    site.server.reload()

    def has_ended() -> bool:
        site.write(1)
        site.checkpoint()
        return site.status == "lost"

    until(has_ended, within_s=20, what="the slot to end", every_s=0.5)
    site.server.execute("ALTER SYSTEM RESET idle_replication_slot_timeout")
    site.server.reload()


def _reason(site: Site, reason: str) -> str:
    return f", {reason}" if observe_primary(site.connection).major >= 17 else ""
