"""After our first stage a foreign script may start the server: what stays is reported."""

import os
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from pgpool_recovery.cli.foreign_start import START, left_to_foreign_start
from pgpool_recovery.cli.stage import CALLING_SERVER, use_calling_server
from pgpool_recovery.facts.policy import Method
from pgpool_recovery.install.stage_commands import PURPOSES, _script
from pgpool_recovery.plan.plan import OldData, Plan

PLAN = Plan(
    target_name="node 1",
    method=Method.BASEBACKUP,
    summary="a full copy",
    slot_name="pgpool_node_1",
    moved_bytes=1,
    old_data=OldData.STAYS,
    steps=(),
)


def with_former(name: str | None) -> Plan:
    steps: Any = (SimpleNamespace(), SimpleNamespace(former_slot_name=name))
    return replace(PLAN, steps=steps)


def said(data: Path, plan: Plan) -> str:
    return "\n".join(left_to_foreign_start(data, plan))


def test_nothing_is_reported_for_our_script_or_none(tmp_path: Path) -> None:
    assert said(tmp_path, with_former("server1")) == ""
    (tmp_path / START).write_bytes(_script(START, PURPOSES[START], None))
    assert said(tmp_path, with_former("server1")) == ""


@pytest.mark.parametrize("command", ["pgpool-recovery", '"$BIN/pgpool-recovery"'])
def test_nothing_is_reported_for_a_wrapper_of_ours(tmp_path: Path, command: str) -> None:
    (tmp_path / START).write_text(f'#!/bin/sh\n. /etc/env\n\nexec {command} {START} "$@"\n')
    assert said(tmp_path, with_former("server1")) == ""


@pytest.mark.parametrize("kind", ["comment", "FIFO"])
def test_script_that_only_names_ours_or_is_no_file_is_foreign(tmp_path: Path, kind: str) -> None:
    """And a FIFO is not waited for."""
    if kind == "FIFO":
        os.mkfifo(tmp_path / START)
    else:
        text = "#!/bin/sh\n\n  # Was pgpool-recovery's.\n. /etc/pgpool-recovery/env\npg_ctl start\n"
        (tmp_path / START).write_text(text)
    assert "nothing will check that node 1 is streaming" in said(tmp_path, with_former("server1"))


def test_what_stays_is_reported(tmp_path: Path) -> None:
    (tmp_path / START).write_text("#!/bin/bash\n# This script is run after recovery_1st_stage\n")
    everything = said(tmp_path, with_former("server1"))
    assert "nothing will check that node 1 is streaming" in everything
    assert "the old data of node 1 stays" in everything
    assert "SELECT pg_drop_replication_slot('server1')" in everything
    only = said(tmp_path, replace(with_former("pgpool_node_1"), old_data=OldData.KEPT))
    assert "\n" not in only


def test_calling_server_is_named_by_variables_of_our_own(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in CALLING_SERVER:
        monkeypatch.setenv(name, "of the script")
    monkeypatch.setenv("PGPOOL_RECOVERY_PGPORT", "5433")
    use_calling_server()
    assert os.environ["PGPORT"] == "5433"
    assert os.environ["PGHOST"] == "of the script"
    assert "PGPOOL_RECOVERY_PGPORT" not in os.environ
