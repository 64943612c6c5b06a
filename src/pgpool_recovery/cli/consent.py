"""Ask before something is destroyed."""

import sys

from pgpool_recovery.cli import say
from pgpool_recovery.domain.error import Cancelled, Refused

YES = frozenset({"y", "yes"})


def ask(question: str, what: str, *, yes: bool) -> None:
    """Ask a person; raises Cancelled for a no, Refused where nobody can be asked.

    `what` says what would be done, for the refusal. The question goes to standard error, so that
    the output is whole for whoever reads it.
    """
    if yes:
        return
    if not sys.stdin.isatty():
        raise Refused(
            f"{what} was not confirmed",
            detail="Standard input is not a terminal, so nobody can be asked.",
            hint="When it is what you want, run the same command with --yes.",
        )
    say.ask(f"{question} [y/N]")
    if sys.stdin.readline().strip().lower() not in YES:
        raise Cancelled(f"{what} was not confirmed", detail="Nothing was begun.")
