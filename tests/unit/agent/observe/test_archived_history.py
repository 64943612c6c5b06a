"""A restore_command is asked as the server asks it, and whatever it does has an end."""

import time
from pathlib import Path

import pytest

from pgpool_recovery.agent.observe.archived_history import ask_archive
from pgpool_recovery.domain.error import Cancelled
from pgpool_recovery.domain.wal import History, Lsn, Point, TimelineId
from pgpool_recovery.facts.archived_history import MAX_BEYOND, MAX_BYTES, Archive
from pgpool_recovery.host.stop import Stop
from pgpool_recovery.talk.request.host import AskArchive

FIRST = Point(TimelineId(1), Lsn(0x3000060))
ON_TWO = History(TimelineId(2), (FIRST,))
OF_TWO = "1\t0/3000060\tno recovery target specified\n"
OF_THREE = f"{OF_TWO}2\t0/4000000\tbefore 2026-11-27 10:00:00+00\n"
LIMIT_S = 0.5
SOON_S = 5.0


@pytest.fixture
def data(tmp_path: Path) -> Path:
    made = tmp_path / "data"
    made.mkdir(mode=0o700)
    return made


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    made = tmp_path / "archive"
    made.mkdir()
    (made / "00000002.history").write_text(OF_TWO)
    return made


def ask(
    data: Path, command: str, *, since: int = 1, timeout_s: float = 30, stop: Stop | None = None
) -> Archive:
    asked = AskArchive(str(data), command, ON_TWO, TimelineId(since), timeout_s)
    return ask_archive(asked, stop or Stop())


def copying(archive: Path) -> str:
    return f'cp {archive}/%f "%p"'


def timelines(found: Archive) -> list[int]:
    return [one.timeline for one in found.histories]


def test_files_are_those_of_the_archive(data: Path, archive: Path) -> None:
    (archive / "00000003.history").write_text(OF_THREE)
    found = ask(data, copying(archive))
    second, third = found.histories
    assert second.history == ON_TWO
    assert second.reason == "no recovery target specified"
    assert third.history is not None
    assert third.history.ends == (FIRST, Point(TimelineId(2), Lsn(0x4000000)))
    assert third.reason == "before 2026-11-27 10:00:00+00"
    assert (found.is_silent, found.fatal) == (False, None)


def test_they_are_asked_for_until_one_is_absent(data: Path, archive: Path, tmp_path: Path) -> None:
    (archive / "00000004.history").write_text(OF_THREE)
    asked = tmp_path / "asked"
    assert timelines(ask(data, f"echo %f >> {asked}; {copying(archive)}")) == [2]
    assert asked.read_text().split() == ["00000002.history", "00000003.history"]


def test_only_from_the_nodes_timeline_on(data: Path, archive: Path, tmp_path: Path) -> None:
    asked = tmp_path / "asked"
    ask(data, f"echo %f >> {asked}; false", since=3)
    assert asked.read_text().split() == ["00000003.history"]


def test_archive_that_has_all_of_them_has_an_end(data: Path, archive: Path) -> None:
    found = ask(data, f"cp {archive}/00000002.history %p")
    assert timelines(found) == list(range(2, 2 + 1 + MAX_BEYOND))


def test_command_works_as_the_servers_and_changes_nothing(data: Path, archive: Path) -> None:
    words = data.parent / "words"
    before = sorted(data.iterdir())
    found = ask(data, f'echo "$PWD $PGDATA %p %r %%" > {words}; cp {archive}/%f $PGDATA/%p')
    directory, pgdata, path, restart, percent = words.read_text().split()
    assert directory == pgdata == str(data)
    assert not Path(path).is_absolute(), "the server gives a path within its data directory"
    assert path.endswith("/RECOVERYHISTORY")
    assert (restart, percent) == ("0" * 24, "%")
    assert timelines(found) == [2]
    assert sorted(data.iterdir()) == before
    assert not (data / path).parent.exists()


def test_without_a_data_directory(tmp_path: Path, archive: Path) -> None:
    assert timelines(ask(tmp_path / "none", copying(archive))) == [2]


def test_silent_command_ends_and_is_not_called_again(data: Path, tmp_path: Path) -> None:
    asked = tmp_path / "asked"
    began = time.monotonic()
    found = ask(data, f"echo %f >> {asked}; sleep 600", timeout_s=LIMIT_S)
    assert time.monotonic() - began < SOON_S
    assert found.is_silent
    assert found.histories == ()
    assert LIMIT_S <= found.longest_s < SOON_S
    assert len(asked.read_text().split()) == 1


def test_command_that_writes_on_and_on_ends(data: Path) -> None:
    began = time.monotonic()
    found = ask(data, "while :; do head -c 100000 /dev/zero >> %p; sleep 0.05; done")
    assert time.monotonic() - began < SOON_S * (MAX_BEYOND + 2)
    assert not found.is_silent
    assert {one.history for one in found.histories} == {None}


@pytest.mark.parametrize(
    "command",
    [
        "echo '404 Not Found' > %p",
        f"head -c {MAX_BYTES + 1} /dev/zero > %p",
        "mkdir %p",
        "mkfifo %p",
        "echo '1' > %p",
    ],
)
def test_what_is_no_history_file(data: Path, command: str) -> None:
    first, *_ = ask(data, command).histories
    assert (first.history, first.reason) == (None, None)


def test_link_to_the_archive_is_a_file(data: Path, archive: Path) -> None:
    found = ask(data, f"ln -s {archive}/%f %p && test -e %p")
    assert timelines(found) == [2]


@pytest.mark.parametrize("command", ["false", "exit 125", "true", "exit 1"])
def test_file_that_is_not_there(data: Path, command: str) -> None:
    found = ask(data, command)
    assert (found.histories, found.is_silent, found.fatal) == ((), False, None)


def test_file_of_a_command_that_failed_is_not_read(data: Path, archive: Path) -> None:
    assert ask(data, f"{copying(archive)}; exit 1").histories == ()


@pytest.mark.parametrize(
    ("command", "fatal"),
    [
        ("echo 'No route to host' >&2; exit 255", "exit status 255 for 00000003.history (No route"),
        ("kill -9 $$", "signal 9 for 00000003.history (it wrote nothing)"),
        ("nothing_of_this_name", "exit status 127 for 00000003.history"),
    ],
)
def test_failure_at_which_the_server_ends(data: Path, command: str, fatal: str) -> None:
    found = ask(data, command)
    assert found.fatal is not None
    assert found.fatal.startswith(fatal)


def test_cancel_ends_it(data: Path) -> None:
    stop = Stop()
    stop.ask()
    with pytest.raises(Cancelled):
        ask(data, "sleep 600", stop=stop)
