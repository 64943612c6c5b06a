"""Files of a package are left alone, also by a command from elsewhere."""

from pathlib import Path

import pytest

from pgpool_recovery.cli.commands import install as command
from pgpool_recovery.domain.error import Refused
from pgpool_recovery.install.extension import Installation, extension_files
from pgpool_recovery.install.package_list import package_of

PACKAGE = "postgresql-15-pgpool-recovery"


@pytest.fixture
def lists(tmp_path: Path) -> Path:
    lists = tmp_path / "owned"
    lists.mkdir()
    (lists / "postgresql-14-pgpool-recovery").write_text("/14/a.control\n/14/a.sql\n")
    (lists / PACKAGE).write_text("/15/a.control\n/15/a.sql\n")
    return lists


def test_package_is_named(lists: Path) -> None:
    assert package_of([Path("/15/b.sql"), Path("/15/a.sql")], lists) == PACKAGE
    assert package_of([Path("/15/a.sq"), Path("/16/a.sql")], lists) is None
    assert package_of([], lists) is None


def test_without_packages_there_are_no_lists(tmp_path: Path) -> None:
    assert package_of([Path("/15/a.sql")], tmp_path / "owned") is None


def test_unreadable_list_is_a_refusal(lists: Path) -> None:
    (lists / "directory").mkdir()
    with pytest.raises(Refused, match=r"could not read .*/owned: Is a directory"):
        package_of([Path("/16/a.sql")], lists)


@pytest.fixture
def installations(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[Installation]:
    """Return one server whose extension files belong to a package, and one without a package."""
    found = []
    for major in (15, 16):
        share = tmp_path / str(major)
        (share / "extension").mkdir(parents=True)
        (share / "plpython3.so").touch()
        found.append(Installation(share / "pg_config", major, share, share))
    packaged = [file.path for file in extension_files(found[0])]

    def owner(paths: list[Path]) -> str | None:
        return PACKAGE if set(paths) & set(packaged) else None

    monkeypatch.setattr(command, "package_of", owner)
    monkeypatch.setattr(command, "_installations", lambda *_args, **_named: found)
    return found


def files(installation: Installation) -> list[str]:
    return sorted(path.name for path in (installation.share_directory / "extension").iterdir())


def test_install_and_uninstall_leave_them_alone(
    installations: list[Installation], capsys: pytest.CaptureFixture[str]
) -> None:
    packaged, other = installations
    line = (
        f"the extensions' files in {packaged.share_directory}/extension belong to package "
        f"{PACKAGE}: left alone"
    )
    command.install()
    assert capsys.readouterr().out.splitlines()[0] == line
    assert files(packaged) == []
    assert "pgpool_recovery.control" in files(other)
    (packaged.share_directory / "extension" / "pgpool_recovery.control").write_text(
        "# Part of pgpool-recovery.\n"
    )
    command.uninstall()
    said = capsys.readouterr().out.splitlines()
    assert said[0] == line
    assert len(said) > 1
    assert (files(packaged), files(other)) == (["pgpool_recovery.control"], [])
    command.uninstall()
    assert capsys.readouterr().out.splitlines() == [line]
