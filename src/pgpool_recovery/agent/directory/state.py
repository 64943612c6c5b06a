"""Find out in which state a target is, for a caller that has lost the agent that changed it.

Nothing is changed here. The journal says how far the run got. Only whether a server is running,
and what there is if no run has written a journal, must be seen from outside.
"""

from pathlib import Path

from pgpool_recovery.agent.directory import swap
from pgpool_recovery.agent.directory.place import workspaces_of
from pgpool_recovery.domain.directory_state import (
    Changing,
    Finished,
    Free,
    InPlace,
    Led,
    Out,
    Putting,
    Removed,
    Removing,
    Reserved,
    Restored,
    Restoring,
    State,
    Swapped,
    Swapping,
    target_state,
)
from pgpool_recovery.domain.target_state import TargetState
from pgpool_recovery.host.lock import is_locked
from pgpool_recovery.host.pidfile import read_pid_file
from pgpool_recovery.talk.request.directory import StateSeen

NO_SERVER = "No server is running."


def see_state(data: Path) -> StateSeen:
    """Return the state of a data directory, and the sentence that describes it."""
    if any(is_locked(workspace) for workspace in workspaces_of(data)):
        return StateSeen(TargetState.UNKNOWN, "An agent is working on it.", is_certain=False)
    server = read_pid_file(data)
    if server is not None:
        return StateSeen(TargetState.STARTED, f"Its server is running (process {server.pid}).")
    workspace, state = swap.standing(data)
    return _seen(data) if state == Free() else _told(state, workspace)


def _told(state: State, workspace: Path) -> StateSeen:
    """Return what a journal says about a run that is gone."""
    told = target_state(state)
    return StateSeen(told, _sentence(state, workspace), is_certain=told is not TargetState.UNKNOWN)


def _sentence(state: State, workspace: Path) -> str:  # noqa: C901 - one case for each state
    match state:
        case Changing(method):
            where = f"{workspace}/new"
            return f"Its data is in {where}, half changed by {method}. {NO_SERVER}"
        case Finished():
            return f"Its data is in {workspace}/new, changed and complete. {NO_SERVER}"
        case Out() | Putting() | Swapping() | Restoring():
            return f"What an interrupted run moved is not back in its place. {NO_SERVER}"
        case Removing() | Removed():
            return f"Its data was removed to make room for a copy. {NO_SERVER}"
        case Swapped(_, was_empty) if was_empty and all(was_empty.values()):
            return f"The new data is in place. {NO_SERVER}"
        case Swapped():
            return f"The new data is in place, and the old data waits in the workspace. {NO_SERVER}"
        case InPlace():
            return f"Its data was changed and is in its place. {NO_SERVER}"
        case Restored():
            return f"The data that a copy had replaced is in its place again. {NO_SERVER}"
        case Led():
            return f"Its settings were being changed in place. {NO_SERVER}"
        case Free() | Reserved():
            return f"A run had begun but had not changed its data. {NO_SERVER}"


def _seen(data: Path) -> StateSeen:
    """Return what can be seen if no journal records a run."""
    if not (data / "global" / "pg_control").exists():
        what = f"There is no server data in {data}."
        return StateSeen(TargetState.INCOMPLETE, what, is_certain=False)
    if any(swap.old_waits(workspace) for workspace in workspaces_of(data)):
        what = _sentence(Swapped("reserved"), data)
        return StateSeen(TargetState.COPIED, what)
    if swap.is_unstarted(data):
        what = "A base backup is in place, and no server has been started on it."
        return StateSeen(TargetState.COPIED, what)
    what = f"There is server data in {data}. {NO_SERVER}"
    return StateSeen(TargetState.UNTOUCHED, what, is_certain=False)
