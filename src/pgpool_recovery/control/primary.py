"""Find out which node is the primary, by what the servers themselves report."""

from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from typing import Any

from pgpool_recovery.control.cluster import Cluster, Node, ask_first_database, ping_node
from pgpool_recovery.domain.error import NoSession, RecoveryError, Refused, Unreachable
from pgpool_recovery.domain.record import record
from pgpool_recovery.domain.standby import StandbyFacts
from pgpool_recovery.postgres.connection import Connection
from pgpool_recovery.postgres.ping import PingAnswer
from pgpool_recovery.postgres.standby import read_standby

PRIMARY = "primary"
MAIN = "main"
NO_LOGIN = "no login"
LET_IN = (
    "If a server refuses the login, run this as the user that has the password file, or allow "
    "this host to log in: a line in its ~/.pgpass (host:port:database:user:password), pg_hba.conf "
    "of the node. [pgpool] user and dbname in the settings name the role and the database."
)
TRY_AGAIN = "Try again, or check its log."


@record
class ServerAnswer:
    """What a server reports about itself: the `facts` of standing.sql, or why there are none.

    `standby` is what it reports as a standby, if our role may ask for that. If there are no facts,
    `failure` says why, and `answers` is how the server answers without a login.
    """

    node: Node
    facts: dict[str, Any] | None
    failure: RecoveryError | None = None
    standby: StandbyFacts | None = None
    answers: PingAnswer = PingAnswer.DOWN

    @property
    def is_primary(self) -> bool:
        """Whether it accepts writes."""
        return self.facts is not None and not self.facts["is_in_recovery"]

    @property
    def is_running(self) -> bool:
        """Whether the server accepts connections, even if not ours."""
        return self.facts is not None or self.answers is PingAnswer.UP

    @property
    def lets_nobody_in(self) -> bool:
        """Whether the server is running but gave us no session; only the failure says why.

        It may have refused the login, have no free connection, or not have the database. libpq
        gives us no SQLSTATE, and its message may be in any language. A failed query is another
        matter.
        """
        return self.facts is None and self.is_running and isinstance(self.failure, NoSession)

    @property
    def server(self) -> str:
        """The state of the server: `up`, `no login`, `rejecting` or `down`."""
        if self.lets_nobody_in:
            return NO_LOGIN
        return PingAnswer.UP if self.is_running else self.answers


def ask_all(cluster: Cluster) -> tuple[ServerAnswer, ...]:
    """Query all servers at once, so that those that do not answer cost their timeout only once."""
    with ThreadPoolExecutor(max_workers=max(1, len(cluster.nodes))) as threads:
        return tuple(threads.map(lambda node: ask(cluster, node), cluster.nodes))


def find_primary(cluster: Cluster) -> Node:
    """Return the primary; Unreachable if no server reports to be one, Refused if several do."""
    return choose_primary(cluster, ask_all(cluster))


def choose_primary(cluster: Cluster, answers: tuple[ServerAnswer, ...]) -> Node:
    """Return the primary among the servers; of several, the one that Pgpool-II uses."""
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


def ask(cluster: Cluster, node: Node) -> ServerAnswer:
    """Query one server, in any database that lets us in; try only one if it does not answer."""
    ping = cache(lambda: ping_node(node, cluster.login))
    try:
        (facts, standby), _ = ask_first_database(
            node, cluster.login, _standing, lambda _why: ping() is PingAnswer.UP
        )
    except Unreachable as failure:
        return ServerAnswer(node, None, failure, answers=ping())
    return ServerAnswer(node, facts, standby=standby)


def _standing(connection: Connection) -> tuple[dict[str, Any], StandbyFacts | None]:
    facts = connection.row("standing")
    return facts, read_standby(connection) if facts["is_in_recovery"] else None


def how_to_ask(answer: ServerAnswer, when_down: str) -> str:
    """Return what to do about a server that could not be queried, by how it answers."""
    match answer.answers:
        case PingAnswer.UP:
            return f"It is running, but could not be queried. {_how_to_get_in(answer)}"
        case PingAnswer.REJECTING:
            return "It is starting up or shutting down: wait for it, or check its log."
        case _:
            return when_down


def may_be_primary(answers: Iterable[ServerAnswer]) -> str | None:
    """Return what to do first if a running server could not be queried; None if there is none."""
    closed = [answer for answer in answers if answer.facts is None and answer.is_running]
    if not closed:
        return None
    names = " or ".join(answer.node.name for answer in closed)
    advice = " ".join(dict.fromkeys(map(_how_to_get_in, closed)))
    return f"{names} may be the primary: it is running, but could not be queried. {advice}"


def _how_to_get_in(answer: ServerAnswer) -> str:
    return LET_IN if answer.lets_nobody_in else TRY_AGAIN


def _no_primary(answers: tuple[ServerAnswer, ...]) -> RecoveryError:
    said = [
        f"{answer.node.name} is a standby." if answer.failure is None else answer.failure.in_a_line
        for answer in answers
    ]
    return Unreachable(
        "no primary was found among the nodes",
        detail="\n".join(said),
        hint=may_be_primary(answers) or "Start the primary or promote a standby.",
    )
