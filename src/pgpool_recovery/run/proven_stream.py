"""Hand on, from a first stage that started the server, the proof that the remote start relies on.

The extension passes it on within the session that calls both, and to no other call. The proof is
that the server streams from this primary; the WAL sender is identified by its process id and start
time. As long as the same WAL sender streams, it is the same connection of the same server. So the
remote start only queries the primary for it, and needs neither a login on the target's host nor an
agent there. If the WAL sender is another one, or gone, the node is examined again.
"""

import json
from collections.abc import Mapping
from typing import Any

from pgpool_recovery.config.settings import Settings
from pgpool_recovery.domain.error import QueryRefused, Unreachable
from pgpool_recovery.domain.node import Target
from pgpool_recovery.domain.record import record
from pgpool_recovery.domain.standby import STREAMING, StreamFacts
from pgpool_recovery.log.note import note
from pgpool_recovery.run.own_server import own_server


@record
class ProvenStream:
    """The stream that proved that a target follows this primary, and which target that is."""

    host: str
    data_directory: str
    walsender: str

    def as_document(self) -> dict[str, Any]:
        """Return it in JSON types."""
        return {"proven": vars(self)}


def proven_stream(
    target: Target, stream: StreamFacts, slot_name: str | None
) -> ProvenStream | None:
    """Return what is handed on about the stream of a target that uses the slot `slot_name`.

    None if its WAL sender is not known, or it is not known to be the target's own: a server that
    is still behind the fork is accepted without a stream.
    """
    is_its_own = slot_name is not None and stream.slot_name == slot_name
    if stream.walsender is None or not is_its_own or stream.state != STREAMING:
        return None
    return ProvenStream(target.host, target.data_directory, stream.walsender)


def read_proven(text: str, target: Target) -> ProvenStream | None:
    """Return what was handed on about this target.

    None if it cannot be read, as from a first stage of another build, or is about another target.
    """
    try:
        proven = ProvenStream(**json.loads(text)["proven"])
    except (ValueError, TypeError, LookupError):
        return None
    return proven if (proven.host, proven.data_directory) == _place(target) else None


def _place(target: Target) -> tuple[str, str]:
    return target.host, target.data_directory


def still_streams(proven: ProvenStream, settings: Settings) -> bool:
    """Return whether the same WAL sender still streams.

    False also if the primary cannot be queried: then the node is examined again.
    """
    try:
        with own_server(settings, settings.timeout.connect_s) as connection:
            rows = connection.rows("stream_facts")
    except (Unreachable, QueryRefused) as error:
        note("the stream cannot be queried: {}", error)
        return False
    found = any(_is_it(row, proven) for row in rows)
    note("the walsender {} {}", proven.walsender, "still streams" if found else "is gone")
    return found


def _is_it(row: Mapping[str, Any], proven: ProvenStream) -> bool:
    return bool(row["walsender"] == proven.walsender and row["state"] == STREAMING)
