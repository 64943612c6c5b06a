"""Which files run as a stage script; the texts are pinned in extension/regress."""

import os
from pathlib import Path

import pytest
from pgpool_recovery_server.outcome import Failure
from pgpool_recovery_server.script_file import find_script


def script(directory: Path, mode: int = 0o700) -> Path:
    path = directory / "stage"
    path.write_text("#!/bin/sh\n")
    path.chmod(mode)
    return path


def test_file_and_link_to_one(tmp_path: Path) -> None:
    path = script(tmp_path)
    (tmp_path / "link").symlink_to(path)
    assert find_script(str(tmp_path), "stage") == str(path)
    assert find_script(str(tmp_path), "link") == str(tmp_path / "link")


@pytest.mark.parametrize("name", ["", ".", "..", "/bin/true", "../stage", "a/b"])
def test_name_is_a_plain_one(tmp_path: Path, name: str) -> None:
    with pytest.raises(Failure, match="is not a plain file name"):
        find_script(str(tmp_path), name)


@pytest.mark.parametrize("mode", [0o702, 0o720, 0o777])
def test_others_must_not_write_it(tmp_path: Path, mode: int) -> None:
    script(tmp_path, mode)
    with pytest.raises(Failure, match="can be written by others"):
        find_script(str(tmp_path), "stage")


def test_it_belongs_to_the_servers_user(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    script(tmp_path)
    monkeypatch.setattr(os, "geteuid", lambda: 65534)
    with pytest.raises(Failure, match="does not belong to the user of the server"):
        find_script(str(tmp_path), "stage")


def test_it_is_executable_and_regular(tmp_path: Path) -> None:
    script(tmp_path, 0o600)
    with pytest.raises(Failure, match="is not executable"):
        find_script(str(tmp_path), "stage")
    (tmp_path / "directory").mkdir()
    with pytest.raises(Failure, match="is not a regular file"):
        find_script(str(tmp_path), "directory")
    with pytest.raises(Failure, match="does not exist"):
        find_script(str(tmp_path), "missing")
