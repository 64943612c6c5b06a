"""Answer the requests about a data directory (talk/request/directory.py)."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pgpool_recovery.domain.event import Say
from pgpool_recovery.files.ahead import import_ahead
from pgpool_recovery.host.stop import Stop
from pgpool_recovery.talk.request.directory import (
    AskState,
    DigestWal,
    DirectoryRequest,
    DiscardOld,
    IsTidy,
    Observe,
    ReadBase,
    Tidy,
)

if TYPE_CHECKING:
    from pgpool_recovery.agent.directory.own_login import OwnLogin

STEPS = ("pgpool_recovery.agent.observe.login", "pgpool_recovery.agent.steps.steps")
"""What is needed next after a target was tidied up, because it is then recovered."""


def answer(
    request: DirectoryRequest, stop: Stop, own_login: Callable[[], "OwnLogin"], tell: Say
) -> Any:
    """Return the result of a request; `own_login` is imported only by those that need it."""
    match request:
        case Observe():
            from pgpool_recovery.agent.observe.target import observe

            return observe(request, stop, own_login())
        case ReadBase():
            from pgpool_recovery.agent.observe.target import read_local_wal

            return read_local_wal(request, stop)
        case DigestWal(data_directory, parts):
            from pgpool_recovery.agent.directory.own_wal import digests

            return digests(Path(data_directory).resolve(), parts)
        case AskState(data_directory):
            from pgpool_recovery.agent.directory.state import see_state

            return see_state(Path(data_directory).resolve())
    from pgpool_recovery.agent.directory import swap

    data = Path(request.data_directory).resolve()
    match request:
        case Tidy():
            from pgpool_recovery.agent.ahead.setting import put_right

            import_ahead(STEPS)
            swap.tidy(data, stop.got_on)
            return put_right(data, tell)
        case IsTidy():
            from pgpool_recovery.agent.ahead.setting import is_right

            return swap.is_tidy(data) and is_right(data)
        case DiscardOld():
            return swap.discard_old(data, stop.got_on)
