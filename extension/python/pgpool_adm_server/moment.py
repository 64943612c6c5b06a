"""Tell one statement of the client from the next: what a call keeps is for that one only."""

from pgpool_recovery_server.session import Session

MOMENT = "select pg_catalog.statement_timestamp()::pg_catalog.text as moment"


def moment_of(caller: Session) -> str:
    """Return when the client's statement began that this call belongs to."""
    moment: str = caller.query("moment", MOMENT)[0]["moment"]
    return moment
