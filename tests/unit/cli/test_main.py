"""Which command the arguments start, before anything else is imported."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from pgpool_recovery.cli.own_user import use_own_home
from pgpool_recovery.ssh.command import SshSettings, ssh_command

WITH_WHAT_NAMES_ARE_READ = """
import os, sys
from pgpool_recovery.agent import serve
from pgpool_recovery.cli import main, stage
told = lambda *_: print(sys.getfilesystemencoding(), os.getpid(), os.fsencode(sys.argv[-1]))
serve.main = stage.run_stage = told
main.main()
"""


@pytest.mark.parametrize("word", ["agent", "recovery_1st_stage"])
def test_names_are_bytes_in_every_locale(word: str) -> None:
    """Both ends of a conversation decode bytes to the same characters, by the same process."""
    argv: list[str | bytes] = [
        sys.executable,
        "-c",
        WITH_WHAT_NAMES_ARE_READ,
        word,
        b"d\xe4t\xc3\xa4",
    ]
    plain = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    with subprocess.Popen(argv, env={**os.environ, **plain}, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        said = process.stdout.read().decode()
    assert process.returncode == 0
    assert said == f"utf-8 {process.pid} b'd\\xe4t\\xc3\\xa4'\n"


def test_user_without_an_entry_in_passwd_keeps_the_home_that_is_set(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 2**31 - 7)
    monkeypatch.setenv("HOME", str(tmp_path))
    use_own_home()
    assert os.environ["HOME"] == str(tmp_path)
    monkeypatch.delenv("HOME")
    monkeypatch.setattr(os, "getuid", os.geteuid)
    use_own_home()
    assert "-i" not in ssh_command("server2", ["x"], SshSettings())
