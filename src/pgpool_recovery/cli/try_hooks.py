"""Test the hooks at the end of install, as the user that Pgpool-II runs as."""

import os
import shlex
from collections.abc import Sequence
from pathlib import Path

from pgpool_recovery.cli.say import say
from pgpool_recovery.config.load import VARIABLE
from pgpool_recovery.control.pool_user import name_of, pool_users
from pgpool_recovery.domain.error import RecoveryError
from pgpool_recovery.install.as_user import output_as_user

REHEARSE = ("failover", "--rehearse")
ROOT = 0


def try_hooks(command: Sequence[str], settings: Path | None) -> None:
    """Run the rehearsal and print its output; if it cannot be run, print how to run it by hand.

    `settings` is the file that the hooks read, if it is not the default one. Problems that the
    rehearsal finds do not make the installation fail.
    """
    words = [*command, *REHEARSE]
    environment = {} if settings is None else {VARIABLE: str(settings)}
    by_hand = shlex.join(["env", *(f"{k}={v}" for k, v in environment.items()), *words])
    by_hand = by_hand.removeprefix("env ") if not environment else by_hand
    users = sorted(pool_users())
    if len(users) != 1:
        say(
            "the hooks were not tested because it is not known which user Pgpool-II runs as here",
            f"To test them as that user, once Pgpool-II is running: {by_hand}",
        )
        return
    (uid,) = users
    if os.geteuid() not in (uid, ROOT):
        say(f"the hooks were not tested. To test them as {name_of(uid)}: {by_hand}")
        return
    say(f"testing the hooks as {name_of(uid)}, the user that Pgpool-II runs as: {by_hand}")
    try:
        say(*output_as_user(uid, words, environment))
    except RecoveryError as error:
        say(f"the hooks could not be tested: {error.message}")
