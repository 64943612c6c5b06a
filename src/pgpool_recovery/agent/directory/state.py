"""What stands at the place of a target now, for somebody who has lost whoever changed it.

Nothing is changed by that. How far the run came stands in its journal; what only can be seen is
whether a server runs, and what there is where no run has written anything.
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
from pgpool_recovery.talk.protocol import StateSeen


def see_state(data: Path) -> StateSeen:
    """Return in which state a data directory is found, and the sentence that says what is there."""
    if any(is_locked(workspace) for workspace in workspaces_of(data)):
        return StateSeen(TargetState.UNKNOWN, "An agent is at work on it.", is_certain=False)
    server = read_pid_file(data)
    if server is not None:
        return StateSeen(TargetState.STARTED, f"Its server runs (process {server.pid}).")
    workspace, state = swap.standing(data)
    return _seen(data) if state == Free() else _told(state, workspace)


def _told(state: State, workspace: Path) -> StateSeen:
    """Return what a journal says of a run that is gone."""
    told = target_state(state)
    return StateSeen(told, _sentence(state, workspace), is_certain=told is not TargetState.UNKNOWN)


def _sentence(state: State, workspace: Path) -> str:  # noqa: C901 - one case for each state
    match state:
        case Changing(method):
            where = f"{workspace}/new"
            return f"Its data is in {where}, half changed by {method}, and no server runs."
        case Finished():
            return f"Its data is in {workspace}/new, changed and whole, and no server runs."
        case Out() | Putting() | Swapping() | Restoring():
            return "What an interrupted run moved is not back in its place, and no server runs."
        case Removing() | Removed():
            return "Its data was removed to make room for a copy, and no server runs."
        case Swapped(_, was_empty) if was_empty and all(was_empty.values()):
            return "The new data is in place, and no server runs."
        case Swapped():
            return "The new data is in place, the old waits beside it, and no server runs."
        case InPlace():
            return "Its data was changed and is in its place, and no server runs."
        case Restored():
            return "The data that a copy had replaced is in its place again, and no server runs."
        case Led():
            return "Its settings were being changed where it is, and no server runs."
        case Free() | Reserved():
            return "A run had begun beside its data and had not changed it; no server runs."


def _seen(data: Path) -> StateSeen:
    """Return what can be seen where no journal says anything of a run."""
    if not (data / "global" / "pg_control").exists():
        what = f"There is no data of a server in {data}."
        return StateSeen(TargetState.INCOMPLETE, what, is_certain=False)
    if any(swap.old_waits(workspace) for workspace in workspaces_of(data)):
        what = _sentence(Swapped("reserved"), data)
        return StateSeen(TargetState.COPIED, what)
    if swap.is_unstarted(data):
        what = "A base backup is in place that no server has been started on."
        return StateSeen(TargetState.COPIED, what)
    what = f"There is data of a server in {data}, and no server runs."
    return StateSeen(TargetState.UNTOUCHED, what, is_certain=False)
