"""What goes into the package besides code, and whether systemd takes the units."""

import gzip
import os
import re
import shlex
import shutil
import subprocess
from pathlib import Path

import pytest

from packages.contents import COMMAND
from packages.generated import STATE, UNIT_DIRECTORY, generated, units
from packages.tree import File
from pgpool_recovery.cli.grammar.commands import COMMANDS
from pgpool_recovery.cli.parse import parse

WHEN = 1795824000
SERVICE, TIMER = "pgpool-recovery-check.service", "pgpool-recovery-check.timer"
ROOT = Path(__file__).parents[3]
MAX_EXPOSURE = 25
"""Tenths; systemd calls up to 4.9 OK. What the service does without is said in it."""


def unit(name: str) -> str:
    entry = units()[f"{UNIT_DIRECTORY}/{name}"]
    assert isinstance(entry, File)
    return entry.contents.decode()


def values(name: str, key: str) -> list[str]:
    """Return the values of a key of a unit."""
    return re.findall(rf"^{key}=(.*)$", unit(name), re.MULTILINE)


def test_files_are_where_the_distributions_have_them() -> None:
    tree = generated("2.0.0", WHEN)
    pages = {path for path in tree if path.startswith("/usr/share/man/")}
    assert set(tree) - pages == {
        "/usr/lib/systemd/system/pgpool-recovery-check.service",
        "/usr/lib/systemd/system/pgpool-recovery-check.timer",
        "/usr/share/bash-completion/completions/pgpool-recovery",
        "/usr/share/doc/pgpool-recovery/pgpool-recovery.toml.example",
        "/usr/share/fish/vendor_completions.d/pgpool-recovery.fish",
    }
    assert {"/usr/share/man/man1/pgpool-recovery.1.gz"} < pages
    assert "/usr/share/man/man5/pgpool-recovery.toml.5.gz" in pages
    assert len(pages) == len(COMMANDS) + 2
    assert all(isinstance(each, File) and each.mode == 0o644 for each in tree.values())


def test_files_are_the_same_each_time() -> None:
    tree = generated("2.0.0", WHEN)
    assert generated("2.0.0", WHEN) == tree
    page = tree["/usr/share/man/man1/pgpool-recovery.1.gz"]
    assert isinstance(page, File)
    assert b'"2026-11-28" "pgpool\\-recovery 2.0.0"' in gzip.decompress(page.contents)
    assert page.contents[4:8] == bytes(4), "gzip's own time stamp"


def test_command_of_the_service_is_one_that_the_program_takes() -> None:
    [line] = values(SERVICE, "ExecStart")
    program, name, *words = line.split()
    assert program == COMMAND
    assert words.pop() == "$CHECK_OPTIONS", "systemd splits it into words only without braces"
    assert values(SERVICE, "Environment") == ["CHECK_OPTIONS="]
    [example] = re.findall(r'^#     Environment="CHECK_OPTIONS=(.*)"$', unit(SERVICE), re.MULTILINE)
    call = parse(COMMANDS[name], [*words, *shlex.split(example)])
    file = call.options["textfile"]
    assert isinstance(file, Path)
    assert file.parent == Path(STATE)
    assert file.suffix == ".prom"


def test_directory_of_the_metrics_is_readable_and_the_only_one_that_is_written() -> None:
    assert values(SERVICE, "StateDirectory") == [STATE.removeprefix("/var/lib/")]
    assert values(SERVICE, "StateDirectoryMode") == ["0755"]
    assert values(SERVICE, "ProtectSystem") == ["strict"]
    assert values(SERVICE, "ReadWritePaths") == []


def test_failure_of_a_check_is_a_failure_of_the_unit() -> None:
    assert values(SERVICE, "Type") == ["oneshot"]
    assert values(SERVICE, "SuccessExitStatus") == []
    assert not re.search(r"^ExecStart=-", unit(SERVICE), re.MULTILINE)


def test_service_has_more_time_than_a_check_takes_by_default() -> None:
    from pgpool_recovery.config.settings import Settings

    [limit] = values(SERVICE, "TimeoutStartSec")
    assert int(limit.removesuffix("min")) * 60 > Settings().pgpool.plan_s


def test_timer_starts_the_service_and_is_not_enabled() -> None:
    assert TIMER.removesuffix(".timer") == SERVICE.removesuffix(".service")
    assert values(TIMER, "WantedBy") == ["timers.target"]
    assert "[Install]" not in unit(SERVICE)
    assert not [path for path in generated("2.0.0", WHEN) if ".wants/" in path]


@pytest.fixture
def placed(tmp_path: Path) -> Path:
    """Return a directory with the units, whose program and pages exist."""
    if shutil.which("systemd-analyze") is None:
        pytest.skip("systemd-analyze is not here")
    for name in (SERVICE, TIMER):
        (tmp_path / name).write_text(unit(name).replace(COMMAND, "/bin/true"))
    return tmp_path


def analyze(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["systemd-analyze", "--no-pager", *words],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env=os.environ | {"LC_ALL": "C.UTF-8"},
    )


def test_systemd_takes_the_units(placed: Path) -> None:
    """Units of the system that are loaded with ours may have complaints of their own."""
    done = analyze("verify", "--man=no", str(placed / SERVICE), str(placed / TIMER))
    assert done.returncode == 0, done.stdout
    assert "pgpool-recovery" not in done.stdout


def test_systemd_would_see_a_mistake(placed: Path) -> None:
    file = placed / SERVICE
    file.write_text(file.read_text().replace("PrivateDevices", "PrivatDevices"))
    assert "PrivatDevices" in analyze("verify", "--man=no", str(file)).stdout


def test_service_is_confined(placed: Path) -> None:
    words = ("security", "--offline=true", f"--threshold={MAX_EXPOSURE}")
    done = analyze(*words, str(placed / SERVICE))
    assert done.returncode == 0, done.stdout


def test_options_that_are_missing_have_their_reason_in_the_service() -> None:
    missing = ("PrivateTmp", "PrivateUsers", "ProtectProc", "ProcSubset", "MemoryDenyWriteExecute")
    for name in missing:
        assert values(SERVICE, name) == []
        assert re.search(rf"^# .*\b{name}\b.*: ", unit(SERVICE), re.MULTILINE), name
