"""The contents of a journal and their format: JSON with a version, and exact fields and types.

A field that was ignored could be the one that says what may be removed. So an entry with more or
fewer fields than are known here is rejected.
"""

import json
import os
from collections.abc import Mapping
from typing import Any, get_args

from pgpool_recovery.domain.directory_state import Before, Free, Over, State
from pgpool_recovery.domain.record import names_of, record
from pgpool_recovery.facts.step.place import Place

VERSION, WITHOUT_COPY = 2, 1
"""An entry without a copy is written as before there were any: every build reads it."""
NO_RUN = Free()
STATES: Mapping[str, type[State]] = {kind.__name__: kind for kind in get_args(State)}
MAX_COUNT = 2**31
MAX_WHY = 200
"""Limit for the description of a file that may contain anything, in characters."""


@record
class Copy:
    """A full copy that has begun, and may be only a part of one.

    `layout`: where it grows, by the path of the place that it is for. `begun_s` is a time (epoch).
    """

    system_identifier: str
    begun_s: int
    layout: Mapping[str, str]


@record
class Entry:
    """How far a run is with the directories of a target, and what is known about its node.

    `places`: where the run works, the data directory's own place last; empty before the first run.
    `former_slot`: the slot that the old server streamed from; None once it may use it again.
    `failed_starts`: how many times in a row a server has failed after a recovery. These two outlive
    a run. `copy`: a full copy that grows in the workspaces, until it is put into place.
    """

    places: tuple[Place, ...] = ()
    state: State = NO_RUN
    former_slot: str | None = None
    failed_starts: int = 0
    copy: Copy | None = None

    @property
    def has_facts(self) -> bool:
        """Whether there is something about the node to remember after the run."""
        return self.former_slot is not None or self.failed_starts > 0


class NotAnEntry(Exception):
    """What was read is not an entry; `newer` is its version if a later build wrote it."""

    def __init__(self, why: str, newer: int | None = None) -> None:
        super().__init__(why if len(why) <= MAX_WHY else f"{why[:MAX_WHY]}…")
        self.newer = newer


def encode_entry(entry: Entry) -> str:
    """Return an entry as a line of JSON."""
    copy = {} if entry.copy is None else {"copy": _values(entry.copy)}
    value = {
        "version": VERSION if copy else WITHOUT_COPY,
        "places": [_values(place) for place in entry.places],
        "state": {"is": type(entry.state).__name__, **_values(entry.state)},
        "node": {"former_slot": entry.former_slot, "failed_starts": entry.failed_starts},
        **copy,
    }
    return json.dumps(value) + "\n"


def _values(of: Any) -> dict[str, Any]:
    return {name: getattr(of, name) for name in names_of(of)}


def decode_entry(data: bytes) -> Entry:
    """Return the entry that these bytes contain; raise NotAnEntry for anything else."""
    if not data.strip(b"\0 \n"):
        raise NotAnEntry("it is empty, as after a crash of the filesystem")
    try:
        value = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise NotAnEntry(f"it is not JSON: {error}") from error
    version = _object(value, "the journal").get("version")
    if isinstance(version, bool) or not isinstance(version, int) or version < 1:
        raise NotAnEntry("it has no version")
    if version > VERSION:
        raise NotAnEntry(f"it has version {version}, but this build supports {VERSION}", version)
    more = {"copy"} if version > WITHOUT_COPY else set[str]()
    _exactly(value, {"version", "places", "state", "node", *more}, "the journal")
    node = _exactly(value["node"], {"former_slot", "failed_starts"}, "its node")
    entry = Entry(
        places=decode_places(value["places"]),
        state=_state(value["state"]),
        former_slot=None if node["former_slot"] is None else text(node["former_slot"]),
        failed_starts=count(node["failed_starts"]),
        copy=_copy(value["copy"]) if more else None,
    )
    if not entry.places and entry.state != Free():
        raise NotAnEntry("it names no place")
    return entry


def decode_places(value: object) -> tuple[Place, ...]:
    """Return a list of places; raise NotAnEntry for anything else."""
    if not isinstance(value, list):
        raise NotAnEntry("its places are not a list")
    return tuple(map(_place, value))


def flags(value: object) -> dict[str, bool]:
    """Return an object of booleans; raise NotAnEntry for anything else."""
    found = _object(value, "a list of places that were empty")
    if not all(isinstance(flag, bool) for flag in found.values()):
        raise NotAnEntry("a value is neither true nor false")
    return found


def text(value: object) -> str:
    """Return a string that the system accepts as a name; raise NotAnEntry for anything else."""
    if not isinstance(value, str):
        raise NotAnEntry("a value is not a string")
    try:
        is_name = b"\0" not in os.fsencode(value)
    except UnicodeEncodeError:
        is_name = False
    if not is_name:
        raise NotAnEntry("a string has a character that no name can have")
    return value


def count(value: object) -> int:
    """Return a number that can be a count; raise NotAnEntry for anything else."""
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value < MAX_COUNT:
        raise NotAnEntry("a value is not a count")
    return value


def _place(value: object) -> Place:
    found = _exactly(value, set(names_of(Place)), "a place")
    return Place(
        path=text(found["path"]),
        workspace=text(found["workspace"]),
        is_inside=_flag(found["is_inside"]),
        new=text(found["new"]),
    )


def _copy(value: object) -> Copy:
    found = _exactly(value, set(names_of(Copy)), "its copy")
    layout = _object(found["layout"], "the layout of its copy")
    begun_s = found["begun_s"]
    if isinstance(begun_s, bool) or not isinstance(begun_s, int):
        raise NotAnEntry("the time of its copy is not a number")
    return Copy(
        system_identifier=text(found["system_identifier"]),
        begun_s=begun_s,
        layout={text(path): text(new) for path, new in layout.items()},
    )


def _state(value: object) -> State:
    name = _object(value, "its state").get("is")
    kind = STATES.get(name) if isinstance(name, str) else None
    if kind is None:
        raise NotAnEntry("its state is unknown")
    names = set(names_of(kind))
    found = _exactly(value, {"is", *names}, "its state")
    return kind(**{name: _part(name, found[name]) for name in names})


def _part(name: str, value: object) -> Any:
    """Return a field of a state; raise NotAnEntry for a value that it cannot have."""
    match name:
        case "method":
            return text(value)
        case "is_out":
            return _flag(value)
        case "was_empty":
            return flags(value)
        case "before" if value is None or value in get_args(Before):
            return value
        case "over" if value in get_args(Over):
            return value
    raise NotAnEntry(f'field "{name}" of its state has an unknown value')


def _flag(value: object) -> bool:
    if not isinstance(value, bool):
        raise NotAnEntry("a value is neither true nor false")
    return value


def _object(value: object, what: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise NotAnEntry(f"{what} is not an object")
    return value


def _exactly(value: object, names: set[str], what: str) -> dict[str, Any]:
    found = _object(value, what)
    if found.keys() != names:
        fields, wanted = ", ".join(sorted(found)), ", ".join(sorted(names))
        raise NotAnEntry(f"{what} has the fields {fields} instead of {wanted}")
    return found
