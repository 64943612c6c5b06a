"""What stands at the place of a target now, for somebody who has lost whoever changed it.

Nothing is changed by that. What a run has done only whoever did it knows; this is what can be seen.
"""

from pathlib import Path

from pgpool_recovery.agent.directory import swap
from pgpool_recovery.agent.directory.place import workspaces_of
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
    half = swap.changing(data)
    if half is not None:
        where, method = half
        what = f"Its data is in {where}, half changed by {method}, and no server runs."
        return StateSeen(TargetState.INCOMPLETE, what)
    if not swap.is_tidy(data):
        what = "What an interrupted run moved is not back in its place, and no server runs."
        return StateSeen(TargetState.INCOMPLETE, what)
    if not (data / "global" / "pg_control").exists():
        what = f"There is no data of a server in {data}."
        return StateSeen(TargetState.INCOMPLETE, what, is_certain=False)
    if any(swap.old_waits(workspace) for workspace in workspaces_of(data)):
        what = "The new data is in place, the old waits beside it, and no server runs."
        return StateSeen(TargetState.COPIED, what)
    if swap.is_unstarted(data):
        what = "A base backup is in place that no server has been started on."
        return StateSeen(TargetState.COPIED, what)
    what = f"There is data of a server in {data}, and no server runs."
    return StateSeen(TargetState.UNTOUCHED, what, is_certain=False)
