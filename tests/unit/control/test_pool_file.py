"""How pgpool.conf differs from what is in force, if its process is on this host."""

from dataclasses import replace
from pathlib import Path

import pytest

from pgpool_recovery.control import pool_file
from pgpool_recovery.control.cluster import Cluster
from pgpool_recovery.control.pool_file import differences, file_of, refuse_other_place
from pgpool_recovery.domain.error import Refused
from tests.unit.cli import facts
from tests.unit.cli.facts import NODES

IN_FORCE = {
    "backend_hostname1": "server1",
    "backend_port1": "5432",
    "backend_data_directory1": "/new",
    "backend_application_name1": "server1",
}
SAME = "".join(f"{name} = '{value}'\n" for name, value in IN_FORCE.items())


@pytest.fixture
def conf(tmp_path: Path) -> Path:
    """A pgpool.conf, and a process that was started with it."""
    (tmp_path / "pgpool.pid").write_text("4711\0")
    (tmp_path / "4711").mkdir()
    conf = tmp_path / "pgpool.conf"
    words = ["/usr/sbin/pgpool", "-f", str(conf), "-n", ""]
    (tmp_path / "4711" / "cmdline").write_text("\0".join(words))
    conf.write_text(SAME)
    return conf


def cluster(conf: Path) -> Cluster:
    own = {"pid_file_name": str(conf.parent / "pgpool.pid")}
    return replace(facts.cluster(), parameters=IN_FORCE | own)


def found(conf: Path) -> list[tuple[str, str, str, bool]]:
    made = differences(cluster(conf), NODES[1], table=conf.parent)
    return [(one.name, one.written, one.in_force, one.takes_restart) for one in made]


def test_same(conf: Path) -> None:
    assert found(conf) == []


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("backend_hostname1 = 'other'", ("backend_hostname1", "other", "server1", True)),
        ("backend_port1 = 5433 # new", ("backend_port1", "5433", "5432", True)),
        (
            "backend_data_directory1 = '/d'",
            ("backend_data_directory1", "/d", "/new", False),
        ),
        (
            "backend_application_name1 = 'x'",
            ("backend_application_name1", "x", "server1", False),
        ),
        ("backend_hostname2 = 'other'", None),
        ("#backend_hostname1 = 'other'", None),
        ("include = '/etc/more.conf'\nbackend_port1 = 1", None),
    ],
)
def test_last_line_counts(
    conf: Path, line: str, expected: tuple[str, str, str, bool] | None
) -> None:
    """If other files are included, it is not known which value counts."""
    conf.write_text(f"{SAME}{line}\n")
    assert found(conf) == ([] if expected is None else [expected])


def test_recovery_would_go_elsewhere(conf: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    here = differences(cluster(conf), NODES[1], table=conf.parent)
    monkeypatch.setattr(pool_file, "differences", lambda *_: here)
    refuse_other_place(cluster(conf), NODES[1])
    conf.write_text(f"{SAME}backend_hostname1 = 'other'\n")
    here = differences(cluster(conf), NODES[1], table=conf.parent)
    with pytest.raises(Refused, match=r"pgpool\.conf has another place for node 1") as caught:
        refuse_other_place(cluster(conf), NODES[1])
    assert "sets backend_hostname1 = 'other', but 'server1' is in force." in str(
        caught.value.detail
    )
    assert "Restart Pgpool-II" in str(caught.value.hint)
    conf.write_text(f"{SAME}backend_application_name1 = 'x'\n")
    here = differences(cluster(conf), NODES[1], table=conf.parent)
    refuse_other_place(cluster(conf), NODES[1])


def test_pgpool_that_is_elsewhere(conf: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    parameters = cluster(conf).parameters
    assert file_of(parameters, table=conf.parent) == conf
    assert file_of({}, table=conf.parent) is None
    command = conf.parent / "4711" / "cmdline"
    command.write_text("/usr/bin/python3\0-f\0/x\0")
    assert file_of(parameters, table=conf.parent) is None
    command.write_text("pgpool\0-n\0")
    monkeypatch.setattr(pool_file, "USUAL_PLACES", (Path("/nonexistent"),))
    assert file_of(parameters, table=conf.parent) is None
    monkeypatch.setattr(pool_file, "USUAL_PLACES", (conf,))
    assert file_of(parameters, table=conf.parent) == conf
    command.unlink()
    assert file_of(parameters, table=conf.parent) is None
