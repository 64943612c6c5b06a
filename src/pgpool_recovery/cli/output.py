"""Print notes and failures, in the same way for all commands."""

import json
from collections.abc import Sequence

from pgpool_recovery.cli.log import log_failure
from pgpool_recovery.cli.psql import as_psql
from pgpool_recovery.cli.say import complain, say_json
from pgpool_recovery.domain.error import RecoveryError
from pgpool_recovery.domain.target_state import TargetState

JSON, EVENTS = "--json", "--events"


def note(sentence: str) -> None:
    """Print a remark to standard error; it does not stop the command."""
    complain(f"note: {sentence}")


def show_failure(error: RecoveryError, *, with_target: bool = False) -> None:
    """Show a failure as psql shows an error, with the target's state if that is informative.

    `with_target`: a recovery was started. If none was, "untouched" would be misread as the
    condition of the node.
    """
    log_failure(error)
    is_known = error.target is not TargetState.UNTOUCHED
    complain(*as_psql(error, with_target=with_target or is_known))


def tell_failure(error: RecoveryError, words: Sequence[str]) -> int:
    """Report the failure of a whole command in the requested format; return its exit status."""
    is_event = _is_said(EVENTS, words)
    if is_event or _is_said(JSON, words):
        log_failure(error)
        parts = {"version": 1, "error": error.as_record(), "exit_status": error.exit_status}
        if is_event:
            parts["event"] = "failed"
        say_json(json.dumps(parts, indent=None if is_event else 2))
    else:
        show_failure(error)
    return error.exit_status


def _is_said(name: str, words: Sequence[str]) -> bool:
    """Return whether the words contain an option, maybe abbreviated; they may be invalid."""
    return any(len(word) > len("--") and name.startswith(word) for word in words)
