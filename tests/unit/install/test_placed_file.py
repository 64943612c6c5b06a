"""What stood in the place of a file comes back."""

from pathlib import Path

import pytest

from pgpool_recovery.domain.error import Refused
from pgpool_recovery.install.placed_file import OURS, PlacedFile, place, take_away


def ours(path: Path, text: str = "1") -> PlacedFile:
    return PlacedFile(path, b"# " + OURS + b"\n" + text.encode(), 0o755)


def test_new_file_and_again(tmp_path: Path) -> None:
    file = ours(tmp_path / "script")
    assert place(file, dry_run=False) == f"{file.path} installed"
    assert file.path.stat().st_mode & 0o777 == 0o755
    assert place(file, dry_run=False) == f"{file.path} is already up to date"
    assert place(ours(file.path, "2"), dry_run=False) == f"{file.path} updated"
    assert take_away(file, dry_run=False) == f"{file.path} removed"
    assert list(tmp_path.iterdir()) == []


def test_what_stood_there_comes_back(tmp_path: Path) -> None:
    file = ours(tmp_path / "script")
    file.path.write_text("foreign")
    file.path.chmod(0o700)
    assert "the previous file is now script.before-pgpool-recovery" in place(file, dry_run=False)
    place(ours(file.path, "2"), dry_run=False)
    assert "restored" in (take_away(file, dry_run=False) or "")
    assert file.path.read_text() == "foreign"
    assert file.path.stat().st_mode & 0o777 == 0o700
    assert take_away(file, dry_run=False) is None


def test_dry_run_does_nothing(tmp_path: Path) -> None:
    file = ours(tmp_path / "script")
    assert place(file, dry_run=True) == f"would do: {file.path} installed"
    assert list(tmp_path.iterdir()) == []
    place(file, dry_run=False)
    assert take_away(file, dry_run=True) == f"would do: {file.path} removed"
    assert file.path.exists()


def test_file_of_a_package_update_stays_and_the_outdated_one_goes(tmp_path: Path) -> None:
    file = ours(tmp_path / "script")
    file.path.write_text("1.4")
    place(file, dry_run=False)
    file.path.write_text("1.5")
    assert take_away(file, dry_run=False) == f"{file.saved} removed, since {file.path} is not ours"
    assert [entry.read_text() for entry in tmp_path.iterdir()] == ["1.5"]


def test_missing_directory_is_refused(tmp_path: Path) -> None:
    with pytest.raises(Refused, match="could not install"):
        place(ours(tmp_path / "nowhere" / "script"), dry_run=False)
