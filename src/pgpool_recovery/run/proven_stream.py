"""What a first stage that has started the server hands on to the remote start after it.

By the extension, in the session that calls both: no other call is told of it. That the server is a
standby of this primary was proven by a stream from a WAL sender, which is known by its process and
since when that runs. As long as this very one streams, it is the same connection of the same
server. So the remote start asks the primary for it, and needs neither a login on the target's host
nor an agent there; when it is another one, or none, everything is looked at again.
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
    """The stream by which a target was proven to follow this primary, and whose target that is."""

    host: str
    data_directory: str
    walsender: str

    def as_document(self) -> dict[str, Any]:
        """Return it in JSON types."""
        return {"proven": vars(self)}


def proven_stream(target: Target, stream: StreamFacts) -> ProvenStream | None:
    """Return what is handed on of a stream; None for one that is not known by its process."""
    if stream.walsender is None:
        return None
    return ProvenStream(target.host, target.data_directory, stream.walsender)


def read_proven(text: str, target: Target) -> ProvenStream | None:
    """Return what was handed on about this target.

    None where nothing was, by a first stage of another build or of another target.
    """
    try:
        proven = ProvenStream(**json.loads(text)["proven"])
    except (ValueError, TypeError, LookupError):
        return None
    return proven if (proven.host, proven.data_directory) == _place(target) else None


def _place(target: Target) -> tuple[str, str]:
    return target.host, target.data_directory


def still_streams(proven: ProvenStream, settings: Settings) -> bool:
    """Say whether the very stream goes on by which the target was proven.

    Not to get to know it is no failure: then everything is looked at again.
    """
    try:
        with own_server(settings, settings.timeout.connect_s) as connection:
            rows = connection.rows("stream_facts")
    except (Unreachable, QueryRefused) as error:
        note("the stream is not asked for: {}", error)
        return False
    found = any(_is_it(row, proven) for row in rows)
    note("the walsender {} {}", proven.walsender, "streams still" if found else "is gone")
    return found


def _is_it(row: Mapping[str, Any], proven: ProvenStream) -> bool:
    return bool(row["walsender"] == proven.walsender and row["state"] == STREAMING)
