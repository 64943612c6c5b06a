"""Package files are installed when their version is not."""

import pytest
from package_file import files_to_install

DEBS = ["p/postgresql-15-pgpool-recovery_2.0.0-1_all.deb", "p/pgpool-recovery_2.0.0-1_all.deb"]
RPM = "p/pgpool-recovery-pg15-2.0.0-1.noarch.rpm"


def test_command_comes_before_the_extensions() -> None:
    assert files_to_install(DEBS, {}) == [DEBS[1], DEBS[0]]


def test_installed_version_is_left_out() -> None:
    facts = {"pgpool-recovery": [{"version": "2.0.0-1"}]}
    assert files_to_install(DEBS, facts) == [DEBS[0]]
    assert files_to_install(DEBS, {"pgpool-recovery": [{"version": "1.9.0-1"}]})[0] == DEBS[1]


def test_rpm_has_its_release_apart() -> None:
    name = "pgpool-recovery-pg15"
    assert files_to_install([RPM], {name: [{"version": "2.0.0", "release": "1"}]}) == []
    assert files_to_install([RPM], {name: [{"version": "2.0.0", "release": "2"}]}) == [RPM]


def test_other_files_are_refused() -> None:
    with pytest.raises(ValueError, match="README is not the name of a package file"):
        files_to_install(["p/README"], {})
