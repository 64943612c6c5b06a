"""The settings that a server gets from its start command, in whatever form that is written."""

import os
from pathlib import Path

import pytest

from pgpool_recovery.host import command_line
from pgpool_recovery.host.command_line import (
    commands_of_unit,
    find_given,
    given_at_last_start,
    settings_of,
)
from pgpool_recovery.host.debian import DebianCluster
from pgpool_recovery.host.stop import Stop

TIME = "2026-11-01 00:00:00+00"
TARGET = [("recovery_target_time", TIME)]


@pytest.mark.parametrize(
    "words",
    [
        ["pg_ctl", "-D", "/d", "-o", "-c recovery_target_time='2026-11-01 00:00:00+00'", "start"],
        ["pg_ctl", "-o-c 'recovery_target_time = 2026-11-01 00:00:00+00'", "start"],
        ["/bin/pg_ctl", "--options=--recovery-target-time='2026-11-01 00:00:00+00'", "start"],
        ["/bin/postgres", "-D", "/d", "-c", "recovery_target_time=2026-11-01 00:00:00+00"],
        ["/bin/postgres", "-crecovery_target_time=2026-11-01 00:00:00+00"],
        ["/bin/postgres", "--Recovery_Target_Time=2026-11-01 00:00:00+00"],
        ["sudo", "pg_ctlcluster", "start", "-o", f"-c recovery_target_time='{TIME}'"],
        ["sh", "-c", "exec postgres -c 'recovery_target_time=2026-11-01 00:00:00+00'"],
        ["sh", "-c", f"pg_ctl -o \"-c recovery_target_time='{TIME}'\" start"],
    ],
)
def test_target_is_found(words: list[str]) -> None:
    assert [(one.name, one.value) for one in settings_of(words, "x")] == TARGET


@pytest.mark.parametrize(
    "words",
    [
        ["pg_ctl", "--pgdata=/d", "--timeout=5", "start"],
        ["systemd-run", "--unit=x=y", "start"],
        ["pg_ctl", "-o", "", "start"],
        ["pg_ctl", "-o"],
        ["sh", "-c", "it's"],
    ],
)
def test_other_words_are_not_settings(words: list[str]) -> None:
    assert list(settings_of(words, "x")) == []


def test_short_options_of_the_server_are_settings() -> None:
    found = {one.name: one.value for one in settings_of(["pg_ctl", "-o", "-p 5433 -N 300"], "x")}
    assert found == {"port": "5433", "max_connections": "300"}


UNIT = """\
Environment=PGDATA=/var/lib/pgsql/15/data "PGOPTS=-c recovery_target_xid=7"
ExecStart={ path=/usr/pgsql-15/bin/postgres ; argv[]=/usr/pgsql-15/bin/postgres -D ${PGDATA} \
$PGOPTS -c port=5433 ; ignore_errors=no ; start_time=[n/a] ; stop_time=[n/a] ; pid=0 ; \
code=(null) ; status=0/0 }
"""
"""Of systemd 252, with a drop-in that adds to the unit of PGDG's package."""


def test_variables_of_a_systemd_unit_are_expanded() -> None:
    (words,) = commands_of_unit(UNIT)
    found = {one.name: one.value for one in settings_of(words, "x")}
    assert words[:3] == ["/usr/pgsql-15/bin/postgres", "-D", "/var/lib/pgsql/15/data"]
    assert found["port"] == "5433"


def test_unit_that_a_start_command_names(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program = tmp_path / "systemctl"
    program.write_text(f"#!/bin/sh\n[ $2 = postgresql-15 ] && cat <<'END'\n{UNIT}END\n")
    program.chmod(0o755)
    command = ("sudo", "-n", str(program), "--no-block", "start", "postgresql-15")
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    found = {one.name: one.source for one in find_given(Path("/d"), command, Stop())}
    assert found["port"] == "ExecStart of postgresql-15"
    monkeypatch.setenv("PATH", str(tmp_path / "nothing"))
    assert find_given(Path("/d"), command, Stop()) == ()


def test_debians_own_file_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cluster = DebianCluster("15", "main", "/log")
    monkeypatch.setattr(command_line, "find_cluster", lambda *_: cluster)
    monkeypatch.setattr(command_line, "find_unit", lambda *_: None)
    monkeypatch.setattr(command_line, "CONFIGURATION", tmp_path)
    file = tmp_path / "15" / "main" / "pg_ctl.conf"
    file.parent.mkdir(parents=True)
    file.write_text("# Automatic\npg_ctl_options = '-o \"-c recovery_target=immediate\"'\n")
    (given,) = find_given(Path("/d"), (), Stop())
    assert (given.name, given.value, given.source) == ("recovery_target", "immediate", str(file))
    of_command = find_given(Path("/d"), ("pg_ctlcluster", "15", "main", "start"), Stop())
    assert of_command == (given,)


def test_last_start_counts_where_the_command_shows_nothing(tmp_path: Path) -> None:
    text = '/bin/postgres "-D" "/d" "-c" "recovery_target_lsn=0/5"\n'
    (tmp_path / "postmaster.opts").write_text(text)
    (given,) = find_given(tmp_path, ("/usr/local/bin/start-it",), Stop())
    assert (given.name, given.value) == ("recovery_target_lsn", "0/5")  # as text: a setting's value
    assert given.source == f"{tmp_path}/postmaster.opts"
    assert find_given(tmp_path, ("pg_ctl", "-D", "/d", "start"), Stop()) == ()
    assert find_given(tmp_path, (), Stop()) == ()
    assert given_at_last_start(tmp_path) == (given,)
    assert given_at_last_start(tmp_path / "elsewhere") == ()
