"""A command that is run as a user, by root or by that user."""

import os
import pwd

import pytest

from pgpool_recovery.domain.error import Unreachable
from pgpool_recovery.install.as_user import output_as_user


def test_own_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Only the named variables of the caller are passed on."""
    monkeypatch.setenv("PGPASSWORD", "secret")
    said = output_as_user(os.geteuid(), ["env"], {"PGPOOL_RECOVERY_CONFIG": "/etc/x.toml"})
    assert f"HOME={pwd.getpwuid(os.geteuid()).pw_dir}" in said
    assert "PGPOOL_RECOVERY_CONFIG=/etc/x.toml" in said
    assert not any("secret" in line for line in said)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root becomes another user")
def test_root_becomes_the_user() -> None:
    nobody = pwd.getpwnam("nobody")
    assert output_as_user(nobody.pw_uid, ["id", "-un"], {}) == ["nobody"]
    assert output_as_user(nobody.pw_uid, ["id", "-u", "-r"], {}) == [str(nobody.pw_uid)]
    groups = output_as_user(nobody.pw_uid, ["id", "-G"], {})
    assert "0" not in groups[0].split()


def test_no_such_program() -> None:
    with pytest.raises(Unreachable, match="could not run /no/such"):
        output_as_user(os.geteuid(), ["/no/such"], {})
