"""Find out whose script starts the server after our first stage, and what is left to it."""

from collections.abc import Iterator
from pathlib import Path

from pgpool_recovery.install.stage_commands import is_ours, is_unchanged
from pgpool_recovery.plan.plan import OldData, Plan

START = "pgpool_remote_start"


def is_our_start(data_directory: Path) -> bool:
    """Return whether the remote start is the file that we installed, not a script that calls ours.

    What a foreign script does before it calls ours may require that the server is stopped.
    """
    return is_unchanged(data_directory / START, START)


def left_to_foreign_start(data_directory: Path, plan: Plan) -> Iterator[str]:
    """Yield what will not be done after this stage; nothing if the script is ours or missing."""
    script = data_directory / START
    if not script.exists() or is_ours(script):
        return
    name = plan.target_name
    yield (
        f"warning: {START} of this server is not pgpool-recovery's, so nothing will check that "
        f"{name} is streaming"
    )
    if plan.old_data is OldData.STAYS:
        yield f"the old data of {name} stays beside the new data until its next recovery"
    former = next(filter(None, (getattr(s, "former_slot_name", None) for s in plan.steps)), None)
    if former not in (None, plan.slot_name):
        yield (
            f"replication slot {former}, which {name} used before, remains and retains WAL. Once "
            f"{name} uses {plan.slot_name}, run SELECT pg_drop_replication_slot('{former}')"
        )
