"""By which name a node streams: the primary's synchronous_standby_names may wait for it.

What the node was it stays. A standby whose primary_conninfo names no application_name has that of
cluster_name, and without one "walreceiver" (WalReceiverMain in walreceiver.c).
"""

from collections.abc import Iterator

from pgpool_recovery.domain.node import Target
from pgpool_recovery.domain.synchronous import parse_standby_names
from pgpool_recovery.facts.facts import Configuration, PrimaryFacts
from pgpool_recovery.plan.named_host import LOCAL_HOSTS

NAMELESS = "walreceiver"


def standby_name(target: Target, own: Configuration | None, primary: PrimaryFacts) -> str:
    """Return the application_name that a node gets.

    It is the one that it had as a standby. Of one that never was one, or has lost what it was, it
    is the first of its names for which the primary waits: its cluster_name, or what Pgpool-II calls
    its host, as the sample scripts have it; that last one where the primary waits for neither.
    """
    had = former_name(own)
    if had is not None:
        return had
    awaited = parse_standby_names(primary.synchronous_standby_names)
    of_cluster = cluster_name(own)
    if of_cluster is not None and awaited.names_itself(of_cluster):
        return of_cluster
    return host_name(target)


def former_name(own: Configuration | None) -> str | None:
    """Return the name by which a node streams with its own configuration; None: it is no standby's.

    A former primary may have that of the time before, when it was one.
    """
    if own is None or not own.primary_conninfo:
        return None
    return own.primary_conninfo.get("application_name") or cluster_name(own) or NAMELESS


def cluster_name(own: Configuration | None) -> str | None:
    """Return the cluster_name that the node's own configuration gives."""
    return (own.values.get("cluster_name") if own is not None else None) or None


def host_name(target: Target) -> str:
    """Return the name that the sample scripts of Pgpool-II would give to the node."""
    is_name = target.host not in LOCAL_HOSTS and not target.host.startswith("/")
    return target.host if is_name else target.slot_name


def notes_on_name(name: str, own: str, primary: PrimaryFacts) -> Iterator[str]:
    """Say that commits go on waiting for somebody whom the node, by its name, will not be.

    Where enough of those stream for whom the primary waits, nobody waits for one that does not.
    """
    awaited = parse_standby_names(primary.synchronous_standby_names)
    streaming = [*(stream.application_name for stream in primary.streams), own]
    if awaited.are_enough(streaming) or awaited.names_itself(own):
        return
    who = " and ".join(f'"{one}"' for one in awaited.missing(streaming)) or "more standbys"
    yield (
        f"commits on the primary wait: its synchronous_standby_names has {who}, and nobody streams "
        f'under that name. {name} will stream as "{own}"; if it was one of those, give it the name '
        "back (application_name in its primary_conninfo, or cluster_name)"
    )
