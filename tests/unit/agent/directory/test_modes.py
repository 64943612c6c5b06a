"""What is created in a data directory has the modes that its own server would use."""

from pathlib import Path

import pytest

from pgpool_recovery.agent.directory import past, swap
from pgpool_recovery.agent.directory.configuration import write_standby_settings
from pgpool_recovery.agent.directory.modes import directory_mode, file_mode, make_location
from pgpool_recovery.agent.directory.workspace import take_out
from pgpool_recovery.domain.data_directory import AUTO_CONFIGURATION
from pgpool_recovery.domain.wal import Lsn, TimelineId
from pgpool_recovery.facts.step.place import Place, Places
from pgpool_recovery.facts.step.standby import KeepToPast

MODES = [(0o700, 0o600), (0o750, 0o640), (0o710, 0o600), (0o770, 0o640)]


def mode_of(path: Path) -> int:
    return path.stat().st_mode & 0o777


def data_directory(root: Path, mode: int) -> Path:
    data = root / "data"
    (data / "pg_wal").mkdir(parents=True)
    (data / "global").mkdir()
    data.chmod(mode)
    return data


def places(data: Path, *, is_inside: bool = False) -> Places:
    workspace = f"{data}/pgpool_recovery" if is_inside else f"{data}.pgpool_recovery"
    place = Place(str(data), workspace, is_inside=is_inside, new=f"{workspace}/new")
    return Places(data=place, wal=None, tablespaces=())


@pytest.mark.parametrize(("directory", "file"), MODES)
def test_files_and_directories(tmp_path: Path, directory: int, file: int) -> None:
    data = data_directory(tmp_path, directory)
    assert file_mode(data) == file
    assert directory_mode(data) == (0o750 if file == 0o640 else 0o700)
    make_location(tmp_path / "space", data)
    assert mode_of(tmp_path / "space") == directory_mode(data)


@pytest.mark.parametrize(("directory", "file"), MODES[:2])
def test_settings_are_as_before_or_as_the_server_makes_them(
    tmp_path: Path, directory: int, file: int
) -> None:
    data = data_directory(tmp_path, directory)
    write_standby_settings(data, {"port": "1"})
    assert mode_of(data / AUTO_CONFIGURATION) == file
    (data / AUTO_CONFIGURATION).chmod(0o600)  # It has a password.
    write_standby_settings(data, {"port": "2"})
    assert mode_of(data / AUTO_CONFIGURATION) == 0o600
    (data / AUTO_CONFIGURATION).chmod(0o666)
    write_standby_settings(data, {"port": "3"})
    assert mode_of(data / AUTO_CONFIGURATION) == file


class Source:
    """A primary with a history file and WAL."""

    def history(self, timeline: TimelineId) -> bytes | None:
        return f"{timeline - 1}\t0/1\tx\n".encode()

    def segment(self, timeline: TimelineId, begin: Lsn, size_bytes: int) -> bytearray:
        return bytearray(size_bytes + 0 * timeline * begin)


@pytest.mark.parametrize(("directory", "file"), MODES[:2])
def test_wal_and_histories(tmp_path: Path, directory: int, file: int) -> None:
    data = data_directory(tmp_path, directory)
    step = KeepToPast(
        places=places(data),
        directory=str(data),
        moved=(),
        fetched=("000000020000000000000001",),
        histories=(TimelineId(2),),
        gaps=(),
        conninfo={},
        segment_bytes=1024,
    )
    past.keep_to_past(step, Source(), past.begin(step))
    assert {mode_of(entry) for entry in (data / "pg_wal").iterdir()} == {file}
    assert len(list((data / "pg_wal").iterdir())) == 2


@pytest.mark.parametrize("mode", [0o700, 0o750])
def test_directory_that_is_changed_elsewhere_has_the_mode_of_its_place(
    tmp_path: Path, mode: int
) -> None:
    """Pg_rewind uses that mode."""
    data = data_directory(tmp_path, mode)
    made = places(data, is_inside=True)
    swap.reserve(made)
    take_out(made.data)
    assert mode_of(Path(made.data.new)) == mode
