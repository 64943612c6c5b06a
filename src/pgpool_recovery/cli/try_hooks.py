"""At the end of install: try the hooks as the user as whom Pgpool-II calls them."""

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
    """Run the rehearsal and tell what it says; where that cannot be, how it is run by hand.

    `settings` is the file that the hooks read, when it is not the default one. What it finds is no
    failure of the installation.
    """
    words = [*command, *REHEARSE]
    environment = {} if settings is None else {VARIABLE: str(settings)}
    by_hand = shlex.join(["env", *(f"{k}={v}" for k, v in environment.items()), *words])
    by_hand = by_hand.removeprefix("env ") if not environment else by_hand
    users = sorted(pool_users())
    if len(users) != 1:
        say(
            "the hooks were not tried, for it is not known as whom Pgpool-II runs here",
            f"As that user, once it runs: {by_hand}",
        )
        return
    (uid,) = users
    if os.geteuid() not in (uid, ROOT):
        say(f"the hooks were not tried. As {name_of(uid)}: {by_hand}")
        return
    say(f"the hooks as {name_of(uid)}, as whom Pgpool-II runs: {by_hand}")
    try:
        say(*output_as_user(uid, words, environment))
    except RecoveryError as error:
        say(f"they were not tried: {error.message}")
