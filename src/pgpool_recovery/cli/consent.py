"""Ask for confirmation before something is destroyed."""

import sys

from pgpool_recovery.cli import say
from pgpool_recovery.domain.error import Cancelled, Refused

YES = frozenset({"y", "yes"})


def ask(question: str, what: str, *, yes: bool) -> None:
    """Ask a person; raises Cancelled for a no, and Refused if standard input is not a terminal.

    `what` names what would be done, for the error message. The question goes to standard error, so
    that it does not get mixed into the output.
    """
    if yes:
        return
    if not sys.stdin.isatty():
        raise Refused(
            f"{what} was not confirmed",
            detail="Standard input is not a terminal, so the question cannot be asked.",
            hint="To confirm it, run the same command with --yes.",
        )
    say.ask(f"{question} [y/N]")
    if sys.stdin.readline().strip().lower() not in YES:
        raise Cancelled(f"{what} was not confirmed", detail="Nothing was started.")
