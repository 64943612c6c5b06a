"""failover and follow_primary, as people find them: Pgpool-II's calls come another way."""


def failover(*words: str, rehearse: bool = False, as_json: bool = False) -> int:
    """Promote a standby when the primary is down; what Pgpool-II's failover_command calls."""
    from pgpool_recovery.cli.hook import FAILOVER, run_hook, run_rehearsal

    return run_rehearsal(as_json=as_json) if rehearse else run_hook(FAILOVER, words)


def follow_primary(*words: str) -> int:
    """Put a standby behind the new primary; what Pgpool-II's follow_primary_command calls."""
    from pgpool_recovery.cli.hook import FOLLOW_PRIMARY, run_hook

    return run_hook(FOLLOW_PRIMARY, words)
