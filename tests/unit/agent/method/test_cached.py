"""Nothing of the data that a run left half changed stays in the system's cache."""

import os
from pathlib import Path

import pytest

from pgpool_recovery.agent.method.cached import forget_cached
from pgpool_recovery.domain.error import Cancelled
from tests.unit.agent.method.incremental.target import GONE_OID, KEPT_OID, VERSION, Target
from tests.unit.blocks.test_considerate import cached, filled

DATA = (
    *("base/5/16384", "base/5/16384_vm", "base/6/1259", "global/1260", "pg_xact/0000"),
    f"pg_tblspc/{KEPT_OID}/{VERSION}/5/16500",
    f"pg_tblspc/{GONE_OID}/{VERSION}/5/16600",
)


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return Target(tmp_path).data


def test_every_file_of_the_data_is_forgotten(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    forgotten = set[str]()

    def note(descriptor: int, offset: int, size: int, advice: int) -> None:
        assert (offset, size, advice) == (0, 0, os.POSIX_FADV_DONTNEED)
        forgotten.add(str(Path(f"/proc/self/fd/{descriptor}").readlink()))

    monkeypatch.setattr(os, "posix_fadvise", note)
    os.mkfifo(data / "base/5/fifo")
    (data / "base/5/link").symlink_to(data / "postgresql.conf")
    forget_cached(data, lambda: None)
    assert {str((data / name).resolve()) for name in DATA} <= forgotten
    assert str(data / "postgresql.conf") not in forgotten


def test_file_is_read_from_the_disk_afterwards(data: Path) -> None:
    with (data / "base/5/16384").open("rb+") as file:
        contents = filled(file.fileno(), 1 << 17)
        if cached(file.fileno(), 1):
            pytest.skip("the filesystem of the test has no disk")
        assert file.read() == contents
        assert cached(file.fileno(), 1)
        forget_cached(data, lambda: None)
        assert not cached(file.fileno(), 1)
        file.seek(0)
        assert file.read() == contents


def test_it_can_be_ended(data: Path) -> None:
    def cancelled() -> None:
        raise Cancelled("stopped")

    with pytest.raises(Cancelled):
        forget_cached(data, cancelled)
