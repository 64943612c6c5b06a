"""What a shell completes; shells that are not on this machine are skipped."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from pgpool_recovery.cli.app import run_app
from pgpool_recovery.cli.completion import bash_script, fish_script, zsh_script
from pgpool_recovery.cli.install_completion import SHELLS

ASKED = """
COMP_WORDS=({words}) COMP_CWORD=$(({count} - 1)) COMPREPLY=()
compopt() {{ :; }}
_pgpool_recovery
echo "${{COMPREPLY[@]}}"
"""


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("pgpool-recovery rec", "recover"),
        ("pgpool-recovery --v", "--version"),
        ("pgpool-recovery recover --w", "--wait --without-pgpool"),
        ("pgpool-recovery recover 1 --at-most re", "repoint rewind restore"),
        ("pgpool-recovery recover 1 --at-most = re", "repoint rewind restore"),
        ("pgpool-recovery recover 1 --at-most =", "attach repoint catch-up rewind incremental "),
        ("pgpool-recovery status --host r", ""),
        ("pgpool-recovery status --config /etc/passw", "/etc/passwd"),
        ("pgpool-recovery failover --re", "--rehearse"),
        ("pgpool-recovery plan --all", ""),
    ],
)
def test_bash_completes(words: str, expected: str) -> None:
    script = bash_script() + ASKED.format(words=words, count=len(words.split()))
    done = subprocess.run(["bash", "-c", script], capture_output=True, text=True, check=False)
    assert done.stderr == ""
    assert done.stdout.startswith(expected)
    assert expected or done.stdout == "\n"


@pytest.mark.parametrize(("shell", "script"), [("zsh", zsh_script()), ("fish", fish_script())])
def test_scripts_are_of_their_language(shell: str, script: str) -> None:
    for word in ("recover", "without-pgpool", "cancel", "catch-up", "Pgpool-II'\\''s"):
        assert word in script
    if shutil.which(shell) is None:
        pytest.skip(f"{shell} is not here")
    argv = [shell, "-n", "/dev/stdin"]
    done = subprocess.run(argv, input=script, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("shell", SHELLS)
def test_script_is_put_where_its_shell_looks(
    shell: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("SHELL", f"/usr/bin/{shell}")
    monkeypatch.delenv("XDG_DATA_HOME", raising=False)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / ".config"))
    assert run_app(["--install-completion"]) == 0
    (file,) = (path for path in tmp_path.rglob("*") if path.is_file())
    assert file.read_text() == SHELLS[shell].script()
    assert f"{file} written" in capsys.readouterr().out


@pytest.mark.usefixtures("as_root")
def test_root_leaves_the_home_of_another_user_as_it_is(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("XDG_DATA_HOME", raising=False)
    os.chown(tmp_path, 65534, 65534)
    assert run_app(["--install-completion", "bash"]) == 4
    assert "sudo -u nobody" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("words", [["tcsh"], ["bash", "zsh"], []], ids=str)
def test_other_shells_are_refused(
    words: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("SHELL", "/bin/tcsh")
    assert run_app(["--install-completion", *words]) == 2
    assert "bash|zsh|fish" in capsys.readouterr().err
