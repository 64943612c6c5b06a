"""The server is queried for the value of a setting only if nothing else determines it."""

import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from pgpool_recovery.agent.directory.configuration import OTHER_PARAMETERS, read_configuration
from pgpool_recovery.agent.directory.effective_value import DEFAULTS, DEFAULTS_OF, effective_values
from pgpool_recovery.agent.directory.own_login import OwnLogin
from pgpool_recovery.domain.control_file import STANDBY_PARAMETERS
from pgpool_recovery.domain.error import Refused
from pgpool_recovery.host.command_line import Given
from pgpool_recovery.host.installation import find_bin_directory
from pgpool_recovery.host.stop import Stop
from tests.majors import SUPPORTED

SERVER = """#!/bin/sh
for name; do :; done
echo "$name" >> "$(dirname "$0")/asked"
echo
"""
PARAMETERS = {*STANDBY_PARAMETERS, *OTHER_PARAMETERS}


@pytest.fixture
def empty_cluster() -> Iterator[Path]:
    """Yield a directory without any settings, owned by a user who may run a server."""
    with tempfile.TemporaryDirectory(dir="/var/tmp") as made:
        for name in ("postgresql.conf", "postgresql.auto.conf"):
            (Path(made) / name).touch()
        subprocess.run(["chown", "--recursive", "postgres", made], check=True)
        yield Path(made)


@pytest.mark.usefixtures("as_root")
def test_defaults_are_those_of_the_programs(empty_cluster: Path) -> None:
    found = {major: find_bin_directory(major, (), Stop()) for major in SUPPORTED}
    programs = [found[major] for major in DEFAULTS_OF if found.get(major) is not None]
    assert programs
    for bin_directory in programs:
        argv = ["setpriv", "--reuid", "postgres", "--clear-groups", "--"]
        argv += [f"{bin_directory}/postgres", "-D", str(empty_cluster)]
        assert effective_values(argv, DEFAULTS, Stop()) == DEFAULTS


@pytest.mark.parametrize(
    ("text", "major", "asked"),
    [
        ("", 18, {"port"}),
        ("max_connections = 7\n", 18, {"port", "max_connections"}),
        ("max_connections'7'\n", 18, {"port", "max_connections"}),
        ("include_if_exists 'more'\n", 18, {"port"}),
        ("", 19, PARAMETERS),
        ("", None, PARAMETERS),
        ("include 'none'\n", 14, PARAMETERS),
        ("include_dir'none'\n", 14, PARAMETERS),
        ("5 = x\n", 14, PARAMETERS),
    ],
)
def test_setting_that_is_in_no_file_has_its_default(
    tmp_path: Path, text: str, major: int | None, asked: set[str]
) -> None:
    """Except for a release whose defaults are not listed, and if a file could not be read."""
    assert asked <= asked_for(tmp_path, text, major)
    assert asked_for(tmp_path, text, major) & DEFAULTS.keys() == asked & DEFAULTS.keys()


def test_setting_on_the_command_line_is_queried(tmp_path: Path) -> None:
    given = (Given("hot_standby", "off", "a unit"),)
    assert "hot_standby" in asked_for(tmp_path, "", 18, given)


def test_server_that_cannot_read_its_configuration_is_reported(tmp_path: Path) -> None:
    (tmp_path / "postgres").write_text("#!/bin/sh\necho 'syntax error'\nexit 1\n")
    (tmp_path / "postgres").chmod(0o755)
    with pytest.raises(Refused, match="cannot read its configuration") as refused:
        effective_values([f"{tmp_path}/postgres"], PARAMETERS, Stop())
    assert refused.value.detail == "syntax error"


def asked_for(data: Path, text: str, major: int | None, given: tuple[Given, ...] = ()) -> set[str]:
    """Return the settings for which the server's program was queried."""
    data.chmod(0o700)
    (data / "postgres").write_text(SERVER)
    (data / "postgres").chmod(0o755)
    (data / "postgresql.conf").write_text(text)
    asked = data / "asked"
    asked.unlink(missing_ok=True)
    found = read_configuration(data, data, Stop(), OwnLogin(), given, major)
    assert found is not None
    assert set(found.values) >= set(STANDBY_PARAMETERS)
    return set(asked.read_text().split())
