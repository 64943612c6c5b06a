"""With which settings a server runs that are none of a standby's."""

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
    """Return those that are in force; what was written into a file since is not."""
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
