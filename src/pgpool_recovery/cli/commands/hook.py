"""failover and follow_primary, as people find them: Pgpool-II's calls come another way."""

from typing import Annotated

from cyclopts import Parameter

from pgpool_recovery.cli.output import AsJson

Words = Annotated[str, Parameter(allow_leading_hyphen=True)]


def failover(*words: Words, rehearse: bool = False, as_json: AsJson = False) -> int:
    """Promote a standby when the primary is down; what Pgpool-II's failover_command calls.

    Nothing is promoted when a standby went down, or when there is a primary already. Promoted is
    the fit standby that has received most. A primary that still accepts writes is stopped first,
    when one is ready to take its place. `pgpool-recovery install --pgpool-conf` writes the line.

    Parameters
    ----------
    words
        "%d" "%h" "%p" "%D" "%m" "%H" "%M" "%P" "%r" "%R" "%N" "%S": all of them, in this order.
    rehearse
        Without words: try what a failover needs of every node, say whom it would promote now, and
        change nothing. Run it on the host of Pgpool-II, as the user as whom that runs.
    """
    from pgpool_recovery.cli.hook import FAILOVER, run_hook, run_rehearsal

    return run_rehearsal(as_json=as_json) if rehearse else run_hook(FAILOVER, words)


def follow_primary(*words: Words) -> int:
    """Put a standby behind the new primary; what Pgpool-II's follow_primary_command calls.

    Pgpool-II calls it once for each node that is down after a failover. A standby that runs is
    recovered by the new primary, and attached. Any other node is left for `recover`, and on record.

    Parameters
    ----------
    words
        "%d" "%h" "%p" "%D" "%m" "%H" "%M" "%P" "%r" "%R" "%N" "%S": all of them, in this order.
    """
    from pgpool_recovery.cli.hook import FOLLOW_PRIMARY, run_hook

    return run_hook(FOLLOW_PRIMARY, words)
