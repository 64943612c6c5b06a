"""Which node is the primary, by what the servers themselves say."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from pgpool_recovery.domain.error import RecoveryError, Refused, Unreachable
from pgpool_recovery.domain.standby import StandbyFacts
from pgpool_recovery.operator.cluster import Cluster, Node, connect_to
from pgpool_recovery.postgres.standby import read_standby

PRIMARY = "primary"
MAIN = "main"


@dataclass(frozen=True)
class Answer:
    """What a server says of itself: `facts` of standing.sql, or why there are none.

    `standby` is what it says of itself as a standby, for who may ask.
    """

    node: Node
    facts: dict[str, Any] | None
    failure: RecoveryError | None = None
    standby: StandbyFacts | None = None

    @property
    def is_primary(self) -> bool:
        """Whether it accepts writes."""
        return self.facts is not None and not self.facts["is_in_recovery"]


def ask_all(cluster: Cluster) -> tuple[Answer, ...]:
    """Ask all servers at once, so that one that does not answer costs its time only once."""
    with ThreadPoolExecutor(max_workers=max(1, len(cluster.nodes))) as threads:
        return tuple(threads.map(lambda node: ask(cluster, node), cluster.nodes))


def find_primary(cluster: Cluster) -> Node:
    """Return the primary; Unreachable when no server says that it is, Refused when two do."""
    return choose_primary(cluster, ask_all(cluster))


def choose_primary(cluster: Cluster, answers: tuple[Answer, ...]) -> Node:
    """Return the primary among those that answered; of two, the one that Pgpool-II uses."""
    found = [answer.node for answer in answers if answer.is_primary]
    if not cluster.has_standbys:
        found = [node for node in found if _is_used(cluster, node, MAIN)]
    if not found:
        raise _no_primary(answers)
    if len(found) == 1:
        return found[0]
    used = [node for node in found if _is_used(cluster, node, PRIMARY)]
    if len(used) == 1:
        return used[0]
    raise Refused(
        f"there are {len(found)} primaries",
        detail=f"{' and '.join(node.name for node in found)} accept writes.",
        hint="Find out which one the clients use, and stop the other.",
    )


def _is_used(cluster: Cluster, node: Node, role: str) -> bool:
    info = cluster.info(node.node_id)
    return info is not None and info.is_attached and info.role == role


def ask(cluster: Cluster, node: Node) -> Answer:
    """Ask one server, in whichever database lets us in."""
    failure: RecoveryError | None = None
    for database in cluster.login.databases:
        try:
            with connect_to(node, cluster.login, database) as connection:
                facts = connection.row("standing")
                standby = read_standby(connection) if facts["is_in_recovery"] else None
                return Answer(node, facts, standby=standby)
        except Unreachable as error:
            failure = failure or error
    return Answer(node, None, failure)


def _no_primary(answers: tuple[Answer, ...]) -> RecoveryError:
    said = [
        f"{answer.node.name} is a standby." if answer.failure is None else answer.failure.in_a_line
        for answer in answers
    ]
    return Unreachable(
        "no primary was found among the nodes",
        detail="\n".join(said),
        hint="Start the primary or promote a standby, and check that this host can connect with "
        "psql (pg_hba.conf, ~/.pgpass). [pgpool] user and dbname in the settings say as whom.",
    )
