"""Make the one fixed command that starts an agent on another host."""

import os
import shlex
from collections.abc import Sequence

from pgpool_recovery.domain.record import record

PGPOOL_KEY = "id_rsa_pgpool"
"""The key that the stock scripts and Pgpool-II's manual use, in ~/.ssh."""


@record
class SshSettings:
    """How hosts are reached; `options` are passed to ssh unchanged.

    `check_host_keys`: ssh logs in only to hosts whose key is known, regardless of ssh_config.
    """

    user: str | None = None
    options: tuple[str, ...] = ()
    connect_timeout_s: int = 10
    check_host_keys: bool = True


def ssh_command(host: str, remote: Sequence[str], settings: SshSettings) -> list[str]:
    """Return the words that run `remote` on `host`; its words are quoted for the login shell.

    No password is ever requested. Host keys are checked. Since ssh uses the first of several values
    of an option, neither `options` nor ssh_config can turn that off, although guides to the sample
    scripts of Pgpool-II often leave "StrictHostKeyChecking no" there. A shared connection that
    another ssh has opened is not used, because the key is not checked again there. A lost link is
    noticed after 15 to 20 seconds.
    """
    words = ["ssh", "-T", "-o", "BatchMode=yes"]
    words += ["-o", f"ConnectTimeout={settings.connect_timeout_s}"]
    words += ["-o", "ServerAliveInterval=5", "-o", "ServerAliveCountMax=3"]
    words += ["-o", "ForwardAgent=no", "-o", "ClearAllForwardings=yes"]
    if settings.check_host_keys:
        words += ["-o", "StrictHostKeyChecking=yes", "-o", "ControlPath=none"]
    key = os.path.expanduser(f"~/.ssh/{PGPOOL_KEY}")  # noqa: PTH111 - raises without a home
    if os.access(key, os.R_OK):
        words += ["-i", key]
    if settings.user is not None:
        words += ["-l", settings.user]
    # Last, so that the DBA's own options win. With "LogLevel QUIET" in ssh_config, ssh would not
    # report why a login fails.
    words += [*settings.options, "-o", "LogLevel=INFO"]
    return [*words, "--", host, shlex.join(remote)]
