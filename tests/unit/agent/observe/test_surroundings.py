"""What a check sees of a host: scripts, their rights, and the password file."""

import contextlib
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from pgpool_recovery import __version__
from pgpool_recovery.agent.directory.own_login import OwnLogin
from pgpool_recovery.agent.observe.peer_trials import try_peers
from pgpool_recovery.agent.observe.surroundings import (
    extension_in,
    look_around,
    look_at_script,
    script_problem,
)
from pgpool_recovery.facts.node import PeerFacts, StageScript, Surroundings
from pgpool_recovery.host.stop import Stop
from pgpool_recovery.install import stage_commands
from pgpool_recovery.install.stage_commands import PURPOSES, _script
from pgpool_recovery.ssh.command import SshSettings
from pgpool_recovery.talk.protocol import Limits
from pgpool_recovery.talk.request.host import LookAround, Peer, TryPeers
from pgpool_recovery.talk.wire import as_result, result_as

STAGE = "recovery_1st_stage"


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A home without anything, and no settings file."""
    directory = tmp_path / "home"
    directory.mkdir()
    monkeypatch.setenv("HOME", str(directory))
    monkeypatch.delenv("PGPASSFILE", raising=False)
    monkeypatch.setenv("PGPOOL_RECOVERY_CONFIG", str(tmp_path / "settings.toml"))
    (tmp_path / "settings.toml").touch()
    yield directory
    shutil.rmtree(directory)


def look(data: Path, *scripts: str) -> Surroundings:
    return look_around(LookAround(str(data), scripts, "postgres", None), 5)


def placed(path: Path, text: bytes, mode: int = 0o700) -> Path:
    path.write_bytes(text)
    path.chmod(mode)
    return path


@pytest.mark.parametrize("name", PURPOSES)
def test_scripts_that_install_places_are_known_as_ours(tmp_path: Path, name: str) -> None:
    file = placed(tmp_path / name, _script(name, PURPOSES[name], None))
    assert look_at_script(tmp_path, file.name) == StageScript(name, None, __version__)


def test_script_of_somebody_else_has_no_version(tmp_path: Path) -> None:
    assert look_at_script(tmp_path, placed(tmp_path / "stage", b"#!/bin/sh\n").name).version is None


@pytest.mark.parametrize("setting", [None, Path("/etc/a b.toml")])
def test_script_of_ours_that_calls_what_was_removed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, setting: Path | None
) -> None:
    program = tmp_path / "opt" / "pgpool-recovery"
    monkeypatch.setattr(stage_commands, "own_command", lambda: [str(program)])
    placed(tmp_path / STAGE, _script(STAGE, PURPOSES[STAGE], setting))
    assert look_at_script(tmp_path, STAGE).problem == f"it calls {program}, which does not exist"
    program.parent.mkdir()
    program.touch(0o600)
    assert look_at_script(tmp_path, STAGE).problem == f"it calls {program}, which cannot be run"
    program.chmod(0o700)
    assert look_at_script(tmp_path, STAGE).problem is None


@pytest.mark.parametrize(
    ("mode", "problem"),
    [
        (0o700, None),
        (0o755, None),
        (0o722, "it can be written by others"),
        (0o600, "it is not executable"),
    ],
)
def test_rights_of_a_script(tmp_path: Path, mode: int, problem: str | None) -> None:
    assert script_problem(tmp_path, placed(tmp_path / "stage", b"", mode).name) == problem


def test_script_that_is_missing_no_file_or_anothers(tmp_path: Path) -> None:
    assert script_problem(tmp_path, "stage") == "it does not exist"
    assert script_problem(tmp_path.parent, tmp_path.name) == "it is not a regular file"
    if os.geteuid() == 0:
        os.chown(placed(tmp_path / "theirs", b""), 1, 1)
        problem = script_problem(tmp_path, "theirs")
        assert problem == "it does not belong to the user of the server"


def test_password_file_is_told_only_when_others_may_read_it(tmp_path: Path, home: Path) -> None:
    assert look(tmp_path).open_password_file is None
    file = placed(home / ".pgpass", b"", 0o600)
    assert look(tmp_path).open_password_file is None
    file.chmod(0o640)
    assert look(tmp_path).open_password_file == f"{file} (mode 0640)"


def test_settings_file_with_an_error(tmp_path: Path) -> None:
    assert look(tmp_path).settings_problem is None
    (tmp_path / "settings.toml").write_text("[nothing]\n")
    problem = look(tmp_path).settings_problem
    assert problem is not None
    assert problem.endswith("has 1 error: line 1: unknown setting nothing")


def test_directory_that_is_not_there(tmp_path: Path) -> None:
    seen = look(tmp_path / "data", "stage")
    assert seen.server is None
    assert seen.server_problem is None
    assert seen.scripts == (StageScript("stage", "it does not exist", None),)
    assert not seen.is_noexec


def test_what_is_seen_survives_the_wire(tmp_path: Path) -> None:
    seen = look(tmp_path, "stage")
    assert result_as(as_result(seen), Surroundings) == seen


def test_ways_to_this_host_and_to_one_that_refuses_and_both_survive_the_wire() -> None:
    nobody = {"host": "127.0.0.1", "port": "1", "user": "nobody"}
    here = Peer("node 1", "127.0.0.1", (nobody,), (), is_known=True)
    away = Peer("node 2", "192.0.2.1", (), (), is_known=True)
    ssh = SshSettings(options=("-o", "ProxyCommand=false"), connect_timeout_s=2)
    asked = TryPeers((here, away), ssh, ("pgpool-recovery", "agent"), timeout_s=10)
    first, second = try_peers(asked, Stop(), OwnLogin(), Limits())
    assert first.agent_version == __version__
    assert first.logins[0].problem is not None
    assert "refused" in first.logins[0].problem
    assert second.problem is not None
    assert second.problem.message == "could not log in to node 2 by ssh"
    assert result_as(as_result((first, second)), tuple[PeerFacts, ...]) == (first, second)


@pytest.mark.parametrize(
    ("host", "is_known", "is_tried"),
    [
        ("127.0.0.1", True, True),
        ("127.0.0.1", False, True),
        ("localhost", False, True),
        ("/tmp", False, False),
        ("192.0.2.1", False, False),
        ("192.0.2.1", True, True),
        ("no-such-host.invalid", False, False),
    ],
)
def test_nobody_logs_in_where_nothing_proves_that_it_is_a_node(
    host: str, *, is_known: bool, is_tried: bool
) -> None:
    nobody = {"host": "127.0.0.1", "port": "1", "user": "nobody"}
    ssh = SshSettings(options=("-o", "ProxyCommand=false"), connect_timeout_s=2)
    peer = Peer("node 1", host, (nobody,), (nobody,), is_known=is_known)
    [found] = try_peers(TryPeers((peer,), ssh, ("x",), timeout_s=10), Stop(), OwnLogin(), Limits())
    assert (bool(found.logins), bool(found.sql_logins)) == (is_tried, is_tried)
    assert (found.untried is None) == is_tried


def test_host_key_that_nobody_knew_is_no_proof(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Whatever the settings say: ssh takes the first value that it is given."""
    asked: list[list[str]] = []

    def converse(argv: list[str], *_: object, **__: object) -> Any:
        asked.append(argv)
        return contextlib.nullcontext(SimpleNamespace(version="2"))

    monkeypatch.setattr("pgpool_recovery.agent.observe.peer_trials.converse", converse)
    ssh = SshSettings(check_host_keys=False, options=("-o", "StrictHostKeyChecking=no"))
    for is_known in (False, True):
        peer = Peer("node 1", "192.0.2.1", (), (), is_known=is_known)
        try_peers(TryPeers((peer,), ssh, ("x",), timeout_s=10), Stop(), OwnLogin(), Limits())
    first = [next(w for w in words if w.startswith("StrictHostKey")) for words in asked]
    assert first == ["StrictHostKeyChecking=yes", "StrictHostKeyChecking=no"]


@pytest.mark.parametrize(
    ("search_path", "found"),
    [
        ("$system", "7.0"),
        ("{extras}:$system", "7.1"),
        ("$system:{extras}", "7.0"),
        ("/nowhere:{extras}", "7.1"),
        ("/nowhere", None),
        ("", "7.0"),
    ],
)
def test_extension_is_looked_for_where_the_server_does(
    tmp_path: Path, search_path: str, found: str | None
) -> None:
    """extension_control_path, of PostgreSQL 18 and later."""
    for place, version in (("share", "7.0"), ("extras", "7.1")):
        directory = tmp_path / place / "extension"
        directory.mkdir(parents=True)
        control = directory / "pgpool_recovery.control"
        control.write_text(f"comment = 'x'\ndefault_version = '{version}'\n")
    named = search_path.format(extras=tmp_path / "extras")
    assert extension_in(str(tmp_path / "share"), named) == found
