"""Files are fetched in order, within bounds, checked, and left to the server if anything fails."""

import errno
import os
import struct
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from pgpool_recovery.agent.ahead import fetch, setting
from pgpool_recovery.agent.ahead.fetch import Ahead
from pgpool_recovery.agent.ahead.setting import put_back, put_right
from pgpool_recovery.agent.directory.ahead_line import ASKED, DECLINED, SPOOL
from pgpool_recovery.agent.observe.restore_command import with_words
from pgpool_recovery.agent.server import running
from pgpool_recovery.domain.control_file import CONTROL_FILE
from pgpool_recovery.domain.wal import History, TimelineId
from pgpool_recovery.domain.wal_page import HAS_LONG_HEADER, MAGICS
from pgpool_recovery.facts.archived_wal import FetchAhead, WalOfPrimary
from pgpool_recovery.host.lock import LOCK_NAME
from pgpool_recovery.host.setting_source import find_sources
from tests.harness.until import until

SEGMENT = 2**20
OF_PRIMARY = WalOfPrimary(History(TimelineId(1), ()), SEGMENT, 15, "4711")
SOON_S = 20.0
FIRST, LAST = 3, 14
AUTO = "postgresql.auto.conf"


def name(segment: int) -> str:
    return f"00000001{segment:016X}"


def wal_file(segment: int, system: int = 4711) -> bytes:
    head = (MAGICS[15], HAS_LONG_HEADER, 1, segment * SEGMENT, 0, system, SEGMENT, 8192)
    return struct.pack("<HHIQI4xQII", *head).ljust(SEGMENT, b"\0")


@pytest.fixture
def data(tmp_path: Path) -> Path:
    made = tmp_path / "data"
    (made / "pg_wal").mkdir(parents=True)
    (made / "global").mkdir()
    (made / CONTROL_FILE).write_text("of before")
    made.chmod(0o700)
    (made / AUTO).write_text("work_mem = '8MB'\n")
    return made


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    made = tmp_path / "archive"
    made.mkdir()
    for segment in range(FIRST - 1, LAST + 3):
        (made / name(segment)).write_bytes(wal_file(segment))
    return made


class Fetching:
    """A directory for which WAL is fetched, and what was called and told meanwhile."""

    def __init__(self, data: Path, archive: Path, command: str, at_once: int, most: int) -> None:
        self.data = data
        self.calls = data.parent / "calls"
        self.calls.touch()
        self.told: list[str] = []
        self.command = f"echo begin %f >> {self.calls}; {command.replace('ARCHIVE', str(archive))}"
        limits = (10.0, FIRST - 1, FIRST, LAST, at_once, most, OF_PRIMARY)
        self.ahead = Ahead(FetchAhead(self.command, *limits), data, self.told.append)

    def begin(self) -> None:
        """Begin, and have the server begin to replay."""
        self.ahead.begin()
        self.replay()

    def replay(self) -> None:
        """Write the control file, as a server does when it begins to replay."""
        os.utime(self.data / CONTROL_FILE, ns=(0, time.time_ns()))

    @property
    def called(self) -> list[str]:
        return [line.split()[1] for line in self.calls.read_text().splitlines()]

    @property
    def waiting(self) -> list[str]:
        there = [file.name for file in (self.data / SPOOL).iterdir()]
        return sorted(one for one in there if not one.startswith((ASKED, DECLINED, LOCK_NAME)))

    @property
    def line(self) -> str | None:
        found = find_sources([self.data / AUTO]).settings.get("restore_command")
        return None if found is None else found.text

    def take(self, segment: int) -> int:
        """Ask for a file as the server does; return the exit status."""
        assert self.line is not None
        line = with_words(self.line, name(segment), "pg_wal/RECOVERYXLOG")
        status = subprocess.run(["/bin/sh", "-c", line], cwd=self.data, check=False).returncode
        if status == 0:
            place = self.data / "pg_wal/RECOVERYXLOG"
            assert place.read_bytes() == wal_file(segment)
            place.unlink()
        return status


@pytest.fixture
def fetching(request: pytest.FixtureRequest, data: Path, archive: Path) -> Iterator[Fetching]:
    command, at_once, most = getattr(request, "param", ("cp ARCHIVE/%f %p", 4, 32))
    made = Fetching(data, archive, command, at_once, most)
    made.begin()
    yield made
    made.ahead.end()


def given(command: str, at_once: int = 4, most: int = 32) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("fetching", [(command, at_once, most)], indirect=True)


def wait_for(fetching: Fetching, files: list[str]) -> None:
    until(lambda: fetching.waiting == files, within_s=SOON_S, what=f"{files} to wait")


ALL = [name(segment) for segment in range(FIRST, LAST + 1)]


def test_server_gets_every_file_and_none_is_fetched_twice(fetching: Fetching) -> None:
    wait_for(fetching, ALL)
    for segment in range(FIRST, LAST + 1):
        assert fetching.take(segment) == 0
    assert sorted(fetching.called) == ALL


@pytest.mark.parametrize("segment", [FIRST - 1, LAST + 1])
def test_what_the_server_has_elsewhere(fetching: Fetching, segment: int) -> None:
    """It asks twice; if it does not find it, it asks again."""
    assert [fetching.take(segment) for _ in range(2)] == [1, 1]
    assert name(segment) not in fetching.called
    assert fetching.take(segment) == 0
    assert name(segment) in fetching.called


@given("cp ARCHIVE/%f %p", at_once=1)
def test_one_at_a_time_is_in_order(fetching: Fetching) -> None:
    wait_for(fetching, ALL)
    assert fetching.called == ALL


@given("while ! test -e ../go; do sleep 0.02; done; cp ARCHIVE/%f %p", at_once=3)
def test_the_next_ones_at_the_same_time(fetching: Fetching) -> None:
    until(lambda: len(fetching.called) == 3, within_s=SOON_S, what="three calls")
    assert sorted(fetching.called) == ALL[:3]
    assert fetching.waiting == [f"{one}.part" for one in ALL[:3]]
    (fetching.data.parent / "go").touch()
    wait_for(fetching, ALL)
    assert sorted(fetching.called) == ALL


@given("cp ARCHIVE/%f %p", at_once=2, most=3)
def test_no_more_than_may_wait(fetching: Fetching) -> None:
    for segment in range(FIRST, LAST - 2):
        here = ALL[segment - FIRST : segment - FIRST + 3]
        following = [f"{one}.part" for one in ALL[segment - FIRST + 3 :][:1]]
        wait_for(fetching, [*here, *following])
        assert len(fetching.called) == segment - FIRST + 3
        assert fetching.take(segment) == 0


@given(f"test %f != {name(7)} || exit 9; cp ARCHIVE/%f %p")
def test_hole_is_left_to_the_server(fetching: Fetching) -> None:
    until(lambda: "no more" in "".join(fetching.told), within_s=SOON_S, what="it to give up")
    assert fetching.called.count(name(7)) == 2, "once more, alone"
    assert fetching.take(6) == 0
    assert fetching.take(7) == 9, "the server asks by itself, and gets the command's own status"
    assert any("one file at a time" in one and "exit status 9" in one for one in fetching.told)


@given("mkdir ../busy || exit 5; sleep 0.2; cp ARCHIVE/%f %p; rmdir ../busy")
def test_archive_that_bears_only_one_call(fetching: Fetching) -> None:
    """The others fail; then they are fetched one at a time, and none is lost."""
    wait_for(fetching, ALL)
    (slower,) = [one for one in fetching.told if "one file at a time" in one]
    assert "exit status 5" in slower


@given(f"test %f != {name(FIRST)} || exit 9; cp ARCHIVE/%f %p")
def test_first_file_that_does_not_come(fetching: Fetching) -> None:
    until(lambda: "no more" in "".join(fetching.told), within_s=SOON_S, what="it to give up")
    assert fetching.take(FIRST) == 9


def test_nothing_is_called_until_the_server_replays(data: Path, archive: Path) -> None:
    """Before that it runs its own command, for history files."""
    fetching = Fetching(data, archive, "cp ARCHIVE/%f %p", 4, 32)
    fetching.ahead.begin()
    time.sleep(0.3)
    assert fetching.called == []
    assert fetching.waiting == [f"{ALL[0]}.part"], "from now on the server waits for it"
    fetching.replay()
    wait_for(fetching, ALL)
    fetching.ahead.end()


def test_file_that_the_server_needs_before_it_replays(data: Path, archive: Path) -> None:
    """It comes alone, as the server may ask for history files after it."""
    fetching = Fetching(data, archive, "cp ARCHIVE/%f %p", 4, 32)
    fetching.ahead.begin()
    assert fetching.take(FIRST) == 0
    time.sleep(0.3)
    assert fetching.called == [ALL[0]]
    assert fetching.waiting == [f"{ALL[1]}.part"], "the server may ask for it at once"
    assert fetching.take(FIRST + 1) == 0, "its checkpoint may end there"
    time.sleep(0.3)
    assert fetching.called == ALL[:2]
    fetching.replay()
    wait_for(fetching, ALL[2:])
    fetching.ahead.end()


def test_server_does_not_wait_for_what_does_not_fit(
    data: Path, archive: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fetching = Fetching(data, archive, "cp ARCHIVE/%f %p", 1, 1)
    fetching.begin()
    wait_for(fetching, [ALL[0], f"{ALL[1]}.part"])
    monkeypatch.setattr(Ahead, "_has_space", lambda _: False)
    wait_for(fetching, [ALL[0]])
    assert [fetching.take(FIRST), fetching.take(FIRST + 1)] == [0, 0]
    fetching.ahead.end()


def test_server_that_asks_for_much_that_it_has_itself(
    data: Path, archive: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It does so with its own command, as the line does not decline that much."""
    monkeypatch.setattr(fetch, "MOST_KEPT", 1)
    fetching = Fetching(data, archive, "cp ARCHIVE/%f %p", 4, 32)
    fetching.begin()
    time.sleep(0.3)
    assert fetching.called == []
    assert fetching.take(FIRST) == 0
    wait_for(fetching, ALL[1:])
    fetching.ahead.end()


def test_server_waits_for_a_file_whose_call_was_refused(data: Path, archive: Path) -> None:
    """Its own call would be refused as well, and end it, as long as there are others."""
    third = name(FIRST + 2)
    slow = f"while ! test -e ../go; do sleep 0.02; done; cp {archive}/%f %p"
    command = (
        f"test %f != {third} -o -e ../refused && {{ {slow}; }} || {{ >../refused; exit 255; }}"
    )
    fetching = Fetching(data, archive, command, 3, 32)
    fetching.begin()
    until(lambda: "exit status 255" in "".join(fetching.told), within_s=SOON_S, what="a refusal")
    statuses: list[int] = []
    server = threading.Thread(target=lambda: statuses.append(fetching.take(FIRST + 2)))
    server.start()
    time.sleep(0.3)
    assert fetching.called.count(third) == 1, "neither by the server nor by us"
    (data.parent / "go").touch()
    server.join(SOON_S)
    assert statuses == [0]
    assert fetching.called.count(third) == 2
    fetching.ahead.end()


def test_call_that_had_others_beside_it_does_not_count_as_alone(data: Path, archive: Path) -> None:
    """Even if one of them fails before it begins."""
    ahead, told = (made := Fetching(data, archive, "exit 255", 2, 32)).ahead, made.told
    (data / SPOOL).mkdir()
    ahead._replays = True
    claims = [ahead._claim(), ahead._claim()]
    for claim in claims:
        assert claim is not None
        ahead._fetch(claim)
    assert ["one file at a time" in line for line in told] == [True], told


def test_server_waits_until_all_calls_have_ended(
    data: Path, archive: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """When it is given up, the others are still being ended."""

    def fails(_: Path) -> int:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    monkeypatch.setattr(fetch, "file_mode", fails)
    first, second = ALL[:2]
    stubborn = "echo $$ > ../pid; trap '' TERM; while :; do sleep 0.02; done"
    own = f"kill -0 $(cat ../pid) 2>/dev/null && exit 7; cp {archive}/%f %p"
    ours = f"while ! test -s ../pid; do sleep 0.02; done; cp {archive}/%f %p"
    is_ours = "case %p in *ahead*)"
    command = f"test %f = {first} && {{ {stubborn}; }}; {is_ours} {ours};; *) {own};; esac"
    fetching = Fetching(data, archive, command, 2, 32)
    fetching.begin()
    until(lambda: "no more" in "".join(fetching.told), within_s=SOON_S, what="it to give up")
    assert fetching.take(FIRST + 1) == 0, f"{second} is not asked for while {first} is"
    assert fetching.called.count(second) == 2
    fetching.ahead.end()


@pytest.mark.parametrize(
    "command",
    [
        "head -c 1000 ARCHIVE/%f > %p",
        "cat ARCHIVE/%f ARCHIVE/%f > %p",
        "head -c 1048576 /dev/zero > %p",
        f"cp ARCHIVE/{name(3)} %p",
        "ln -s ARCHIVE/%f %p",
        "mkfifo %p",
        "true",
        "cp ARCHIVE/other %p",
    ],
)
def test_what_is_not_the_file_is_not_offered(data: Path, archive: Path, command: str) -> None:
    (archive / "other").write_bytes(wal_file(4, system=4712))
    whole = f"test %f = {name(3)} && cp ARCHIVE/%f %p || {{ {command}; }}"
    fetching = Fetching(data, archive, whole, 4, 32)
    fetching.begin()
    until(lambda: "no more" in "".join(fetching.told), within_s=SOON_S, what="it to give up")
    wait_for(fetching, [name(3)])
    fetching.ahead.end()


@pytest.mark.parametrize("has_own", [True, False])
def test_own_command_is_put_back(data: Path, archive: Path, has_own: bool) -> None:  # noqa: FBT001
    fetching = Fetching(data, archive, "cp 'ARCHIVE/%f' \"%p\" # it's 100%%", 4, 32)
    text = "work_mem = '8MB'\n"
    if has_own:
        quoted = fetching.command.replace("'", "''")
        text += f"restore_command = '{quoted}'\n"
    (data / AUTO).write_text(text)
    fetching.begin()
    assert fetching.line is not None
    assert "fetches ahead" in fetching.line
    fetching.ahead.end()
    assert (data / AUTO).read_text() == text
    assert sorted(one.name for one in (data / "pg_wal").iterdir()) == []


def test_own_command_is_put_back_after_a_kill(data: Path, archive: Path) -> None:
    fetching = Fetching(data, archive, "cp ARCHIVE/%f %p", 4, 32)
    child = os.fork()
    if child == 0:
        fetching.begin()
        wait_for(fetching, ALL)
        os.kill(os.getpid(), 9)
    os.waitpid(child, 0)
    assert fetching.take(FIRST) == 0
    assert [fetching.take(LAST + 1) for _ in range(2)] == [1, 1], "so that it streams"
    assert fetching.take(LAST + 1) == 0
    put_right(data, fetching.told.append)
    assert (data / AUTO).read_text() == "work_mem = '8MB'\n"
    assert not (data / SPOOL).exists()
    assert not put_back(data)


def test_second_recovery_leaves_alone_what_the_first_needs(fetching: Fetching) -> None:
    """Neither its line nor its files, until it has ended or was killed."""
    wait_for(fetching, ALL)
    line, told = fetching.line, list[str]()
    put_right(fetching.data, told.append)
    second = Ahead(fetching.ahead._ahead, fetching.data, told.append)
    second.begin()
    second.end()
    assert told[0].startswith("another recovery of this node is still fetching WAL ahead")
    assert told[1].startswith("no WAL is fetched ahead: ")
    assert len(told) == 2
    assert fetching.line == line
    assert fetching.waiting == ALL
    fetching.ahead.end()
    assert not (fetching.data / SPOOL).exists()
    second.begin()
    assert (fetching.data / SPOOL).exists(), "nothing of the first one is left"
    second.end()


def test_line_that_another_has_set_meanwhile_stays(fetching: Fetching) -> None:
    (fetching.data / AUTO).write_text("restore_command = 'mine %f %p'\n")
    fetching.ahead.end()
    assert fetching.line == "mine %f %p"


@pytest.mark.parametrize("own", ["another %f %p", ""])
def test_command_that_the_server_would_not_use(data: Path, archive: Path, own: str) -> None:
    (data / AUTO).write_text(f"restore_command = '{own}'\n")
    fetching = Fetching(data, archive, "cp ARCHIVE/%f %p", 4, 32)
    fetching.begin()
    fetching.ahead.end()
    assert (data / AUTO).read_text() == f"restore_command = '{own}'\n"
    assert not (data / SPOOL).exists()
    assert fetching.called == []
    assert "no WAL is fetched ahead" in fetching.told[0]


def test_call_that_hangs_is_ended_with_us(data: Path, archive: Path) -> None:
    fetching = Fetching(data, archive, "sleep 600", 4, 32)
    fetching.begin()
    until(lambda: len(fetching.called) == 4, within_s=SOON_S, what="four calls")
    began = time.monotonic()
    fetching.ahead.end()
    assert time.monotonic() - began < SOON_S
    assert not (data / SPOOL).exists()


BUSY = "cp ARCHIVE/%f %p; d=$(dirname %p); (sleep 0.2; mkdir -p $d/more; sleep 1) >/dev/null 2>&1 &"


@given(BUSY)
def test_command_that_leaves_a_process_which_writes_beside_the_file(fetching: Fetching) -> None:
    wanted = {name(segment) for segment in range(FIRST, LAST + 1)}
    until(lambda: wanted <= {*fetching.waiting}, within_s=SOON_S, what="all files to wait")
    assert fetching.take(FIRST) == 0
    fetching.ahead.end()
    assert fetching.line is None


@pytest.mark.parametrize("what", ["replace_auto", "reload"])
def test_what_waits_goes_even_if_the_line_cannot(
    data: Path, archive: Path, monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    """It may be what fills the disk."""
    fetching = Fetching(data, archive, "cp ARCHIVE/%f %p", 4, 32)
    fetching.begin()
    wait_for(fetching, [name(segment) for segment in range(FIRST, LAST + 1)])

    def fails(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    where = setting if what == "replace_auto" else running
    monkeypatch.setattr(where, what, fails)
    fetching.ahead.end()
    assert not (data / SPOOL).exists()
    assert any(line.startswith("restore_command could not be set back: ") for line in fetching.told)


def test_too_few_threads_are_no_failure(
    data: Path, archive: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(_: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", fails)
    fetching = Fetching(data, archive, "cp ARCHIVE/%f %p", 4, 32)
    fetching.begin()
    assert fetching.told[-1] == "0 files at a time are fetched ahead: can't start new thread"
    fetching.ahead.end()
    assert fetching.line is None


def test_what_cannot_be_removed_ends_nothing(
    data: Path, archive: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Such as a directory in which a process of the command has just written again."""

    def fails(_: Path) -> None:
        raise OSError(errno.ENOTEMPTY, os.strerror(errno.ENOTEMPTY))

    monkeypatch.setattr(fetch, "remove", fails)
    failing_once = f"test -e failed || {{ touch failed; exit 1; }}; cp {archive}/%f %p"
    fetching = Fetching(data, archive, failing_once, 4, 64)
    fetching.begin()
    wanted = {name(segment) for segment in range(FIRST, LAST + 1)}
    until(lambda: wanted <= {*fetching.waiting}, within_s=SOON_S, what="all files to wait")
    fetching.ahead.end()
