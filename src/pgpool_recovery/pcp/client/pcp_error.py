"""Define the error of a failed PCP command, with the parts of a PostgreSQL error."""

from typing import NamedTuple, Optional

INTERNAL = "XX000"  # Pgpool-II uses this for nearly all of its errors.
CANNOT_CONNECT = "08001"
CONNECTION_LOST = "08006"
PROTOCOL_VIOLATED = "08P01"
LOGIN_REFUSED = "28P01"
WRONG_PARAMETER = "22023"


class Notice(NamedTuple):
    """An error, a notice or a log line of Pgpool-II, which truncates each text at 255 bytes.

    `severity` is LOG, NOTICE, WARNING, ERROR, FATAL or another severity of PostgreSQL.
    """

    severity: str
    sqlstate: str
    message: str
    detail: Optional[str] = None
    hint: Optional[str] = None
    file: Optional[str] = None
    line: Optional[str] = None


class PcpError(Exception):
    """A PCP command did not succeed.

    `answer` is what Pgpool-II sent if the failure is its answer, otherwise None. The error never
    contains a password or a digest.
    """

    def __init__(
        self,
        message: str,
        detail: Optional[str] = None,
        hint: Optional[str] = None,
        sqlstate: str = CONNECTION_LOST,
        answer: Optional[Notice] = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.detail = detail
        self.hint = hint
        self.sqlstate = sqlstate
        self.answer = answer


NOT_PGPOOL = "Check that the port is pcp_port of a Pgpool-II, not the port of another server."


def malformed(detail: str, hint: Optional[str] = None) -> PcpError:
    """Return the failure of an answer that is not valid in PCP."""
    return PcpError(
        "Pgpool-II sent an answer that cannot be understood",
        detail=detail,
        hint=hint or NOT_PGPOOL,
        sqlstate=PROTOCOL_VIOLATED,
    )


def wrong_parameter(message: str, detail: Optional[str] = None) -> PcpError:
    """Return the failure of a request that is not valid; nothing was sent."""
    return PcpError(message, detail=detail, sqlstate=WRONG_PARAMETER)
