"""Read from the record how fast the recoveries were that succeeded."""

from collections.abc import Mapping

from pgpool_recovery.config.settings import Settings
from pgpool_recovery.domain.error import Refused, Unreachable
from pgpool_recovery.facts.pace import Pace
from pgpool_recovery.log.note import note
from pgpool_recovery.postgres.connection import connect
from pgpool_recovery.postgres.extension import RUNS

ANSWER_S = 2.0
SESSION = {"lock_timeout": "1s"}
"""Neither a lock nor a busy disk may hold up a recovery that could do without a forecast."""


def observe_paces(server: Mapping[str, str], settings: Settings) -> tuple[Pace, ...]:
    """Return the paces of the recoveries on record, the newest first.

    `server` is how to connect to the primary. There are none if the record cannot be read; then a
    plan has no forecast of its duration, and the debug log has the reason.
    """
    where = {**server, "dbname": settings.history.database}
    try:
        with connect(
            where,
            timeout_s=settings.timeout.connect_s,
            answer_s=ANSWER_S,
            settings=SESSION,
        ) as connection:
            found = connection.extension()
            if found is None or RUNS not in found.members:
                return ()
            return tuple(Pace(**row) for row in connection.rows("paces"))
    except (Unreachable, Refused) as error:
        note("the record was not read: {}", error.in_a_line)
        return ()
