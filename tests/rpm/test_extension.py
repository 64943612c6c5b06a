"""The package with the extension and the stock one: whose control files are there, and when.

Both have control files of the same names. Ours are in force while our package is installed, in
whatever order the two come and go, and the stock ones of the newest version are back after it.
"""

import pytest

from packages.project import NAME, ROOT
from tests.rpm.conftest import DIRECTORY, MAJOR, STOCK_NAME, Packages
from tests.rpm.scratch import ScratchRoot

NAMES = ("pgpool_recovery", "pgpool_adm", "pgpool_regclass")
OURS = {name: (ROOT / "extension" / f"{name}.control").read_text() for name in NAMES}
PACKAGE = f"{NAME}-pg{MAJOR}"
SAVED = ".before-pgpool-recovery"


def stock(version: str) -> dict[str, str]:
    """Return the control files of a stock package."""
    return {name: f"# stock {version} {name}\n" for name in NAMES}


def controls(scratch: ScratchRoot, suffix: str = "") -> dict[str, str]:
    """Return the control files that are in force, or with a suffix those that are saved."""
    end = f".control{suffix}"
    return {
        path.removeprefix(f"{DIRECTORY}/").removesuffix(end): text
        for path, text in scratch.files(DIRECTORY).items()
        if path.endswith(end)
    }


def in_force_over(scratch: ScratchRoot, version: str | None) -> None:
    """Ours are in force, and those of this stock version are saved; no others, nothing else."""
    assert controls(scratch) == OURS
    assert controls(scratch, SAVED) == ({} if version is None else stock(version))
    assert not [path for path in scratch.files(DIRECTORY) if path.endswith(".new-pgpool-recovery")]


def stock_alone(scratch: ScratchRoot, version: str) -> None:
    """Only the stock package's files are there, as it brought them."""
    assert controls(scratch) == stock(version)
    assert scratch.rpm("-V", "--nodeps", STOCK_NAME) == ""
    assert set(scratch.files()) == set(scratch.rpm("-ql", STOCK_NAME).split()) - {DIRECTORY}


def test_alone(scratch: ScratchRoot, packages: Packages) -> None:
    scratch.install(packages.extension[0])
    in_force_over(scratch, None)
    assert scratch.rpm("-V", "--nodeps", PACKAGE) == ""
    scratch.remove(PACKAGE)
    assert scratch.files() == {}


@pytest.mark.parametrize("order", ["stock first", "ours first", "in one transaction"])
def test_both_in_any_order(order: str, scratch: ScratchRoot, packages: Packages) -> None:
    ours, theirs = packages.extension[0], packages.stock[0]
    transactions = {
        "stock first": [[theirs], [ours]],
        "ours first": [[ours], [theirs]],
        "in one transaction": [[ours, theirs]],
    }
    for transaction in transactions[order]:
        scratch.install(*transaction)
    in_force_over(scratch, "1.3")
    scratch.remove(PACKAGE)
    stock_alone(scratch, "1.3")


def test_stock_is_updated_while_ours_is_there(scratch: ScratchRoot, packages: Packages) -> None:
    scratch.install(packages.stock[0])
    scratch.install(packages.extension[0])
    scratch.install(packages.stock[1])
    in_force_over(scratch, "1.4")
    scratch.remove(PACKAGE)
    stock_alone(scratch, "1.4")


def test_ours_is_updated_while_stock_is_there(scratch: ScratchRoot, packages: Packages) -> None:
    scratch.install(packages.stock[0])
    scratch.install(packages.extension[0])
    scratch.install(packages.extension[1])
    in_force_over(scratch, "1.3")
    scratch.remove(PACKAGE)
    stock_alone(scratch, "1.3")


def test_both_are_updated_in_one_transaction(scratch: ScratchRoot, packages: Packages) -> None:
    scratch.install(packages.stock[0], packages.extension[0])
    scratch.install(packages.stock[1], packages.extension[1])
    in_force_over(scratch, "1.4")
    scratch.remove(PACKAGE)
    stock_alone(scratch, "1.4")


def test_stock_is_removed_while_ours_is_there(scratch: ScratchRoot, packages: Packages) -> None:
    scratch.install(packages.stock[0])
    scratch.install(packages.extension[0])
    scratch.remove(STOCK_NAME)
    in_force_over(scratch, None)
    scratch.remove(PACKAGE)
    assert scratch.files() == {}


@pytest.mark.parametrize("first", ["stock", "ours"])
def test_both_are_removed_in_one_transaction(
    first: str, scratch: ScratchRoot, packages: Packages
) -> None:
    scratch.install(packages.stock[0], packages.extension[0])
    names = [STOCK_NAME, PACKAGE] if first == "stock" else [PACKAGE, STOCK_NAME]
    scratch.remove(*names)
    assert scratch.files() == {}


def test_over_what_the_command_install_has_placed(scratch: ScratchRoot, packages: Packages) -> None:
    """An older build has placed a script that this one does not have, and saved the stock files."""
    scratch.install(packages.stock[0])
    place = scratch.at(DIRECTORY)
    for name in NAMES:
        control = place / f"{name}.control"
        control.rename(f"{control}{SAVED}")
        control.write_text("# Part of pgpool-recovery. Of an older build.\n")
    left = place / "pgpool_recovery--1.9--2.0.sql"
    left.write_text("-- Part of pgpool-recovery. Of an older build.\n")
    scratch.install(packages.extension[0])
    in_force_over(scratch, "1.3")
    assert not left.exists()
    scratch.remove(PACKAGE)
    stock_alone(scratch, "1.3")


def test_control_file_by_hand_is_left_alone(scratch: ScratchRoot, packages: Packages) -> None:
    """What somebody has put in the place of ours is newer than what was saved."""
    scratch.install(packages.stock[0], packages.extension[0])
    own = scratch.at(f"{DIRECTORY}/pgpool_adm.control")
    own.unlink()
    own.write_text("# by hand\n")
    scratch.remove(PACKAGE)
    assert controls(scratch) == stock("1.3") | {"pgpool_adm": "# by hand\n"}
    assert controls(scratch, SAVED) == {}


def test_owned_list_names_the_files_in_their_places(
    scratch: ScratchRoot, packages: Packages
) -> None:
    """By it, the commands `install` and `uninstall` know the files that they leave alone."""
    scratch.install(packages.extension[0])
    owned = scratch.files()[f"/usr/share/{NAME}/owned/{PACKAGE}"].split()
    assert owned == sorted(scratch.files(DIRECTORY))
