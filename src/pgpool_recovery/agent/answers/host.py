"""Answer the requests about the target's host (talk/request/host.py)."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pgpool_recovery.host.stop import Stop
from pgpool_recovery.talk.protocol import Limits
from pgpool_recovery.talk.request.host import (
    AskArchive,
    AskConfinement,
    HostRequest,
    LookAround,
    LookForBackup,
    LookForPrograms,
    TryArchive,
    TryLogins,
    TryPeers,
)

if TYPE_CHECKING:
    from pgpool_recovery.agent.directory.own_login import OwnLogin


def answer(
    request: HostRequest, stop: Stop, own_login: Callable[[], "OwnLogin"], limits: Limits
) -> Any:
    """Return the result of a request; `own_login` is imported only by those that need it."""
    match request:
        case LookAround():
            from pgpool_recovery.agent.observe.surroundings import look_around

            return look_around(request, limits.connect_s)
        case AskConfinement(data_directory):
            from pgpool_recovery.agent.observe.surroundings import confinement_of_server

            return confinement_of_server(Path(data_directory).resolve())
        case TryLogins():
            from pgpool_recovery.agent.observe.login import try_logins

            return try_logins(request, stop, own_login(), limits.connect_s)
        case TryPeers():
            from pgpool_recovery.agent.observe.peer_trials import try_peers

            return try_peers(request, stop, own_login(), limits)
        case LookForBackup(stanza, timeout_s, archive_s):
            from pgpool_recovery.agent.method.restore import observe_repository

            return observe_repository(stanza, stop, timeout_s=timeout_s, archive_s=archive_s)
        case LookForPrograms(programs):
            from pgpool_recovery.agent.method.command import look_for_programs

            return look_for_programs(programs)
        case AskArchive():
            from pgpool_recovery.agent.observe.archived_history import ask_archive

            return ask_archive(request, stop)
        case TryArchive():
            from pgpool_recovery.agent.observe.wal_trial import try_archive

            return try_archive(request, stop)
