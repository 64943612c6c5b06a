"""Promise 7: nothing that comes from Pgpool-II is interpreted by a shell or taken for an option."""

import shlex
from pathlib import Path

import pytest

from pgpool_recovery.ssh.command import PGPOOL_KEY, SshSettings, ssh_command
from pgpool_recovery.ssh.locality import is_this_host


def test_promise_7_host_is_no_option_and_words_are_quoted() -> None:
    words = ssh_command("-oProxyCommand=x", ["a b", "$(x)"], SshSettings(user="u", options=("-4",)))
    assert words[-3:] == ["--", "-oProxyCommand=x", shlex.join(["a b", "$(x)"])]
    assert words[words.index("-l") + 1] == "u"
    assert "BatchMode=yes" in words
    assert not any("StrictHostKeyChecking" in word for word in words)


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
