"""Try from this host the connections to other nodes that a recovery after a failover will need."""

from concurrent.futures import Future, ThreadPoolExecutor

from pgpool_recovery import __version__
from pgpool_recovery.agent.directory.own_login import OwnLogin
from pgpool_recovery.agent.observe.login import try_logins
from pgpool_recovery.domain.error import RecoveryError
from pgpool_recovery.domain.record import replace
from pgpool_recovery.facts.facts import Login
from pgpool_recovery.facts.node import PeerFacts, Problem
from pgpool_recovery.host.stop import Stop
from pgpool_recovery.plan.named_host import LOCAL_HOSTS, is_address
from pgpool_recovery.ssh.command import ssh_command
from pgpool_recovery.ssh.locality import is_this_host, only_here, own_names
from pgpool_recovery.talk.conversation import converse
from pgpool_recovery.talk.protocol import Limits
from pgpool_recovery.talk.request.host import Peer, TryLogins, TryPeers

MAX_THREADS = 32

AgentFound = Future[tuple[str | None, Problem | None]]
LoginsFound = Future[tuple[Login, ...]]


def try_peers(
    request: TryPeers, stop: Stop, own_login: OwnLogin, limits: Limits
) -> tuple[PeerFacts, ...]:
    """Return how each of the other nodes can be reached; all are tried at the same time.

    A login may reveal a password. So for a node that only the caller names it is tried only after
    the node was proved to be one of ours: by an ssh login with a host key that this user has
    accepted, and an agent that answers there.
    """
    if not request.peers:
        return ()
    with ThreadPoolExecutor(min(MAX_THREADS, 3 * len(request.peers))) as pool:
        # A peer's agent is submitted before its logins, which wait for it: no thread waits forever.
        asked = [_submit(pool, peer, request, stop, own_login, limits) for peer in request.peers]
        return tuple(
            # no limit: the greeting, the connections and their queries each have one
            PeerFacts(*agent.result(), logins.result(), sql_logins.result(), _untried(peer, agent))
            for peer, (agent, logins, sql_logins) in zip(request.peers, asked, strict=True)
        )


def _submit(
    pool: ThreadPoolExecutor,
    peer: Peer,
    request: TryPeers,
    stop: Stop,
    own_login: OwnLogin,
    limits: Limits,
) -> tuple[AgentFound, LoginsFound, LoginsFound]:
    agent = pool.submit(_try_agent, peer, request)

    def log_in(*, is_replication: bool) -> tuple[Login, ...]:
        if _untried(peer, agent) is not None:
            return ()
        candidates = peer.candidates if is_replication else peer.sql_candidates
        asked = TryLogins(candidates, is_replication=is_replication)
        return try_logins(asked, stop, own_login, limits.connect_s)

    return (
        agent,
        pool.submit(log_in, is_replication=True),
        pool.submit(log_in, is_replication=False),
    )


def _untried(peer: Peer, agent: AgentFound) -> Problem | None:
    """Wait for the proof if one is needed; return the problem if there is none."""
    if peer.is_known or _is_proved(peer.host, agent):
        return None
    return Problem("there is no proof that it is a node of this cluster")


def _is_proved(host: str, agent: AgentFound) -> bool:
    """Return whether a host is proved to be one of ours.

    A name is no proof because it resolves to this host: a moment later it may resolve elsewhere.
    """
    if not is_this_host(host):
        # no limit: its greeting has one
        return agent.result()[0] is not None
    is_fixed = is_address(host) or host in LOCAL_HOSTS or host.lower() in own_names()
    return is_fixed and bool(only_here(host))


def _try_agent(peer: Peer, request: TryPeers) -> tuple[str | None, Problem | None]:
    """Start an agent there and end it again; on this host, this process is the agent."""
    if is_this_host(peer.host):
        return __version__, None
    ssh = request.ssh if peer.is_known else replace(request.ssh, check_host_keys=True)
    argv = ssh_command(peer.host, request.agent_command, ssh)
    try:
        with converse(argv, peer.name, lambda _: None, timeout_s=request.timeout_s) as agent:
            return agent.version, None
    except RecoveryError as error:
        return None, Problem(error.message, error.detail, error.hint)
