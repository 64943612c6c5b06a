"""Promise 7: nothing from Pgpool-II is interpreted by a shell or mistaken for an option."""

import shlex
import subprocess
from pathlib import Path

import pytest

from pgpool_recovery.ssh.command import PGPOOL_KEY, SshSettings, ssh_command
from pgpool_recovery.ssh.locality import is_this_host


def test_promise_7_host_is_no_option_and_words_are_quoted() -> None:
    words = ssh_command("-oProxyCommand=x", ["a b", "$(x)"], SshSettings(user="u", options=("-4",)))
    assert words[-3:] == ["--", "-oProxyCommand=x", shlex.join(["a b", "$(x)"])]
    assert words[words.index("-l") + 1] == "u"
    assert "BatchMode=yes" in words


def effective(home: Path, settings: SshSettings) -> dict[str, str]:
    """Return how OpenSSH reads our words and a configuration that turns host key checks off."""
    file = home / "config"
    file.write_text("Host *\n  StrictHostKeyChecking no\n  UserKnownHostsFile /dev/null\n")
    words = ssh_command("server2", ["x"], settings)
    at = words.index("--")
    asked = [words[0], "-F", str(file), "-G", *words[1:at], "server2"]
    said = subprocess.run(asked, capture_output=True, text=True, check=True).stdout
    return dict(line.split(" ", 1) for line in said.splitlines() if " " in line)


def test_promise_7_host_keys_are_checked_regardless_of_ssh_config(tmp_path: Path) -> None:
    tried_again = ("-o", "StrictHostKeyChecking=no")
    for settings in (SshSettings(), SshSettings(options=tried_again)):
        assert effective(tmp_path, settings)["stricthostkeychecking"] == "true"


def test_settings_can_leave_host_keys_to_ssh(tmp_path: Path) -> None:
    settings = SshSettings(check_host_keys=False)
    assert effective(tmp_path, settings)["stricthostkeychecking"] == "false"


def test_key_of_pgpools_manual_is_used_when_it_is_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    assert "-i" not in ssh_command("host", ["x"], SshSettings())
    (tmp_path / ".ssh").mkdir()
    (tmp_path / ".ssh" / PGPOOL_KEY).touch()
    assert str(tmp_path / ".ssh" / PGPOOL_KEY) in ssh_command("host", ["x"], SshSettings())


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("localhost", True),
        ("127.0.0.1", True),
        ("/run/postgresql", True),
        ("192.0.2.1", False),
        ("no-such-host.invalid", False),
        ("server..x", False),
    ],
)
def test_this_host(host: str, *, expected: bool) -> None:
    assert is_this_host(host) is expected
