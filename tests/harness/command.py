"""Run one command under a keeper to its end, and keep what it wrote."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from .keeper import Command, Keeper

_OUTPUT_LIMIT_BYTES = 16 * 1024 * 1024
_LAST_LINES = 20
_KILLED = -9


@dataclass(frozen=True)
class Completed:
    """A command that has ended, with what it wrote (the last 16 MB of each stream)."""

    argv: tuple[str, ...]
    returncode: int
    stdout: str
    stderr: str

    @property
    def output(self) -> str:
        return self.stdout + self.stderr


class CommandError(Exception):
    """A command ended with another status than 0, or did not end in time."""

    def __init__(self, what: str, completed: Completed) -> None:
        last_lines = completed.output.splitlines()[-_LAST_LINES:]
        super().__init__("\n  ".join([f"{' '.join(completed.argv)}: {what}", *last_lines]))
        self.completed = completed


class CommandTimeoutError(CommandError):
    """A command did not end in time and was killed."""


def run_under(
    keeper: Keeper, command: Command, *, stdin: str = "", timeout_s: float = 60, check: bool = True
) -> Completed:
    """Run a command to its end; daemons that it leaves behind are not waited for.

    Raises CommandTimeoutError after `timeout_s`, and with `check` CommandError for a status other
    than 0.
    """
    with _memory_file() as given, _memory_file() as stdout, _memory_file() as stderr:
        os.pwrite(given, stdin.encode(errors="surrogateescape"), 0)
        child = keeper.start_child(command, descriptors=(given, stdout, stderr))
        returncode = child.wait(timeout_s)
        if returncode is None:
            child.kill_group()
        completed = Completed(
            argv=tuple(command.argv),
            returncode=_KILLED if returncode is None else returncode,
            stdout=_text(stdout),
            stderr=_text(stderr),
        )
    if returncode is None:
        raise CommandTimeoutError(f"did not end within {timeout_s:g} s", completed)
    if check and returncode != 0:
        raise CommandError(f"exit status {returncode}", completed)
    return completed


@contextmanager
def _memory_file() -> Iterator[int]:
    """An anonymous file that vanishes with its last descriptor.

    Not a pipe: a daemon may hold its output open for ever, and then only the file stays with it.
    """
    descriptor = os.memfd_create("harness")
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def _text(descriptor: int) -> str:
    size = os.fstat(descriptor).st_size
    left_out = max(0, size - _OUTPUT_LIMIT_BYTES)
    text = os.pread(descriptor, _OUTPUT_LIMIT_BYTES, left_out).decode(errors="replace")
    return f"[{left_out} bytes left out]\n{text}" if left_out else text
