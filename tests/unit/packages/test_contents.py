"""What the packages contain, whatever their format."""

from pathlib import Path

import pytest

from packages import contents
from packages.licences import copyright_file
from packages.tree import File
from pgpool_recovery.config.own_command import LAUNCHER
from pgpool_recovery.install.package_list import LISTS
from tests.unit.packages.wheels import CONTROL, LICENCE, NAMES, make_wheels, only_in

DIRECTORY = "/usr/share/postgresql/15/extension"


@pytest.fixture(scope="module")
def wheels(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_wheels(tmp_path_factory.mktemp("packages") / "wheels")


def words(entry: object) -> str:
    assert isinstance(entry, File)
    return entry.contents.decode()


def test_command_and_what_it_imports(wheels: Path) -> None:
    tree = contents.command(wheels)
    assert [path for path in tree if "/usr/lib/pgpool-recovery/" in path] == [
        f"/usr/lib/pgpool-recovery/{name}"
        for name in sorted(
            [
                "needed-1.5.dist-info/METADATA",
                "needed/__init__.py",
                "needed/py.typed",
                "pgpool-recovery.launcher",
                "pgpool_recovery-2.0.0.dist-info/METADATA",
                "pgpool_recovery/__init__.py",
                "pgpool_recovery/cli/__init__.py",
                "pgpool_recovery/cli/main.py",
                "pgpool_recovery/only_2_0_0/__init__.py",
                *(f"pgpool_recovery/extension/{name}.control" for name in NAMES),
                *(f"pgpool_recovery/extension/{name}--2.0.sql" for name in NAMES),
                f"pgpool_recovery/extension/{only_in('2.0.0')}",
                "start.py",
            ]
        )
    ]
    programs = [path for path, entry in tree.items() if getattr(entry, "mode", 0) & 0o111]
    assert programs == ["/usr/bin/pgpool-recovery"]
    assert not [path for path in tree if path.startswith("/etc/")], "defaults hold without a file"


def test_command_knows_by_which_program_it_is_started(wheels: Path) -> None:
    tree = contents.command(wheels)
    assert words(tree[f"{contents.LIBRARY}/{LAUNCHER}"]) == "/usr/bin/pgpool-recovery\n"


def test_extension_has_a_list_of_its_files(wheels: Path) -> None:
    """The command looks for the list in this directory: install/package_list.py."""
    tree = contents.extension(wheels, DIRECTORY, "the-package")
    names = [f"{name}{suffix}" for name in NAMES for suffix in (".control", "--2.0.sql")]
    paths = sorted(f"{DIRECTORY}/{name}" for name in [*names, only_in("2.0.0")])
    assert list(tree) == sorted([*paths, f"{LISTS}/the-package"])
    assert words(tree[f"{LISTS}/the-package"]).splitlines() == paths
    assert words(tree[f"{DIRECTORY}/pgpool_adm.control"]) == CONTROL


def test_every_wheel_comes_with_its_licence(wheels: Path) -> None:
    stanzas = copyright_file(wheels).split("\n\n")
    theirs = next(one for one in stanzas if one.startswith("Files: usr/lib"))
    assert theirs.splitlines()[:3] == [
        "Files: usr/lib/pgpool-recovery/needed/*",
        "Copyright: Copyright (c) 2020 Somebody",
        "License: needed-MIT",
    ]
    lines = {line.strip() for line in theirs.splitlines()}
    assert {line for line in LICENCE.splitlines() if line} <= lines


def test_wheel_without_a_licence_cannot_be_packaged(tmp_path: Path) -> None:
    wheels = make_wheels(tmp_path / "wheels")
    (wheel,) = wheels.glob("needed-*.whl")
    wheel.write_bytes(wheel.read_bytes().replace(b"licenses/LICENSE", b"licenses/READ_ME"))
    with pytest.raises(ValueError, match="has no licence"):
        copyright_file(wheels)


def test_without_our_wheel_there_is_a_hint(tmp_path: Path) -> None:
    from packages.project import version

    with pytest.raises(FileNotFoundError, match="make wheel"):
        version(tmp_path)
