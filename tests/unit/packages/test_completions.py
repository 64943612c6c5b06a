"""The completions where packages put them, in the shells themselves: a key is pressed."""

import os
import pty
import select
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from packages.generated import ZSH, ZSH_DEBIAN, completions, zsh_completion
from packages.tree import merged, write

PROMPT = "now> "
TAB = "\t"
WITHIN_S = 60.0
"""For a shell to start, and to answer; it takes a fraction of a second."""
LOADER = Path("/usr/share/bash-completion/bash_completion")
SHOW = '#!/bin/sh\nprintf "called with"\nprintf " <%s>" "$@"\necho " end"\n'


class Terminal:
    """A shell that takes its input from a terminal, which we are."""

    def __init__(self, descriptor: int) -> None:
        self.descriptor = descriptor
        self.seen = ""

    def press(self, keys: str) -> None:
        os.write(self.descriptor, keys.encode())

    def until(self, text: str) -> str:
        """Return what the shell has written from the last call to a text."""
        deadline = time.monotonic() + WITHIN_S
        while text not in self.seen:
            left = deadline - time.monotonic()
            ready, _, _ = select.select([self.descriptor], [], [], max(left, 0))
            assert ready, f"no {text!r} in {self.seen!r}"
            self.seen += os.read(self.descriptor, 4096).decode()
        before, _, self.seen = self.seen.partition(text)
        return before


@contextmanager
def terminal(words: list[str], env: dict[str, str]) -> Iterator[Terminal]:
    child, descriptor = pty.fork()
    if child == 0:
        try:
            os.execvpe(words[0], words, env)  # noqa: S606 - in the child
        finally:
            os._exit(127)
    try:
        yield Terminal(descriptor)
    finally:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        os.close(descriptor)


@pytest.fixture
def host(tmp_path: Path) -> Path:
    """Return a directory like the root of a host: the files of the package, and a home."""
    write(merged(completions(), zsh_completion(ZSH_DEBIAN), zsh_completion(ZSH)), tmp_path, 0)
    command = tmp_path / "usr" / "bin" / "pgpool-recovery"
    command.parent.mkdir()
    command.write_text(SHOW)
    command.chmod(0o755)
    (tmp_path / "home").mkdir()
    return tmp_path


def environment(host: Path) -> dict[str, str]:
    return {
        "PATH": f"{host}/usr/bin:/usr/bin:/bin",
        "HOME": f"{host}/home",
        "ZDOTDIR": f"{host}/home",
        "XDG_DATA_DIRS": f"{host}/usr/share",
        "TERM": "dumb",
        "LC_ALL": "C.UTF-8",
    }


CASES = [
    (f"rec{TAB}1", ["recover", "1"]),
    (f"recover 1 --at-most=rew{TAB}", ["recover", "1", "--at-most=rewind"]),
    (f"plan 1 --without{TAB}", ["plan", "1", "--without-pgpool"]),
    (f"check --stri{TAB}", ["check", "--strict"]),
    (f"status --config=/etc/passw{TAB}", ["status", "--config=/etc/passwd"]),
    (f"fol{TAB}", ["follow_primary"]),
]


@pytest.mark.parametrize(("keys", "expected"), CASES, ids=lambda value: str(value)[:12])
def test_bash_finds_it_when_it_is_needed(host: Path, keys: str, expected: list[str]) -> None:
    if not LOADER.exists():
        pytest.skip("the package bash-completion is not here")
    start = host / "home" / "rc"
    start.write_text(f"PS1='{PROMPT}'\nbind 'set enable-bracketed-paste off'\n. {LOADER}\n")
    with terminal(["bash", "--rcfile", str(start), "-i"], environment(host)) as bash:
        called(bash, keys, expected)


@pytest.mark.parametrize(
    ("keys", "expected", "directory"),
    [(*CASES[0], ZSH), *((*case, ZSH_DEBIAN) for case in CASES)],
    ids=lambda value: str(value)[:12],
)
def test_zsh_finds_it_in_its_path(
    host: Path, keys: str, expected: list[str], directory: str
) -> None:
    if shutil.which("zsh") is None:
        pytest.skip("zsh is not here")
    (host / "home" / ".zshrc").write_text(
        f"PS1='{PROMPT}'\nunsetopt zle_bracketed_paste prompt_cr prompt_sp\n"
        f"fpath=({host}{directory} $fpath)\nautoload -Uz compinit\ncompinit -u -D\n"
    )
    with terminal(["zsh", "-d", "-i"], environment(host)) as zsh:
        called(zsh, keys, expected)


def called(shell: Terminal, keys: str, expected: list[str]) -> None:
    """Press keys after the name of the command, and assert which words it is called with."""
    shell.until(PROMPT)
    shell.press(f"pgpool-recovery {keys}\n")
    shell.until("called with ")
    assert shell.until(" end").split() == [f"<{word}>" for word in expected]


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("rec", ["recover"]),
        ("recover 1 --at-most=re", [f"--at-most={m}" for m in ("repoint", "rewind", "restore")]),
        ("recover 1 --at-most re", ["repoint", "rewind", "restore"]),
        ("check --stri", ["--strict"]),
        ("status --config /etc/passw", ["/etc/passwd"]),
        ("fol", ["follow_primary"]),
    ],
)
def test_fish_finds_it_among_those_of_packages(host: Path, line: str, expected: list[str]) -> None:
    if shutil.which("fish") is None:
        pytest.skip("fish is not here")
    done = subprocess.run(
        ["fish", "-c", f"complete -C 'pgpool-recovery {line}'"],
        env=environment(host),
        capture_output=True,
        text=True,
        check=True,
    )
    found = [each.partition("\t")[0] for each in done.stdout.splitlines()]
    assert set(expected) <= set(found)
    assert {word for word in found if not word.startswith("/etc/")} <= set(expected)
