"""What all commands say in the same way: documents, failures, and the options for them."""

import json
from typing import Annotated

from cyclopts import Group, Parameter

from pgpool_recovery.cli.psql import as_psql
from pgpool_recovery.cli.say import complain, say_json
from pgpool_recovery.domain.error import RecoveryError

OUTPUT = Group("Output", sort_key=20)

AsJson = Annotated[bool, Parameter(name="--json", group=OUTPUT, help="Answer with JSON.")]
AsEvents = Annotated[
    bool, Parameter(name="--events", group=OUTPUT, help="Tell what happens in JSON lines.")
]
FOR_PROGRAMS = frozenset({"--json", "--events"})
ABOUT_A_TARGET = frozenset({"recover", "cancel", "install", "uninstall"})


def note(sentence: str) -> None:
    """Say something to know that does not stand in the way, apart from the output."""
    complain(f"note: {sentence}")


def show_failure(error: RecoveryError, *, with_target: bool = True) -> None:
    """Show a failure as psql shows an error, with the state of the target where there is one."""
    complain(*as_psql(error, with_target=with_target))


def tell_failure(error: RecoveryError, words: list[str]) -> int:
    """Tell the failure of a whole command in the form that its words ask for."""
    if FOR_PROGRAMS & set(words):
        parts = {"version": 1, "error": error.as_record(), "exit_status": error.exit_status}
        if "--events" in words:
            parts["event"] = "failed"
        say_json(json.dumps(parts, indent=None if "--events" in words else 2))
    else:
        show_failure(error, with_target=bool(ABOUT_A_TARGET & set(words[:1])))
    return error.exit_status
