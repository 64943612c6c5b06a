"""The name under which a node streams: the primary's synchronous_standby_names may wait for it.

A node keeps the name that it had. A standby whose primary_conninfo has no application_name streams
under its cluster_name, or as "walreceiver" without one (WalReceiverMain in walreceiver.c).
"""

from collections.abc import Iterator

from pgpool_recovery.domain.node import Target
from pgpool_recovery.domain.synchronous import parse_standby_names
from pgpool_recovery.facts.facts import Configuration, PrimaryFacts
from pgpool_recovery.plan.named_host import LOCAL_HOSTS

NAMELESS = "walreceiver"


def standby_name(target: Target, own: Configuration | None, primary: PrimaryFacts) -> str:
    """Return the application_name that a node gets.

    It is the name that the node had as a standby. A node that never was a standby, or has lost its
    configuration, gets its cluster_name if the primary waits for that. Otherwise it gets the name
    that Pgpool-II has for its host, as in the sample scripts.
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
    """Return the name under which a node streams with its own configuration; None if it does not.

    A former primary may still have the name from the time when it was a standby.
    """
    if own is None or not own.primary_conninfo:
        return None
    return own.primary_conninfo.get("application_name") or cluster_name(own) or NAMELESS


def cluster_name(own: Configuration | None) -> str | None:
    """Return the cluster_name in the node's own configuration; None without one."""
    return (own.values.get("cluster_name") if own is not None else None) or None


def host_name(target: Target) -> str:
    """Return the name that Pgpool-II's sample scripts would give the node."""
    is_name = target.host not in LOCAL_HOSTS and not target.host.startswith("/")
    return target.host if is_name else target.slot_name


def notes_on_name(name: str, own: str, primary: PrimaryFacts) -> Iterator[str]:
    """Report that commits wait for a standby, and that the node will not stream under that name.

    If enough of the standbys that the primary waits for are streaming, commits do not wait.
    """
    awaited = parse_standby_names(primary.synchronous_standby_names)
    streaming = [*(stream.application_name for stream in primary.streams), own]
    if awaited.are_enough(streaming) or awaited.names_itself(own):
        return
    who = " and ".join(f'"{one}"' for one in awaited.missing(streaming)) or "more standbys"
    yield (
        f"commits on the primary wait: its synchronous_standby_names has {who}, but no standby "
        f'streams under that name; {name} will stream as "{own}"; if it was one of those, give it '
        "its name back (application_name in its primary_conninfo, or cluster_name)"
    )
