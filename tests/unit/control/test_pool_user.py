"""Which user Pgpool-II runs as, by the processes of a host."""

import os
from pathlib import Path

from pgpool_recovery.control.pool_user import name_of, pool_users


def test_users_of_processes_of_that_name(tmp_path: Path) -> None:
    for number, name in (("1", "systemd"), ("20", "pgpool"), ("21", "pgpool"), ("x", "pgpool")):
        (tmp_path / number).mkdir()
        (tmp_path / number / "comm").write_text(f"{name}\n")
    (tmp_path / "22").mkdir()
    assert pool_users(tmp_path) == {os.geteuid()}
    (tmp_path / "20" / "comm").write_text("postgres\n")
    (tmp_path / "21" / "comm").write_text("pgpool_exporter\n")
    assert pool_users(tmp_path) == frozenset()


def test_user_without_a_name() -> None:
    assert name_of(2**31 - 5) == str(2**31 - 5)
