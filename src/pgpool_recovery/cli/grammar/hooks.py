"""The commands that Pgpool-II calls, as people find them: its own calls come another way."""

from pgpool_recovery.cli.grammar.common import JSON
from pgpool_recovery.cli.grammar.form import Argument, Command, Option, Value

PLACEHOLDERS = '"%d" "%h" "%p" "%D" "%m" "%H" "%M" "%P" "%r" "%R" "%N" "%S"'
"""Those of `hooks.call`."""
WORDS = Argument(Value("WORD"), f"{PLACEHOLDERS}: all of them, in this order.", is_repeatable=True)

FAILOVER = Command(
    "failover",
    "hook",
    "Promote a standby when the primary is down; what Pgpool-II's failover_command calls.",
    """\
Nothing is promoted when a standby went down, or when there is a primary already. Promoted is
the fit standby that has received most. A primary that still accepts writes is stopped first,
when one is ready to take its place. `pgpool-recovery install --pgpool-conf` writes the line.""",
    WORDS,
    (
        Option(
            ("--rehearse",),
            "Without words: try what a failover needs of every node, say whom it would promote "
            "now, and change nothing. Run it on the host of Pgpool-II, as the user as whom that "
            "runs.",
        ),
    ),
    (JSON,),
)
FOLLOW_PRIMARY = Command(
    "follow_primary",
    "hook",
    "Put a standby behind the new primary; what Pgpool-II's follow_primary_command calls.",
    """\
Pgpool-II calls it once for each node that is down after a failover. A standby that runs is
recovered by the new primary, and attached. Any other node is left for `recover`, and on
record.""",
    WORDS,
)
