"""Parse the arguments of a hook: the values of the placeholders in failover_command."""

from collections.abc import Sequence

from pgpool_recovery.domain.error import UsageError
from pgpool_recovery.domain.node import NodeId, parse_host, parse_node_id, parse_port
from pgpool_recovery.domain.record import record

PLACEHOLDERS = ("%d", "%h", "%p", "%D", "%m", "%H", "%M", "%P", "%r", "%R", "%N", "%S")
"""In the order of Pgpool-II's own sample scripts, so only the name of the program differs."""
WORDS = " ".join(f'"{placeholder}"' for placeholder in PLACEHOLDERS)
"""As they stand in pgpool.conf. Pgpool-II inserts its values verbatim into a shell command, so the
quotes keep an empty value, or a path that contains a space, a single argument."""
FOLLOW, OF_SAMPLE = "follow_primary", 10
"""The sample pgpool.conf passes only this many to follow_primary_command. The rest is not needed:
the address of the old primary does not matter for whom to follow."""
UNKNOWN = frozenset({"", "-1"})


@record
class CalledPlace:
    """Where a node is. An empty host is a local socket; a port that was not passed is None."""

    host: str = ""
    port: int | None = None
    data_directory: str = ""


@record
class Call:
    """What Pgpool-II passes; None for a node that does not exist or that Pgpool-II does not know.

    `new` is the new main node for a failover, and the new primary for follow_primary.
    """

    node_id: NodeId
    node: CalledPlace
    new_id: NodeId | None
    new: CalledPlace
    old_main_id: NodeId | None
    old_primary_id: NodeId | None
    old_primary: CalledPlace


def parse_call(command: str, words: Sequence[str]) -> Call:
    """Parse the arguments of a hook; raises UsageError when they make no sense.

    Pgpool-II puts a space before some of its numbers (trigger_failover_command, pgpool_main.c).

    >>> call = parse_call("failover", [" 0", "a", "5432", "/d", "-1", "", "0", "0", *[""] * 4])
    >>> call.node_id, call.new_id, call.old_primary_id
    (0, None, 0)
    """
    if command == FOLLOW and len(words) == OF_SAMPLE:
        words = [*words, *[""] * (len(PLACEHOLDERS) - OF_SAMPLE)]
    if len(words) != len(PLACEHOLDERS):
        raise UsageError(
            f"{command} takes {len(PLACEHOLDERS)} arguments, not {len(words)}",
            detail="Quote every placeholder: an empty value, or one that contains a space, must "
            "still be one argument.",
            hint=f"In pgpool.conf: {command}_command = 'pgpool-recovery {command} {WORDS}'",
        )
    d, h, p, D, m, H, M, P, r, R, N, S = (word.strip() for word in words)  # noqa: N806
    return Call(
        node_id=parse_node_id(d),
        node=_place(h, p, D),
        new_id=_node_id(m),
        new=_place(H, r, R),
        old_main_id=_node_id(M),
        old_primary_id=_node_id(P),
        old_primary=_place(N, S, ""),
    )


def _node_id(word: str) -> NodeId | None:
    return None if word in UNKNOWN else parse_node_id(word)


def _place(host: str, port: str, data_directory: str) -> CalledPlace:
    return CalledPlace(_host(host), None if port in UNKNOWN else parse_port(port), data_directory)


def _host(word: str) -> str:
    """Return a host as pgpool.conf has it: a name, an address, a socket directory or nothing."""
    return parse_host(word) if word else word
