"""Run the command that is named, without importing the others: Pgpool-II's calls start quickly."""

import atexit
import gc
import sys
from collections.abc import Sequence

from pgpool_recovery.cli.bug import report_without_values
from pgpool_recovery.cli.locale import run_in_utf8, write_as_the_terminal_reads
from pgpool_recovery.cli.whole import load_the_rest_later

STAGES = (
    "recovery_1st_stage",
    "recovery_2nd_stage",
    "pgpool_remote_start",
    "pgpool_recovery_plan",
    "pgpool_recovery_check",
)
FAILOVER = "failover"
"""It ends within seconds, and clients wait for it."""
HOOKS = (FAILOVER, "follow_primary")
FOR_PEOPLE = frozenset({"--help", "-h", "--rehearse", "--json"})

COLLECT_EVERY = 50_000
"""In objects. With the default of 700, a tenth of the time for loading modules would be spent on
garbage collection."""


def main(words: Sequence[str] | None = None) -> int:
    """Run the command named by `words`, or by sys.argv, and return its exit status."""
    is_own_process = words is None
    if is_own_process:
        run_in_utf8(sys.orig_argv)
        report_without_values()
        gc.set_threshold(COLLECT_EVERY)
        # Then there is nothing to collect at exit, which would take a tenth of a second or more.
        atexit.register(gc.freeze)
    first, *rest = [*(sys.argv[1:] if words is None else words), ""]
    rest = rest[:-1]
    if is_own_process and first != FAILOVER:
        load_the_rest_later()
    if first == "agent":
        from pgpool_recovery.agent.serve import main as serve

        return serve()
    if first in STAGES:
        from pgpool_recovery.cli.stage import run_stage

        return run_stage(first, rest)
    if first in HOOKS and not FOR_PEOPLE & set(rest):
        from pgpool_recovery.cli.hook import run_hook

        return run_hook(first, rest)
    if is_own_process:
        write_as_the_terminal_reads()
    from pgpool_recovery.cli.app import run_app

    return run_app([first, *rest] if first else [])
