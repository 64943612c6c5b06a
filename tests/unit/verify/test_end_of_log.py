"""What is reported of a log, which may not exist."""

from typing import TYPE_CHECKING, Any, cast

from pgpool_recovery.talk.request.server import LogPosition, ReadLog
from pgpool_recovery.verify.end_of_log import end_of_log

if TYPE_CHECKING:
    from pgpool_recovery.talk.conversation import Conversation

LOG = LogPosition("/data/log/1.log", 7)


class Agent:
    """An agent that reads a log."""

    def __init__(self, text: str) -> None:
        self._text = text

    def ask(self, request: Any, **_: object) -> str:
        assert request == ReadLog(LOG)
        return self._text


def told(text: str, log: LogPosition | None = LOG) -> str | None:
    return end_of_log(cast("Conversation", Agent(text)), log, timeout_s=1)


def test_end_of_a_log_has_its_name() -> None:
    assert told("FATAL:  no") == "Its log /data/log/1.log ends:\nFATAL:  no"


def test_nothing_is_told_of_none_or_an_empty_one() -> None:
    assert told("") is None
    assert told("FATAL:  no", log=None) is None
