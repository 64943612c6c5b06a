"""check --textfile: the metrics that the command itself writes."""

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from pgpool_recovery.cli.app import run_app
from pgpool_recovery.cli.commands import check as command
from pgpool_recovery.control.check import Reported
from pgpool_recovery.domain.error import Unreachable

CLUSTER: Any = SimpleNamespace(nodes=[SimpleNamespace(node_id=0), SimpleNamespace(node_id=1)])
FOUND = [Reported("error", 1, "no ssh"), Reported("warning", None, "slow")]
FINE = [Reported("ok", 0, "it would come back")]


def finds(monkeypatch: pytest.MonkeyPatch, findings: list[Reported]) -> None:
    monkeypatch.setattr(command, "_look", lambda _where: (CLUSTER, findings))


def fails(monkeypatch: pytest.MonkeyPatch) -> None:
    def unreachable(_where: object) -> None:
        raise Unreachable("Pgpool-II does not answer")

    monkeypatch.setattr(command, "_look", unreachable)


def samples(file: Path) -> list[str]:
    return [line for line in file.read_text().splitlines() if not line.startswith("#")]


def test_findings_and_exit_status_are_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    finds(monkeypatch, FOUND)
    file = tmp_path / "check.prom"
    assert run_app(["check", "--textfile", str(file)]) == 4
    found = samples(file)
    assert 'pgpool_recovery_check_findings{node="1",severity="error"} 1' in found
    assert 'pgpool_recovery_check_findings{node="",severity="warning"} 1' in found
    assert 'pgpool_recovery_check_findings{node="0",severity="error"} 0' in found
    assert found[-1] == "pgpool_recovery_check_exit_status 4"
    assert file.stat().st_mode & 0o777 == 0o644
    finds(monkeypatch, FINE)
    assert run_app(["check", "--textfile", str(file)]) == 0
    assert samples(file)[-1] == "pgpool_recovery_check_exit_status 0"


def test_check_that_fails_keeps_the_last_findings_with_their_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """So an alert on the time of the last check fires, and one on the exit status at once."""
    finds(monkeypatch, FOUND)
    file = tmp_path / "check.prom"
    run_app(["check", "--textfile", str(file)])
    before = samples(file)
    fails(monkeypatch)
    assert run_app(["check", "--textfile", str(file)]) == 5
    assert samples(file) == [*before[:-1], "pgpool_recovery_check_exit_status 5"]
    assert "ERROR:  Pgpool-II does not answer" in capsys.readouterr().err


@pytest.mark.parametrize("findings", [FINE, FOUND], ids=["fine", "found"])
def test_file_that_cannot_be_written_is_a_failure_that_hides_no_finding(
    findings: list[Reported],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    finds(monkeypatch, findings)
    file = tmp_path / "missing" / "check.prom"
    assert run_app(["check", "--json", "--textfile", str(file)]) == 4
    shown = capsys.readouterr()
    assert shown.err == (f"note: could not write metrics file {file}: No such file or directory\n")
    document = json.loads(shown.out)
    assert document["exit_status"] == 4
    assert [one["fact"] for one in document["findings"]] == [one.fact for one in findings]


def test_failed_check_stays_the_failure_if_the_file_cannot_be_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fails(monkeypatch)
    assert run_app(["check", "--textfile", str(tmp_path / "missing" / "x.prom")]) == 5


def test_nothing_is_written_unasked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    finds(monkeypatch, FINE)
    monkeypatch.chdir(tmp_path)
    assert run_app(["check"]) == 0
    assert list(tmp_path.iterdir()) == []
