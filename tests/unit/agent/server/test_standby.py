"""What is seen of a server that accepts no sessions: its control file and process titles."""

from pathlib import Path

import pytest

from pgpool_recovery.agent.server import standby as standby_look
from pgpool_recovery.domain.standby import StandbyFacts
from pgpool_recovery.domain.wal import Lsn, Point, TimelineId
from pgpool_recovery.files.process_table import process_of, processes
from pgpool_recovery.host import server_process
from pgpool_recovery.host.pidfile import PidFile
from pgpool_recovery.host.program import Completed
from pgpool_recovery.host.server_process import ServerProcess
from pgpool_recovery.host.stop import Stop
from pgpool_recovery.talk.request.server import AskStandby

CONTROL = """\
pg_control version number:            1300
Database system identifier:           7301415926535897932
Database cluster state:               {state}
Latest checkpoint location:           0/3000060
Latest checkpoint's REDO location:    0/3000028
Latest checkpoint's TimeLineID:       1
Minimum recovery ending location:     0/4000000
Min recovery ending loc's timeline:   2
Backup start location:                0/0
Backup end location:                  0/0
End-of-backup record required:        no
wal_log_hints setting:                on
Data page checksum version:           0
"""
WHY = "no pg_hba.conf entry"


def seen(
    monkeypatch: pytest.MonkeyPatch, data: Path, state: str, title: str, *, is_ready: bool = True
) -> StandbyFacts:
    """Return what is seen of a server with this output of its programs."""
    control = Completed(("pg_controldata",), 0, CONTROL.format(state=state))
    monkeypatch.setattr(standby_look, "run", lambda *_, **__: control)
    titles = {11: "postgres: startup", 12: title}
    of_server = [ServerProcess(process_of(pid), said) for pid, said in titles.items()]
    monkeypatch.setattr(standby_look, "children", lambda pid: iter(of_server if pid == 1 else ()))
    (data / "pg_wal").mkdir()
    (data / "pg_wal" / "00000002.history").write_text("1\t0/3800000\treason\n")
    (data / "pg_wal" / "00000003.history").write_text("no history at all")
    request = AskStandby(str(data), "postgres", None, "/bin", "slot")
    running = PidFile(1, 5432, "/run", is_ready=is_ready)
    return standby_look.look_from_outside(running, request, Stop(), WHY)


def test_standby_that_streams(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    facts = seen(monkeypatch, tmp_path, "in archive recovery", "x: walreceiver streaming 0/5000148")
    assert facts.is_in_recovery
    assert (facts.receiver, facts.received, facts.slot_name) == ("streaming", 0x5000148, "slot")
    assert facts.been_at == (
        Point(TimelineId(1), Lsn(0x3000060)),
        Point(TimelineId(2), Lsn(0x4000000)),
    )
    assert [history.current for history in facts.histories] == [2]
    assert facts.problem == WHY


def test_no_receiver_is_seen(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    facts = seen(monkeypatch, tmp_path, "in archive recovery", "postgres: walreceiver ")
    assert (facts.sees_receiver, facts.receiver) == (False, None)


def test_primary(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    facts = seen(monkeypatch, tmp_path, "in production", "postgres: walwriter")
    assert facts.is_in_recovery is False
    assert facts.been_at == ()


def test_copy_has_the_primarys_control_file_at_first(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    facts = seen(monkeypatch, tmp_path, "in production", "postgres: startup", is_ready=False)
    assert facts.is_in_recovery is None


def test_what_replay_waits_for_is_seen(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """It is a child of the startup process; other processes of the server have children, too."""
    for pid, parent, title in (
        (10, 1, "postgres"),
        (11, 10, "postgres: 15/main: startup recovering 000000010000000000000003"),
        (12, 10, "postgres: checkpointer "),
        (13, 12, "sh -c archive_cleanup"),
        (21, 20, "postgres: startup"),
        (22, 21, "sh -c of another server"),
    ):
        process = tmp_path / str(pid)
        process.mkdir()
        (process / "stat").write_text(f"{pid} (a (b) c) S {parent} 1 1")
        (process / "cmdline").write_text(title)
    monkeypatch.setattr(server_process, "processes", lambda: processes(tmp_path))
    file = "000000010000000000000003"
    assert standby_look.replay_of(10) == (None, file, False)
    (tmp_path / "11" / "cmdline").write_text(
        "postgres: 15/main: startup waiting for 000000010000000000000003"
    )
    assert standby_look.replay_of(10) == (None, file, True)
    call = tmp_path / "14"
    call.mkdir()
    (call / "stat").write_text("14 (sh) S 11 1 1")
    (call / "cmdline").write_text("sh -c scp")
    assert standby_look.replay_of(10) == (14, file, False)
    assert standby_look.replay_of(20) == (22, None, False)
    assert standby_look.replay_of(11) == (None, None, False)
