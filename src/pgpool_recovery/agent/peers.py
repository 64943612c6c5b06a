"""Try, from this host, the ways to the other nodes that a recovery after a failover will need."""

from concurrent.futures import ThreadPoolExecutor

from pgpool_recovery import __version__
from pgpool_recovery.agent.conversation import converse
from pgpool_recovery.agent.login import try_logins
from pgpool_recovery.agent.program import Stop
from pgpool_recovery.agent.protocol import Limits, Peer, TryLogins, TryPeers
from pgpool_recovery.domain.error import RecoveryError
from pgpool_recovery.plan.facts import Login
from pgpool_recovery.plan.node_facts import PeerFacts, Problem
from pgpool_recovery.ssh.command import ssh_command
from pgpool_recovery.ssh.locality import is_this_host

MAX_THREADS = 32


def try_peers(request: TryPeers, stop: Stop, limits: Limits) -> tuple[PeerFacts, ...]:
    """Return how each of the other nodes can be reached, all tried at the same time."""
    if not request.peers:
        return ()
    with ThreadPoolExecutor(min(MAX_THREADS, 3 * len(request.peers))) as pool:
        asked = [
            (
                pool.submit(_try_agent, peer, request),
                pool.submit(_try_logins, peer, request, stop, limits, is_replication=True),
                pool.submit(_try_logins, peer, request, stop, limits, is_replication=False),
            )
            for peer in request.peers
        ]
        return tuple(
            # no limit: each has one, for the greeting, the connections and their queries
            PeerFacts(*agent.result(), logins.result(), sql_logins.result())
            for agent, logins, sql_logins in asked
        )


def _try_agent(peer: Peer, request: TryPeers) -> tuple[str | None, Problem | None]:
    """Start an agent there and let it go again; on this host it is this one."""
    if is_this_host(peer.host):
        return __version__, None
    argv = ssh_command(peer.host, request.agent_command, request.ssh)
    try:
        with converse(argv, peer.name, lambda _: None, timeout_s=request.timeout_s) as agent:
            return agent.version, None
    except RecoveryError as error:
        return None, Problem(error.message, error.detail, error.hint)


def _try_logins(
    peer: Peer, request: TryPeers, stop: Stop, limits: Limits, *, is_replication: bool
) -> tuple[Login, ...]:
    candidates = peer.candidates if is_replication else peer.sql_candidates
    asked = TryLogins(candidates, request.data_directory, is_replication=is_replication)
    return try_logins(asked, stop, limits.connect_s)
