"""What a standby and its primary say of each other, in the words of domain/standby.py."""

from collections.abc import Iterator, Mapping
from typing import Any

from pgpool_recovery.domain.error import Denied, Unreachable
from pgpool_recovery.domain.standby import StandbyFacts, StreamFacts, UpstreamFacts
from pgpool_recovery.domain.wal import (
    History,
    Lsn,
    Point,
    TimelineId,
    parse_history,
    parse_lsn,
)
from pgpool_recovery.postgres.connection import Connection


def read_standby(connection: Connection) -> StandbyFacts:
    """Return what a server says of itself; `histories` are for who can read its files.

    A role that may not see the WAL receiver sees that there is one; of one that runs on nobody
    says that it does not stream.
    """
    row = connection.row("standby_facts")
    sees = row["sees_receiver"] or not row["has_receiver"]
    return StandbyFacts(
        is_in_recovery=row["is_in_recovery"],
        system_identifier=row["system_identifier"],
        pause_state=row["pause_state"],
        targets=tuple(row["targets"]),
        delay_ms=row["delay_ms"],
        sees_receiver=sees,
        receiver=row["receiver"],
        slot_name=row["slot_name"],
        wanted_slot=row["wanted_slot"],
        application_name=row["application_name"],
        receiving=None if row["receiving"] is None else TimelineId(row["receiving"]),
        received=_lsn(row["received"]),
        replayed=_lsn(row["replayed"]),
        been_at=tuple(_been_at(row)),
    )


def _been_at(row: Mapping[str, Any]) -> Iterator[Point]:
    """Yield where the control file says that recovery was; a primary's says nothing of that."""
    if row["is_in_recovery"]:
        yield Point(TimelineId(row["checkpoint_timeline"]), parse_lsn(row["checkpoint"]))
        if row["minimum_end"] is not None:
            yield Point(TimelineId(row["end_timeline"]), parse_lsn(row["minimum_end"]))


def read_upstream(
    connection: Connection, name: str, slot_names: set[str], application_name: str | None
) -> UpstreamFacts:
    """Return what the primary says, and the stream that is a node's: by a slot, else by its name.

    The history of its timeline is in a file that not every role may read.
    """
    streams = [_stream(row) for row in connection.rows("stream_facts")]
    history = read_history(connection)
    row = connection.row("upstream")
    return UpstreamFacts(
        name=name,
        history=history,
        written=parse_lsn(row["written"]),
        stream=choose_stream(streams, slot_names, application_name),
        system_identifier=row["system_identifier"],
    )


def choose_stream(
    streams: list[StreamFacts], slot_names: set[str], application_name: str | None
) -> StreamFacts | None:
    """Return the stream of a node: by its slot, or without one by its name.

    Standbys without slots may share a name, as those that nobody has named: "walreceiver". Of such
    the one that is behind the others stands for all; whose data it is the node itself shows.
    """
    for stream in streams:
        if stream.slot_name is not None and stream.slot_name in slot_names:
            return stream
    if application_name is None:
        return None
    named = [one for one in streams if one.application_name == application_name]
    without_slot = [one for one in named if one.slot_name is None]
    return min(without_slot, key=lambda one: one.flushed or Lsn(0), default=None)


def read_history(connection: Connection) -> History | None:
    """Return the history of the primary's timeline; None for a role that may not read its file.

    And where there is none for a later timeline: then nobody knows where that began.
    """
    try:
        row = connection.row("timeline")
    except (Denied, Unreachable):
        return None
    history = parse_history(row["history"], TimelineId(row["timeline"]))
    return history if history.ends or history.current == 1 else None


def _stream(row: Mapping[str, Any]) -> StreamFacts:
    return StreamFacts(
        state=row["state"],
        slot_name=row["slot_name"],
        application_name=row["application_name"],
        flushed=_lsn(row["flushed"]),
        replayed=_lsn(row["replayed"]),
        client=row["client"],
        walsender=row["walsender"],
    )


def _lsn(text: str | None) -> Lsn | None:
    return None if text is None else parse_lsn(text)
