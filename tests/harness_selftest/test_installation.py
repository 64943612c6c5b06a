"""A copied installation is independent of the original, and may be changed."""

import pytest

from tests.harness.installation import copied_installation, installed_majors, system_installation
from tests.harness.local_host import LocalHost
from tests.harness.workspace import Workspace


def test_the_newest_major_is_found() -> None:
    assert system_installation().major == installed_majors()[-1]


def test_a_major_that_is_not_installed_is_named() -> None:
    with pytest.raises(LookupError, match="PostgreSQL 9 is not installed"):
        system_installation(9)


def test_a_copy_finds_its_own_directories(workspace: Workspace, local_host: LocalHost) -> None:
    copy = copied_installation(workspace.make_new("copy-"))
    pg_config = copy.program("pg_config")
    assert local_host.run([pg_config, "--bindir"]).stdout.strip() == str(copy.bindir)
    share = local_host.run([pg_config, "--sharedir"]).stdout.strip()
    assert str(copy.extension_directory) == f"{share}/extension"
    assert (copy.extension_directory / "plpgsql.control").exists()
