"""How a server is started, and stopped again."""

from pathlib import Path

import pytest

from pgpool_recovery.host import start_method as start_way
from pgpool_recovery.host.debian import DebianCluster
from pgpool_recovery.host.start_method import StartWay, find_way
from pgpool_recovery.host.stop import Stop

DATA = Path("/data")


def way(monkeypatch: pytest.MonkeyPatch, cluster: DebianCluster | None) -> StartWay:
    monkeypatch.setattr(start_way, "find_cluster", lambda *_: cluster)
    monkeypatch.setattr(start_way, "SYSTEMD", DATA / "no_systemd")
    return find_way(DATA, Path("/bin15"), (), Stop(), lambda _line: None)


def test_pg_ctl_has_the_time_that_the_settings_give(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without -t it gives up after 60 seconds."""
    stop_it = way(monkeypatch, None).stop_argv(600.0)
    assert stop_it == ("/bin15/pg_ctl", "-D", "/data", "stop", "-m", "fast", "-t", "600")


def test_pg_ctlcluster_passes_it_on(monkeypatch: pytest.MonkeyPatch) -> None:
    cluster = DebianCluster("15", "main", "/log")
    stop_it = way(monkeypatch, cluster).stop_argv(0.5)
    assert stop_it[-5:] == ("-m", "fast", "--", "-t", "1")
