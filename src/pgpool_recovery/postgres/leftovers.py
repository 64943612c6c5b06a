"""Read which settings are in force on a server that a standby must not have."""

from pgpool_recovery.facts.leftover import (
    COMMANDS,
    DELAY,
    TAKEN_OUT,
    TIMELINE,
    Leftover,
    is_default,
    told_value,
)
from pgpool_recovery.postgres.connection import Connection


def read_leftovers(connection: Connection) -> tuple[Leftover, ...]:
    """Return the settings in force, not those written to a file since the last reload."""
    names = [*TAKEN_OUT, TIMELINE, DELAY, *COMMANDS]
    return tuple(
        Leftover(
            row["name"],
            told_value(row["name"], row["value"]),
            row["source"],
            is_on_command_line=row["is_on_command_line"],
        )
        for row in connection.rows("leftovers", names=names)
        if not is_default(row["name"], row["value"])
    )
