"""Run our own command as another user, which only root may do."""

import os
import pwd
import subprocess
from collections.abc import Sequence

from pgpool_recovery.domain.error import Unreachable
from pgpool_recovery.files.text import lines_of, text_of

PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
WITHIN_S = 120.0


def output_as_user(uid: int, command: Sequence[str], environment: dict[str, str]) -> list[str]:
    """Run a command as a user and return the lines of its output, including standard error.

    Of our own environment it gets only what is in `environment`. The exit status is ignored, since
    the output shows whether it succeeded. Raises Unreachable when it cannot be run, or takes longer
    than two minutes.
    """
    account = pwd.getpwuid(uid)
    is_own = os.geteuid() == uid
    groups = os.getgrouplist(account.pw_name, account.pw_gid)
    own = {"PATH": PATH, "HOME": account.pw_dir, "USER": account.pw_name, **environment}
    try:
        done = subprocess.run(
            command,
            user=None if is_own else uid,
            group=None if is_own else account.pw_gid,
            extra_groups=None if is_own else groups,
            env=own,
            cwd="/",
            stdin=subprocess.DEVNULL,
            start_new_session=True,  # Root's terminal must not be its controlling terminal.
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            check=False,
            timeout=WITHIN_S,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise Unreachable(f"could not run {command[0]} as {account.pw_name}: {error}") from error
    return lines_of(text_of(done.stdout))
