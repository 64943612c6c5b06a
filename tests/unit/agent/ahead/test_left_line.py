"""What a killed recovery has left is put right by the next one, and by a remote start."""

import os
import shutil
from contextlib import nullcontext
from pathlib import Path

import pytest

from pgpool_recovery.agent.answers.answers import Answers
from pgpool_recovery.agent.directory.ahead_line import SPOOL, OwnCommand, line_of
from pgpool_recovery.agent.directory.configuration import with_settings
from pgpool_recovery.domain.error import RecoveryError
from pgpool_recovery.domain.event import Event, Said
from pgpool_recovery.host import lock
from pgpool_recovery.host.stop import Stop
from pgpool_recovery.talk.protocol import Request
from pgpool_recovery.talk.request.directory import IsTidy, Tidy
from pgpool_recovery.talk.request.server import Start
from tests.unit.agent.as_nobody import as_nobody

OWN = "cp '/archive/%f' \"%p\" # 100%%"
AGAIN = "restore_command is again what it was before an interrupted recovery"


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """Return a data directory with the line of a process that is gone, and its files."""
    made = tmp_path / "data"
    (made / SPOOL).mkdir(parents=True)
    (made / SPOOL / "000000010000000000000003").write_text("WAL")
    made.chmod(0o700)
    line = line_of(OwnCommand(OWN, is_in_auto=True), ["0000000000000009"], 2**22 + 1, 60)
    (made / "postgresql.auto.conf").write_text(with_settings("", {"restore_command": line}))
    return made


def answered(request: Request) -> list[str]:
    """Have a request answered; return what was said meanwhile."""
    said: list[Event] = []
    answers = Answers(Stop(), said.append)
    without_a_server = pytest.raises(RecoveryError, match="is not a data directory")
    with without_a_server if isinstance(request, Start) else nullcontext():
        answers.result_of(request)
    answers.take_back()
    return [one.line for one in said if isinstance(one, Said)]


def requests(data: Path) -> list[Request]:
    return [Tidy(str(data)), Start(str(data), (), (), 1.0)]


@pytest.mark.parametrize("number", [0, 1])
def test_own_command_is_put_back_once(data: Path, number: int) -> None:
    request = requests(data)[number]
    assert AGAIN in answered(request)
    text = (data / "postgresql.auto.conf").read_text()
    assert text == with_settings("", {"restore_command": OWN})
    assert list((data / "pg_wal").iterdir()) == []
    assert AGAIN not in answered(request)


@pytest.mark.parametrize("number", [0, 1])
def test_what_a_recovery_needs_that_still_runs_stays(data: Path, number: int) -> None:
    before = (data / "postgresql.auto.conf").read_text()
    held = lock.lock(data / SPOOL)
    assert answered(requests(data)[number]) == [
        "another recovery of this node is still fetching WAL ahead"
    ]
    assert (data / "postgresql.auto.conf").read_text() == before
    assert len(list((data / SPOOL).iterdir())) == 2
    assert Answers(Stop(), lambda _: None).result_of(IsTidy(str(data)))
    lock.unlock(held)
    assert not Answers(Stop(), lambda _: None).result_of(IsTidy(str(data)))
    assert AGAIN in answered(requests(data)[number])


def test_directory_into_which_others_can_write_is_left_alone(data: Path) -> None:
    data.chmod(0o770)
    before = (data / "postgresql.auto.conf").read_text()
    assert answered(Tidy(str(data))) == []
    assert (data / "postgresql.auto.conf").read_text() == before


def test_failure_is_told_and_ends_nothing(data: Path) -> None:
    (data / "postgresql.auto.conf").unlink()
    (data / "postgresql.auto.conf").mkdir()
    (said,) = answered(Tidy(str(data)))
    assert said.startswith("restore_command could not be set back: ")


def test_plan_says_that_it_will_be_put_right(data: Path) -> None:
    answers = Answers(Stop(), lambda _event: None)
    assert answers.result_of(IsTidy(str(data))) is False
    answers.result_of(Tidy(str(data)))
    assert answers.result_of(IsTidy(str(data))) is True


def test_plan_does_not_depend_on_it(data: Path) -> None:
    (data / "postgresql.auto.conf").unlink()
    (data / "postgresql.auto.conf").mkdir()
    assert Answers(Stop(), lambda _event: None).result_of(IsTidy(str(data))) is True


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root, for a directory of root")
@pytest.mark.parametrize("name", [".", "pg_wal", "postgresql.auto.conf"])
def test_what_cannot_be_read_ends_nothing(data: Path, name: str) -> None:
    """It is reported with its reason when the node is observed."""
    shutil.rmtree(data / SPOOL)

    def tidy() -> None:
        assert answered(Tidy(str(data))) == []

    as_nobody(data.parent, tidy, {data / name: 0o700 if (data / name).is_dir() else 0o600})


def test_files_without_a_line_are_left_over_too(data: Path) -> None:
    (data / "postgresql.auto.conf").write_text("")
    answers = Answers(Stop(), lambda _: None)
    assert not answers.result_of(IsTidy(str(data)))
    answers.result_of(Tidy(str(data)))
    assert answers.result_of(IsTidy(str(data)))
    assert list((data / "pg_wal").iterdir()) == []
