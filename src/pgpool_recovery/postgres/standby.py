"""Read what a standby and its primary report about each other, as facts of domain/standby.py."""

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
    """Return what a server reports about itself, without `histories`, which are in its files.

    A role that may not see the details of the WAL receiver still sees whether there is one. If
    there is one, `sees_receiver` is false, and the caller cannot conclude that it does not stream.
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
        lacks_wal=row["lacks_wal"],
        been_at=tuple(_been_at(row)),
    )


def _been_at(row: Mapping[str, Any]) -> Iterator[Point]:
    """Yield the positions of recovery in the control file; a primary's has none."""
    if row["is_in_recovery"]:
        yield Point(TimelineId(row["checkpoint_timeline"]), parse_lsn(row["checkpoint"]))
        if row["minimum_end"] is not None:
            yield Point(TimelineId(row["end_timeline"]), parse_lsn(row["minimum_end"]))


def read_upstream(
    connection: Connection, name: str, slot_names: set[str], application_name: str | None
) -> UpstreamFacts:
    """Return what the primary reports, with the stream of a node, by its slot or by its name.

    The history of its timeline is None for a role that may not read the history file.
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
    """Return the stream of a node: by its slot, or if it has none by its name.

    Standbys without slots may share a name, such as the default "walreceiver". Then the one that is
    furthest behind is taken; whether its data is right is checked on the node itself.
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

    It is also None when a timeline after the first has no history file, since then it is not known
    where that timeline began.
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
