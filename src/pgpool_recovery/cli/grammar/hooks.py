"""The commands that Pgpool-II calls, as people call them; `cli/main.py` handles its own calls."""

from pgpool_recovery.cli.grammar.common import JSON
from pgpool_recovery.cli.grammar.form import Argument, Command, Option, Value

PLACEHOLDERS = '"%d" "%h" "%p" "%D" "%m" "%H" "%M" "%P" "%r" "%R" "%N" "%S"'
"""The same as in `hooks.call`, repeated here because that module is slow to import."""
WORDS = Argument(
    Value("WORD"),
    f"What Pgpool-II passes: {PLACEHOLDERS}, all of them, in this order.",
    is_repeatable=True,
)

FAILOVER = Command(
    "failover",
    "hook",
    "Promote a standby when the primary is down (called by Pgpool-II's failover_command).",
    """\
Promotes nothing when a standby went down, or when there is a primary already. Otherwise it
promotes, of the standbys that are fit for promotion, the one that has received the most WAL. A
primary that still accepts writes is stopped first, provided that a standby is ready to take its
place. `pgpool-recovery install --pgpool-conf` writes the setting.""",
    WORDS,
    (
        Option(
            ("--rehearse",),
            "Without arguments: test everything that a failover needs, on every node, report "
            "which node it would promote now, and change nothing. Run it on the host of "
            "Pgpool-II, as the user that Pgpool-II runs as.",
        ),
    ),
    (JSON,),
)
FOLLOW_PRIMARY = Command(
    "follow_primary",
    "hook",
    "Make a standby follow the new primary (called by Pgpool-II's follow_primary_command).",
    """\
Pgpool-II calls it once for each node that is down after a failover. A running standby is
recovered by the new primary, and attached. Any other node is left for `recover`, and the reason
is recorded.""",
    WORDS,
)
