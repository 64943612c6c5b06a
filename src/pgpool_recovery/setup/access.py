"""Run scripts on hosts as root: on this one at once, on others by ssh, with their keys checked.

A script goes to the standard input of one fixed remote command, so nothing of it is an argument,
and no login shell interprets it.
"""

import os
import pwd
import subprocess
import sys
from collections.abc import Iterable, Sequence
from contextlib import suppress
from typing import Protocol

from pgpool_recovery.domain.error import Unreachable, reason_of
from pgpool_recovery.domain.record import record
from pgpool_recovery.files.text import bytes_of, lines_of, text_of
from pgpool_recovery.files.trust import ROOT
from pgpool_recovery.log.note import span
from pgpool_recovery.ssh.command import SshSettings, ssh_command
from pgpool_recovery.ssh.locality import is_this_host

SHELL = ("sh", "-s")
SUDO = ("sudo", "-n")
AS_ROOT_S = 30.0
PERSON_S = 300.0
"""How long a person may take to compare a fingerprint."""
KEPT_LINES = 20
ASKING = ("BatchMode=no", "StrictHostKeyChecking=ask")
"""ssh then shows the fingerprint of an unknown key and asks, and asks for a password, on the
terminal; it remembers the key if the user agrees."""
UNKNOWN_KEY = "Host key verification failed"


@record
class Ran:
    """A script that has ended: its exit status and its output, including standard error."""

    status: int
    output: str

    @property
    def last_lines(self) -> str:
        """The end of the output."""
        return "\n".join(lines_of(self.output.strip())[-KEPT_LINES:]) or "It wrote nothing."


class RootShell(Protocol):
    """Root's shell on one host; `way` says how it is reached."""

    @property
    def way(self) -> str:
        """How it is reached, as words after the name of the host."""

    def run(self, script: str, *, within_s: float) -> Ran:
        """Run a script to its end; raises Unreachable when that is not possible."""

    def copy(self, data: bytes, path: str, *, within_s: float) -> Ran:
        """Write a file, readable by all, whose directory exists."""


@record
class OpenShell:
    """Root's shell on this host or another, by the words that start it."""

    prefix: tuple[str, ...]
    way: str
    ssh: tuple[str, SshSettings] | None = None
    local_user: str | None = None

    def run(self, script: str, *, within_s: float) -> Ran:
        """Run a script to its end; raises Unreachable when that is not possible."""
        return self._run(SHELL, bytes_of(script), within_s)

    def copy(self, data: bytes, path: str, *, within_s: float) -> Ran:
        """Write a file, readable by all, whose directory exists."""
        command = 'umask 022; cat >"$1"'
        return self._run(("sh", "-c", command, "sh", path), data, within_s)

    def _run(self, remote: Sequence[str], data: bytes, within_s: float) -> Ran:
        argv: Sequence[str] = [*self.prefix, *remote]
        if self.ssh is not None:
            host, settings = self.ssh
            argv = _as_local_user(self.local_user, ssh_command(host, argv, settings))
        with span("runs {}", argv):
            return _run(argv, data, within_s)


def open_shell(host: str, user: str | None, *, may_ask: bool) -> OpenShell:
    """Return root's shell on a host; raise Unreachable, with the reason of each way that failed.

    `user` is whom to log in as; without it the user of sudo and root are tried. `may_ask`: ssh may
    ask on the terminal whether the key of the host is right, and for a password.
    """
    if is_this_host(host):
        is_root = os.geteuid() == ROOT
        return OpenShell(() if is_root else SUDO, "this host" if is_root else "this host, by sudo")
    ways = list(_ways(user))
    failures = dict[tuple[str | None, str], str]()
    for local, remote in ways:
        shell, failures[local, remote] = _try(host, local, remote)
        if shell is not None:
            return shell
    # Only if no way works: another user may know the key, and then no one need be asked.
    unknown = [way for way in ways if UNKNOWN_KEY in failures[way]] if may_ask else []
    for local, remote in unknown:
        _ask_about_key(host, local, remote)
        shell, failures[local, remote] = _try(host, local, remote)
        if shell is not None:
            return shell
        if UNKNOWN_KEY in failures[local, remote]:
            break  # The answer was no.
    reasons = [f"as {remote}: {failures[local, remote]}" for local, remote in ways]
    raise Unreachable(f"could not log in to {host} as root", detail="\n".join(reasons))


def caller() -> str | None:
    """Return the user who called this command by sudo, as root; None if nobody else did."""
    name = os.environ.get("SUDO_USER") if os.geteuid() == ROOT else None
    with suppress(KeyError):
        if name is not None and pwd.getpwnam(name).pw_uid != ROOT:
            return name
    return None


def _ways(user: str | None) -> Iterable[tuple[str | None, str]]:
    """Yield whose key is used, None for that of this process's user, and who logs in there.

    The operator comes first: a person may have been there before; root may not.
    """
    own = pwd.getpwuid(os.geteuid()).pw_name
    called_by = caller()
    if user is not None:
        if called_by is not None:
            yield called_by, user
        yield None, user
        return
    if called_by is not None:
        yield called_by, called_by
    elif own != "root":
        yield None, own
    yield None, "root"


def _try(host: str, local: str | None, remote: str) -> tuple[OpenShell | None, str]:
    """Return a shell that was seen to be root's, or why there is none."""
    settings = SshSettings(user=remote)
    failure = ""
    for prefix in ((), SUDO):
        way = f"ssh as {remote}" + (" and sudo" if prefix else "")
        shell = OpenShell(prefix, way, (host, settings), local)
        try:
            ran = shell.run("id -u\n", within_s=AS_ROOT_S)
        except Unreachable as error:
            return None, error.in_a_line
        if ran.status == 0 and ran.output.strip().endswith("0") and _is_root(ran.output):
            return shell, ""
        failure = " ".join(ran.last_lines.split()) if ran.status else f"{remote} is not root"
        if ran.status == 255:  # ssh itself failed, so sudo would not help.
            break
    return None, failure


def _is_root(output: str) -> bool:
    return lines_of(output.strip())[-1].strip() == str(ROOT)


def _ask_about_key(host: str, local: str | None, remote: str) -> None:
    """Let ssh show the fingerprint of a host's key, and ask on the terminal."""
    options = [word for option in ASKING for word in ("-o", option)]
    argv = ["ssh", *options, "-o", "ControlPath=none", "-l", remote, "--", host, "true"]
    sys.stdout.flush()
    # What is wrong is reported by the next attempt to log in.
    with suppress(OSError, subprocess.TimeoutExpired):
        subprocess.run(_as_local_user(local, argv), check=False, timeout=PERSON_S)


def _as_local_user(user: str | None, argv: Sequence[str]) -> list[str]:
    if user is None:
        return list(argv)
    home = pwd.getpwnam(user).pw_dir
    agent = os.environ.get("SSH_AUTH_SOCK")
    more = [] if agent is None else [f"SSH_AUTH_SOCK={agent}"]
    return ["runuser", "-u", user, "--", "env", f"HOME={home}", *more, *argv]


def run_as(user: str, argv: Sequence[str], data: bytes, *, within_s: float) -> Ran:
    """Run a program as another user, with that user's HOME; raise Unreachable if it cannot be."""
    return _run(_as_local_user(user, argv), data, within_s)


def _run(argv: Sequence[str], data: bytes, within_s: float) -> Ran:
    try:
        done = subprocess.run(
            argv,
            input=data,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            check=False,
            timeout=within_s,
            start_new_session=True,
            cwd="/",
        )
    except subprocess.TimeoutExpired as error:
        so_far = text_of(error.stdout or b"")
        raise Unreachable(
            f"{argv[0]} did not end within {within_s:g} s", detail=so_far.strip() or None
        ) from error
    except OSError as error:
        raise Unreachable(f"could not run {argv[0]}: {reason_of(error)}") from error
    return Ran(done.returncode, text_of(done.stdout))
