"""Hold a dialogue with bytes that a server would send, in one or several pieces."""

from collections.abc import Iterable

from pgpool_recovery.pcp.client.dialogue import Dialogue
from pgpool_recovery.pcp.client.digest import PasswordDigest
from pgpool_recovery.pcp.client.pcp_error import Notice, PcpError
from pgpool_recovery.pcp.client.reply import Reply
from pgpool_recovery.pcp.client.request import Request
from tests.unit.pcp.stream import LOGIN

PASSWORD = PasswordDigest.of_password("secret")


def reply_to(request: Request, answer: bytes) -> Reply:
    """Return the reply that a client parses from an answer, after a login."""
    dialogue = Dialogue("pgpool", PASSWORD, request)
    assert list(dialogue.receive(LOGIN + answer)) == []
    assert dialogue.reply is not None, "the answer was not complete"
    return dialogue.reply


def outcome(
    request: Request, pieces: Iterable[bytes], setting: Request | None = None
) -> tuple[list[Notice], Reply | None, str | None]:
    """Return all that a client learns from pieces: notices, the reply, the failure's detail."""
    dialogue = Dialogue("pgpool", PASSWORD, request, setting)
    notices: list[Notice] = []
    try:
        for piece in pieces:
            for notice in dialogue.receive(piece):
                notices.append(notice)  # noqa: PERF402  # keeps what came before a failure
    except PcpError as error:
        return notices, dialogue.reply, f"{error.message}: {error.detail}"
    return notices, dialogue.reply, None
