"""The one fixed command by which an agent is started on another host."""

import os
import shlex
from collections.abc import Sequence

from pgpool_recovery.domain.record import record

PGPOOL_KEY = "id_rsa_pgpool"
"""The key that the stock scripts and Pgpool-II's manual use, in ~/.ssh."""


@record
class SshSettings:
    """How hosts are reached; `options` go to ssh as they are.

    `check_host_keys`: only a host whose key is known is logged in to, whatever ssh_config says.
    """

    user: str | None = None
    options: tuple[str, ...] = ()
    connect_timeout_s: int = 10
    check_host_keys: bool = True


def ssh_command(host: str, remote: Sequence[str], settings: SshSettings) -> list[str]:
    """Return the words that run `remote` on `host`; its words are quoted for the login shell.

    Nothing asks for a password. Host keys are checked: of several values of an option ssh takes the
    first, so neither ssh_config, where the way to Pgpool-II's sample scripts often has left
    "StrictHostKeyChecking no", nor `options` turns that off; nor does a connection that somebody
    else has opened and shares, for nobody asks for the key there again. A link that is lost is
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
    # Last, for the DBA's own options come first: with "LogLevel QUIET" of an ssh_config no cause of
    # a login that fails would be told.
    words += [*settings.options, "-o", "LogLevel=INFO"]
    return [*words, "--", host, shlex.join(remote)]
