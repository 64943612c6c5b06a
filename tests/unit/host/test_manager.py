"""Nodes that another tool manages are recognised."""

import itertools
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from pgpool_recovery.host import manager
from pgpool_recovery.host.manager import find_manager, find_marks

PATRONI_MARK = "patroni.dynamic.json"
STARTED_BY_PATRONI = (
    '/usr/lib/postgresql/15/bin/postgres "-D" "/data" "--config-file=/data/postgresql.conf" '
    '"--listen_addresses=127.0.0.1" "--port=5432" "--cluster_name=main" "--wal_level=replica"\n'
)


@pytest.fixture(autouse=True)
def host(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a host without configurations and units."""
    root = tmp_path / "root"
    root.mkdir()
    monkeypatch.setattr(manager, "ROOT", root)
    monkeypatch.setattr(manager, "UNITS", root / "units")
    return root


@pytest.fixture
def data(tmp_path: Path) -> Path:
    directory = tmp_path / "data"
    directory.mkdir()
    return directory


@contextmanager
def program(directory: Path, name: str, *options: str, **variables: str) -> Iterator[None]:
    """Run a program of that name, whose content does not matter."""
    program = directory / name
    program.write_text("#!/bin/sh\necho runs\nread line\n")
    program.chmod(0o700)
    argv = [str(program), *options]
    with subprocess.Popen(
        argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=variables, cwd=directory
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"runs\n"
        yield
        assert process.stdin is not None
        process.stdin.close()


def test_no_manager(data: Path) -> None:
    assert find_manager(data, 15) is None


@pytest.mark.parametrize(
    "mark",
    [
        PATRONI_MARK,
        "postgresql-auto-failover.conf",
        "postgresql-auto-failover-standby.conf",
    ],
)
def test_file_in_the_directory_alone_is_left_over(data: Path, mark: str) -> None:
    """It is in every base backup of a managed node, and stays after pg_autoctl drop node."""
    (data / mark).touch()
    assert find_manager(data, 15) is None
    assert find_marks(data) == (mark,)


def mark(_root: Path, data: Path) -> None:
    (data / PATRONI_MARK).touch()


def configure(root: Path, data: Path) -> None:
    file = root / "etc" / "patroni" / "15-main.yml"
    file.parent.mkdir(parents=True)
    file.write_text(f"scope: main\npostgresql:\n  data_dir: {data} # here\n  bin_dir: /bin\n")


def enable(root: Path, name: str, text: str = "") -> None:
    unit = root / "units" / "multi-user.target.wants" / name
    unit.parent.mkdir(parents=True)
    unit.write_text(text)


def enable_patroni(root: Path, _data: Path) -> None:
    enable(root, "patroni@15-main.service")


def have_started(_root: Path, data: Path) -> None:
    (data / "postmaster.opts").write_text(STARTED_BY_PATRONI)


SIGNS = (mark, configure, enable_patroni, have_started)


@pytest.mark.parametrize("sign", SIGNS)
def test_one_sign_of_patroni_alone_proves_nothing(
    data: Path, host: Path, sign: Callable[[Path, Path], None]
) -> None:
    sign(host, data)
    assert find_manager(data, 15) is None


@pytest.mark.parametrize("signs", [*itertools.combinations(SIGNS, 2)])
def test_patroni_that_is_down_still_manages(
    data: Path, host: Path, signs: tuple[Callable[[Path, Path], None], ...]
) -> None:
    for sign in signs:
        sign(host, data)
    assert find_manager(data, 15) == "Patroni"


def test_configuration_of_an_enabled_unit_is_read(data: Path, host: Path, tmp_path: Path) -> None:
    configure(tmp_path / "opt", data)
    file = tmp_path / "opt" / "etc" / "patroni" / "15-main.yml"
    enable(host, "patroni.service", f"[Service]\nExecStart=/opt/patroni/bin/patroni {file}\n")
    assert find_manager(data, 15) == "Patroni"
    assert find_manager(tmp_path, 15) is None


def test_patroni_that_runs(data: Path, tmp_path: Path) -> None:
    configure(tmp_path / "opt", data)
    with program(tmp_path, "patroni", "opt/etc/patroni/15-main.yml"):
        assert find_manager(data, 15) == "Patroni"
        assert find_manager(tmp_path, 15) is None
    with program(tmp_path, "patroni", PATRONI_POSTGRESQL_DATA_DIR=str(data)):
        assert find_manager(data, 15) == "Patroni"
    assert find_manager(data, 15) is None


def test_patroni_whose_configuration_cannot_be_read(data: Path, tmp_path: Path) -> None:
    with program(tmp_path, "patroni", "/no/such.yml"):
        assert find_manager(data, 15) is None
        (data / PATRONI_MARK).touch()
        assert find_manager(data, 15) == "Patroni"


@pytest.mark.parametrize(
    ("options", "pgdata"),
    [
        (["do", "service", "node-active", "--pgdata", "{}", "-v"], None),
        (["run", "--pgdata={}"], None),
        (["run", "-D", "./data"], None),
        (["run"], "{}"),
    ],
)
def test_pg_autoctl_that_runs_for_it(
    data: Path, tmp_path: Path, options: list[str], pgdata: str | None
) -> None:
    words = [word.format(data) for word in options]
    variables = {} if pgdata is None else {"PGDATA": pgdata.format(data)}
    with program(tmp_path, "pg_autoctl", *words, **variables):
        assert find_manager(data, 15) == "pg_auto_failover"
        assert find_manager(tmp_path, 15) is None
    assert find_manager(data, 15) is None


def test_pg_autoctl_that_starts_with_the_host(data: Path, host: Path) -> None:
    enable(host, "pgautofailover.service", f"[Service]\nEnvironment = 'PGDATA={data}'\n")
    assert find_manager(data, 15) is None
    (data / "postgresql-auto-failover.conf").touch()
    assert find_manager(data, 15) == "pg_auto_failover"


REPMGR_CONF = "node_id=1\n#data_directory='/elsewhere'\ndata_directory = '{}'  # of node 1\n"


@pytest.mark.parametrize(
    "options",
    [
        ["-f", "{}"],
        ["-f{}"],
        ["--config-file={}"],
        ["--config-file", "{}"],
        ["--config-file", "repmgr.conf", "--daemonize=false"],
        ["-d"],
    ],
    ids=" ".join,
)
def test_repmgrd_that_runs_for_it(data: Path, tmp_path: Path, options: list[str]) -> None:
    """Debian's init script names the file; without that repmgrd searches its usual places."""
    file = tmp_path / "repmgr.conf"
    file.write_text(REPMGR_CONF.format(data))
    with program(tmp_path, "repmgrd", *[word.format(file) for word in options]):
        assert find_manager(data, 15) == "repmgr"
        assert find_manager(tmp_path, 15) is None
    assert find_manager(data, 15) is None
