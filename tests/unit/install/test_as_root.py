"""Installing as root: no other user can redirect it to another file, or make root run a program."""

import os
import shlex
from pathlib import Path

import pytest

from pgpool_recovery.config.own_command import own_command
from pgpool_recovery.domain.error import Refused
from pgpool_recovery.install.extension import find_installations
from pgpool_recovery.install.pgpool_conf import change_of, restore, with_ours, write
from pgpool_recovery.install.placed_file import OURS, PlacedFile, place, take_away
from pgpool_recovery.install.stage_commands import stage_commands

NOBODY = 65534
CONF = "recovery_password = 'S3cret'\n"
COMMAND = ["/usr/local/bin/pgpool-recovery"]
pytestmark = pytest.mark.usefixtures("as_root")


@pytest.fixture
def theirs(tmp_path: Path) -> Path:
    """Return a directory of the user nobody, with a pgpool.conf."""
    directory = tmp_path / "theirs"
    directory.mkdir()
    (directory / "pgpool.conf").write_text(CONF)
    for path in (directory / "pgpool.conf", directory):
        os.chown(path, NOBODY, NOBODY)
    return directory


@pytest.fixture
def victim(tmp_path: Path) -> Path:
    """Return a file of root."""
    file = tmp_path / "victim"
    file.write_text("victim")
    file.chmod(0o600)
    return file


def assert_untouched(victim: Path) -> None:
    status = victim.stat()
    assert (victim.read_text(), status.st_uid, status.st_mode & 0o777) == ("victim", 0, 0o600)


@pytest.mark.parametrize("name", [".pgpool.conf.new", "pgpool.conf"])
def test_link_beside_pgpool_conf_or_in_its_place(theirs: Path, victim: Path, name: str) -> None:
    (theirs / name).unlink(missing_ok=True)
    (theirs / name).symlink_to(victim)
    conf = theirs / "pgpool.conf"
    for action in (
        lambda: change_of(conf, COMMAND, None, "%d"),
        lambda: write(conf, "x"),
        lambda: restore(conf, dry_run=False),
    ):
        with pytest.raises(Refused, match="root does not write") as caught:
            action()
        assert "sudo -u nobody" in (caught.value.hint or "")
    assert_untouched(victim)


def test_pgpool_conf_of_another_user_is_not_restored_either(theirs: Path) -> None:
    conf = theirs / "pgpool.conf"
    conf.write_text(with_ours(CONF, ["failover_command = 'x'"]))
    before = conf.read_text()
    with pytest.raises(Refused, match="root does not write"):
        restore(conf, dry_run=False)
    assert conf.read_text() == before


def test_roots_pgpool_conf_keeps_owner_and_mode(tmp_path: Path) -> None:
    conf = tmp_path / "pgpool.conf"
    conf.write_text(CONF)
    conf.chmod(0o640)
    os.chown(conf, 0, NOBODY)
    write(conf, "x")
    status = conf.stat()
    assert (status.st_uid, status.st_gid, status.st_mode & 0o777) == (0, NOBODY, 0o640)


@pytest.mark.parametrize("name", [".script.new", "script.before-pgpool-recovery"])
def test_extension_file_in_a_directory_of_another_user(
    theirs: Path, victim: Path, name: str
) -> None:
    (theirs / name).symlink_to(victim)
    (theirs / "script").write_bytes(OURS)
    file = PlacedFile(theirs / "script", OURS + b" 2", 0o644)
    for action in (place, take_away):
        with pytest.raises(Refused, match="root does not write"):
            action(file, dry_run=False)
    assert_untouched(victim)
    assert (theirs / "script").read_bytes() == OURS


def test_owner_of_a_data_directory_is_that_of_the_directory(theirs: Path) -> None:
    """Whatever its PG_VERSION is a link to."""
    (theirs / "PG_VERSION").symlink_to("/etc/debian_version")
    with pytest.raises(Refused, match="belongs to nobody") as caught:
        stage_commands(theirs)
    assert caught.value.hint == (
        f"Run: runuser -u nobody -- {shlex.join(own_command())} install --data-directory {theirs}"
    )
    with pytest.raises(Refused) as caught:
        stage_commands(theirs, Path("/etc/other file.toml"))
    assert (caught.value.hint or "").endswith(f"{theirs} --config '/etc/other file.toml'")
    with pytest.raises(Refused) as caught:
        stage_commands(theirs, verb="uninstall")
    assert f" uninstall --data-directory {theirs}" in (caught.value.hint or "")


def test_program_of_another_user_is_not_run(theirs: Path) -> None:
    program = theirs / "pg_config"
    program.write_text(f"#!/bin/sh\ntouch {theirs}/was_run\necho PostgreSQL 15\n")
    program.chmod(0o755)
    with pytest.raises(Refused, match=f"root does not run {program}"):
        find_installations([program])
    assert not (theirs / "was_run").exists()
