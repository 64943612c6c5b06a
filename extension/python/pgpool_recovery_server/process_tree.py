"""Find every process that a script has started, including those that left its session.

A script's processes carry a mark in their environment. Children inherit it, even when they change
their parent, group and session.
"""

import os
from typing import Any, Dict, List, Optional, Set

ZOMBIE = "Z"


def find_processes(mark: bytes, session: Optional[int]) -> List[int]:
    """Return the ids of the living processes that belong to a script, parents before children.

    They are those in the `session` (a process id, or None), those whose environment contains `mark`
    (bytes, ``NAME=value``), and all their descendants. Reads /proc (see proc(5)).

    The order is for who sends them a signal: a shell that waits for a program would end with it,
    and without its trap, if the program got the signal first.
    """
    parents = {}
    found = set()
    for pid in _process_ids():
        status = _status(pid)
        if status is None or status["state"] == ZOMBIE:
            continue
        parents[pid] = status["parent"]
        if status["session"] == session or mark in _environment_of(pid):
            found.add(pid)
    return _parents_first(_with_descendants(found, parents), parents)


def _process_ids() -> List[int]:
    return [int(name) for name in os.listdir("/proc") if name.isdigit()]


def _status(pid: int) -> Optional[Dict[str, Any]]:
    try:
        with open("/proc/%d/stat" % pid, "rb") as file:
            line = file.read().decode("utf-8", "replace")
    except OSError:
        return None  # It has ended in the meantime.
    # The program's name is in parentheses and may contain any character.
    fields = line[line.rindex(")") + 2 :].split(" ")
    return {"state": fields[0], "parent": int(fields[1]), "session": int(fields[3])}


def _environment_of(pid: int) -> List[bytes]:
    try:
        with open("/proc/%d/environ" % pid, "rb") as file:
            return file.read().split(b"\0")
    except OSError:
        return []  # It has ended in the meantime, or belongs to another user.


def _with_descendants(found: Set[int], parents: Dict[int, int]) -> Set[int]:
    while True:
        children = {pid for pid in parents if parents[pid] in found} - found
        if not children:
            return found
        found = found | children


def _parents_first(found: Set[int], parents: Dict[int, int]) -> List[int]:
    ordered: List[int] = []
    left = found
    while left:
        # There is no circle, except if an id was used again while the processes were listed.
        next_ones = {pid for pid in left if parents[pid] not in left} or left
        ordered += sorted(next_ones)
        left = left - next_ones
    return ordered
