"""failover and follow_primary, as people call them; `cli/main.py` handles Pgpool-II's own calls."""


def failover(*words: str, rehearse: bool = False, as_json: bool = False) -> int:
    """Promote a standby when the primary is down (called by Pgpool-II's failover_command)."""
    from pgpool_recovery.cli.hook import FAILOVER, run_hook, run_rehearsal

    return run_rehearsal(as_json=as_json) if rehearse else run_hook(FAILOVER, words)


def follow_primary(*words: str) -> int:
    """Make a standby follow the new primary (called by Pgpool-II's follow_primary_command)."""
    from pgpool_recovery.cli.hook import FOLLOW_PRIMARY, run_hook

    return run_hook(FOLLOW_PRIMARY, words)
