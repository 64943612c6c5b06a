"""The metrics of recoveries and checks, as node_exporter reads them."""

import fcntl
import os
import re
from pathlib import Path

import pytest

from pgpool_recovery.check.finding import Finding, Kind
from pgpool_recovery.config.settings import AbsolutePath, MetricsSettings, Settings
from pgpool_recovery.domain.error import Refused
from pgpool_recovery.metrics import publish
from pgpool_recovery.metrics.families import (
    LastRun,
    check_families,
    outcome_families,
    recovery_families,
)
from pgpool_recovery.metrics.family import Family, render, without
from pgpool_recovery.metrics.publish import publish_check, write

GOLDEN = Path(__file__).with_name("metrics.prom")
PAGE = Path(__file__).parents[3] / "docs" / "reference" / "metrics.md"
RECOVERED = LastRun(
    1, "server1", "/data", "recovered", "rewind", 1795515744.5, 12.25, 1024, 1024, 2048, 0
)
FAILED = LastRun(2, "server2", "/data", "failed", None, 1795515800.0, 1.0, None, None, None, 5)
RUNNING = LastRun(
    None,
    "server3",
    "/data",
    "running",
    "basebackup",
    1795515900.0,
    None,
    None,
    5 * 2**30,
    2**40,
    None,
)
RECOVERIES = recovery_families([RECOVERED, FAILED, RUNNING])
FINDINGS = (
    Finding(Kind.NO_SSH, 1, "no"),
    Finding(Kind.NO_SSH, 1, "nor"),
    Finding(Kind.DOWN, 2, "x"),
)
CHECK = check_families((*FINDINGS, Finding(Kind.NO_PRIMARY, None, "none")), [1, 2], 1795516000.0)


def test_whole_file() -> None:
    assert render((*RECOVERIES, *CHECK)) == GOLDEN.read_text()


def test_each_line_is_of_the_text_format_and_each_family_has_help_and_type() -> None:
    text = render((*RECOVERIES, *CHECK))
    for family in (*RECOVERIES, *CHECK):
        assert text.count(f"# HELP {family.name} ") == 1
        assert text.count(f"# TYPE {family.name} gauge\n") == 1
    sample = re.compile(r'[a-z_]+(\{([a-z]+="[^"]*",?)+\})? [0-9.]+')
    lines = [line for line in text.splitlines() if not line.startswith("#")]
    assert all(sample.fullmatch(line) for line in lines), lines


def test_running_recovery_has_not_failed() -> None:
    only = render(recovery_families([RUNNING]))
    assert "pgpool_recovery_last_succeeded" not in only
    assert 'pgpool_recovery_running{node="server3:/data",host="server3"} 1' in only


def test_labels_are_escaped() -> None:
    family = Family("a", "b", (({"host": 'a"b\\c\nd'}, 1.0),))
    assert family.lines()[-1] == 'a{host="a\\"b\\\\c\\nd"} 1'


def test_family_whose_name_begins_like_another_is_kept() -> None:
    text = render([Family("a", "x", (({}, 1.0),)), Family("a_b", "y", (({}, 1.0),))])
    assert without(text, ["a"]) == render([Family("a_b", "y", (({}, 1.0),))])
    assert without(text, ["a_b"]) == render([Family("a", "x", (({}, 1.0),))])


def test_check_and_recovery_keep_each_others_metrics(tmp_path: Path) -> None:
    file = tmp_path / "pgpool_recovery.prom"
    write(file, RECOVERIES)
    write(file, CHECK)
    write(file, recovery_families([RECOVERED]))
    assert file.read_text() == render((*CHECK, *recovery_families([RECOVERED])))
    assert file.stat().st_mode & 0o777 == 0o644
    assert [entry.suffix for entry in tmp_path.iterdir()].count(".prom") == 1


def test_file_is_never_half_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "pgpool_recovery.prom"
    write(file, RECOVERIES)

    def full(_descriptor: int, _data: bytes) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "write", full)
    with pytest.raises(OSError, match="No space left"):
        write(file, CHECK)
    assert file.read_text() == render(RECOVERIES)
    assert {entry.name for entry in tmp_path.iterdir()} == {file.name, f".{file.name}.lock"}


def test_file_that_cannot_be_written_is_reported_without_failing(tmp_path: Path) -> None:
    said: list[str] = []
    nowhere = AbsolutePath(str(tmp_path / "missing" / "x.prom"))
    publish_check(Settings(metrics=MetricsSettings(nowhere)), FINDINGS, [1], said.append)
    assert said == [f"metrics: could not write {nowhere}: No such file or directory"]
    publish_check(Settings(), FINDINGS, [1], said.append)
    assert len(said) == 1


def test_link_is_neither_read_nor_written(tmp_path: Path) -> None:
    """What it links to would end up in a file that everybody can read."""
    file, secret = tmp_path / "x.prom", tmp_path / "secret"
    secret.write_text("secret\n")
    file.symlink_to(secret)
    said: list[str] = []
    settings = Settings(metrics=MetricsSettings(AbsolutePath(str(file))))
    publish_check(settings, FINDINGS, [1], said.append)
    reason = f"the existing file is not ours: {file} is a symbolic link. Remove it"
    assert said == [f"metrics: could not write {file}: {reason}"]
    assert secret.read_text() == "secret\n"


@pytest.mark.usefixtures("as_root")
def test_root_is_not_redirected(tmp_path: Path) -> None:
    collector, victim = tmp_path / "collector", tmp_path / "victim"
    collector.mkdir()
    os.chown(collector, 65534, -1)
    victim.write_text("victim")
    file = collector / "x.prom"
    for name in (f".{file.name}.{os.getpid()}", f".{file.name}.lock"):
        (collector / name).symlink_to(victim)
    said: list[str] = []
    settings = Settings(metrics=MetricsSettings(AbsolutePath(str(file))))
    publish_check(settings, FINDINGS, [1], said.append)
    assert len(said) == 1
    assert "root does not write" in said[0]
    assert "sudo -u nobody" in said[0]
    assert victim.read_text() == "victim"


def test_wait_for_a_held_lock_has_a_limit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(publish, "LOCK_S", 0.1)
    file = tmp_path / "x.prom"
    with file.with_name(f".{file.name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with pytest.raises(Refused, match="another process"):
            write(file, CHECK)


def test_every_metric_is_documented() -> None:
    documented = set(re.findall(r"^\| `(pgpool_recovery_\w+)` \|", PAGE.read_text(), re.MULTILINE))
    assert documented == {family.name for family in (*RECOVERIES, *CHECK, *outcome_families(0))}
