"""A caller who names a data directory cannot redirect the agent elsewhere with any request."""

import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path
from typing import Any, get_args

import pytest

from pgpool_recovery.agent.answers.answers import places_of
from pgpool_recovery.agent.directory.place import observe_place
from pgpool_recovery.agent.serve import Agent
from pgpool_recovery.domain.error import Refused
from pgpool_recovery.domain.wal import History, TimelineId
from pgpool_recovery.facts.blocks import BlockFormat, BlockSource, BlockTarget
from pgpool_recovery.facts.step.moving import Reserve
from pgpool_recovery.facts.step.place import Place, Places, TablespacePlace
from pgpool_recovery.host.way import trusted_directory
from pgpool_recovery.talk.protocol import Request
from pgpool_recovery.talk.request.blocks import OpenChannel, ReceiveBlocks, StartFileBackup
from pgpool_recovery.talk.request.directory import (
    AskState,
    DigestWal,
    DiscardOld,
    IsTidy,
    Observe,
    ReadBase,
    Tidy,
)
from pgpool_recovery.talk.request.host import AskArchive, AskConfinement, LookAround, TryArchive
from pgpool_recovery.talk.request.server import (
    AskRunning,
    AskSource,
    AskStandby,
    Believe,
    DropFormerSlots,
    FindLog,
    MakeIndependent,
    ReadSlotName,
    Start,
    StopAtOnce,
    StopServer,
)
from pgpool_recovery.talk.request.steps import AskMade, TakeStep, WriteLabel
from tests.unit.other_server import NOBODY, listener

OF_BLOCKS = {BlockSource, BlockTarget}
"""What names a directory within a request."""
OF_A_DIRECTORY = {"data_directory", "directory"}
NOT_WRITTEN = {"bin_directory", "bin_directories", "wal_directory", "directories"}
"""Programs, from the settings; what observe_place looks at; and paths in a directory that Reserve
has checked (Expect)."""


def asked(data: Path) -> list[Request]:
    """Return all requests that name a directory."""
    place = Place(str(data), f"{data}.w", is_inside=False, new=f"{data}.w/new")
    beside = Place(f"{data.parent.parent}/x", "/w", is_inside=False, new="/w/new")
    made = BlockFormat("1", "PG_15_1", 8192, 131072, has_checksums=False)
    read = BlockSource(str(data), (), made)
    written = BlockTarget(str(data), {}, made, "global/new", f"{data}.w/permit", "token", None)
    return [
        Tidy(str(data)),
        IsTidy(str(data)),
        AskState(str(data)),
        AskMade(Observe(str(data), 15, (), (), {}, None, (), 1)),
        WriteLabel(str(data), "label"),
        Observe(str(data), 15, (), (), {}, None, (), 1),
        LookAround(str(data), ("stage",), "postgres", None),
        AskConfinement(str(data)),
        AskRunning(str(data), "postgres", None),
        AskArchive(str(data), "false", History(TimelineId(1)), TimelineId(1), 1),
        TryArchive(str(data), "false", (), 1, 1),
        FindLog(str(data)),
        StopServer(str(data), (), 1),
        Start(str(data), (), (), 1),
        MakeIndependent(str(data), {}, 1),
        AskStandby(str(data), "postgres", None, None, None),
        AskSource(str(data), "postgres", None, None),
        StartFileBackup(str(data), "postgres", None, "label", 1),
        Believe(str(data)),
        StopAtOnce(str(data), (), 1, 0),
        DiscardOld(str(data)),
        DropFormerSlots(str(data), "postgres", None, ()),
        ReadSlotName(str(data)),
        DigestWal(str(data), ()),
        ReadBase(str(data), "/bin", (), 1),
        OpenChannel(read, written, ("false",), 1, None),
        ReceiveBlocks(written, 1, None),
        TakeStep(Reserve(Places(place, None, ())), 1),
        TakeStep(Reserve(Places(beside, place, ())), 1),
        TakeStep(Reserve(Places(beside, None, (TablespacePlace(1, "/b", place),))), 1),
    ]


@pytest.fixture
def outer() -> Iterator[Path]:
    """Yield a directory that everybody may enter."""
    with tempfile.TemporaryDirectory(dir="/var/tmp") as made:
        Path(made).chmod(0o755)
        (Path(made) / "y" / "data").mkdir(parents=True)
        yield Path(made)


def ask(request: Request) -> dict[str, Any]:
    """Return how an agent fails."""
    requests, messages = os.pipe()
    try:
        failure = Agent(requests, messages)._answer(request).failure
    finally:
        os.close(requests)
        os.close(messages)
    assert failure is not None, request
    return failure


def everything(directory: Path) -> list[tuple[str, int, int]]:
    found = sorted(directory.rglob("*"))
    return [(str(path), path.lstat().st_mode, path.lstat().st_mtime_ns) for path in found]


def test_every_request_that_names_a_directory_is_among_them() -> None:
    known = {type(request) for request in asked(Path("/nowhere/at/all"))}
    for kind in get_args(Request):
        named = {field.name for field in fields(kind) if "director" in field.name} - NOT_WRITTEN
        assert kind in known or not OF_BLOCKS & {field.type for field in fields(kind)}, kind
        assert named <= OF_A_DIRECTORY
        assert not named or kind in known, kind
    for request in asked(Path("/nowhere/at/all")):
        assert Path("/nowhere/at/all") in set(places_of(request))


@pytest.mark.usefixtures("as_root")
@pytest.mark.parametrize("trap", ["above", "sticky", "itself", "link", "open", "open itself"])
def test_promise_13_what_others_can_replace_is_neither_read_nor_written(
    outer: Path, trap: str
) -> None:
    data, culprit = outer / "y" / "data", outer / "y"
    match trap:
        case "above":
            os.chown(culprit, NOBODY, NOBODY)
        case "sticky":
            os.chown(culprit, NOBODY, NOBODY)
            culprit.chmod(0o1777)
        case "itself":
            culprit = data
            os.chown(culprit, NOBODY, NOBODY)
        case "open":
            culprit.chmod(0o777)
        case "open itself":
            culprit = data
            culprit.chmod(0o777)
        case "link":
            culprit = outer / "link"
            culprit.symlink_to(data)
            os.lchown(culprit, NOBODY, NOBODY)
            data = culprit
    before = everything(outer)
    why = "is writable by everybody" if "open" in trap else "belongs to nobody"
    for request in asked(data):
        failure = ask(request)
        assert (failure["error"], failure["message"]) == ("Refused", f"{culprit} {why}"), request
        assert failure["target"] == "untouched"
        assert "chown" in failure["hint"]
    with pytest.raises(Refused):
        observe_place(data, is_own=True)
    assert everything(outer) == before


@pytest.mark.usefixtures("as_root")
def test_usual_directories_are_taken(outer: Path) -> None:
    """Group-writable ones, sticky ones such as /var/tmp, and missing ones are accepted, too."""
    data = outer / "y" / "data"
    os.chown(outer / "y", -1, 12345)
    for mode in (0o775, 0o2770, 0o1777):
        (outer / "y").chmod(mode)
        for path in (data, outer / "y" / "new"):
            assert trusted_directory(path) == path
            assert trusted_directory(outer / "y" / ".." / "y" / path.name) == path
    (outer / "link").symlink_to("y/data")
    assert trusted_directory(outer / "link") == data
    (outer / "y").chmod(0o755)
    assert trusted_directory(outer / "y" / "new" / "data") == outer / "y" / "new" / "data"
    data.chmod(0o1777)  # As in the official images before a server exists.
    assert trusted_directory(data) == data


def test_path_on_which_everybody_can_create_entries_is_refused(outer: Path) -> None:
    (outer / "y").chmod(0o1777)
    with pytest.raises(Refused, match="is writable by everybody"):
        trusted_directory(outer / "y" / "new" / "data")


@pytest.mark.usefixtures("as_root")
def test_promise_13_server_of_another_user_gets_no_login(outer: Path) -> None:
    """A FIFO says where to log in, after the data directory has become a link to the real one."""
    data = outer / "y" / "data"
    os.mkfifo(data / "postmaster.pid")
    for path in (outer / "y", data, data / "postmaster.pid"):
        os.chown(path, NOBODY, NOBODY)
    began = time.monotonic()
    with listener(outer / ".s.PGSQL.5432", NOBODY) as process:
        assert ask(LookAround(str(data), (), "postgres", None))["error"] == "Refused"
        assert time.monotonic() - began < 10  # Opening the FIFO does not block.
        assert process.poll() is None  # A server that was connected to has reported it and ended.
    shutil.rmtree(outer / "y")
