"""Tell one statement of the client from the next: what is kept for a call is for that one alone."""

from pgpool_recovery_server.session import Session

MOMENT = "select pg_catalog.statement_timestamp()::pg_catalog.text as moment"


def moment_of(caller: Session) -> str:
    """Return when the statement of the client began that this call belongs to."""
    moment: str = caller.query("moment", MOMENT)[0]["moment"]
    return moment
