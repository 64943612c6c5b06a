"""What the agent finds on the target, and by which connection it reaches the primary."""

import socket

from pgpool_recovery.agent.conversation import Conversation
from pgpool_recovery.agent.protocol import Observe, Tidy, TryLogins, WantedTablespace
from pgpool_recovery.config.settings import Settings
from pgpool_recovery.domain.node import RecoveryRequest
from pgpool_recovery.plan.facts import Facts, Login, PrimaryFacts, TargetFacts
from pgpool_recovery.plan.login import LOCAL_HOSTS, login_candidates


def observe_target(
    agent: Conversation,
    request: RecoveryRequest,
    primary: PrimaryFacts,
    settings: Settings,
    *,
    is_local: bool,
) -> Facts:
    """Return all facts: those of the target are asked for with the primary's in mind."""
    patience = settings.timeout.observe_s
    node = settings.of_target(request.target)
    directory = request.target.data_directory
    agent.ask(Tidy(directory), type(None), timeout_s=settings.timeout.step_s)
    wanted = Observe(
        data_directory=directory,
        major=primary.major,
        bin_directories=tuple(filter(None, [node.bin_directory, primary.bin_directory])),
        tablespaces=tuple(
            WantedTablespace(oid=space.oid, location=space.location, directory=space.directory)
            for space in primary.tablespaces
        ),
        tablespace_mapping=dict(node.tablespace_mapping.items()),
        wal_directory=node.wal_directory,
    )
    target = agent.ask(wanted, TargetFacts, timeout_s=patience)
    if target.data.problem is not None:
        return Facts(primary=primary, target=target, logins=())
    candidates = login_candidates(
        request,
        primary,
        target,
        own_hosts=own_hosts(primary, is_local=is_local),
        user=settings.replication.user,
        is_local=is_local,
    )
    logins = agent.ask(TryLogins(candidates, directory), tuple[Login, ...], timeout_s=patience)
    return Facts(primary=primary, target=target, logins=logins)


def own_hosts(primary: PrimaryFacts, *, is_local: bool) -> tuple[str, ...]:
    """Return the names by which the target may reach this host, best first."""
    if is_local:
        return (*primary.socket_directories, *LOCAL_HOSTS)
    return tuple(dict.fromkeys([socket.getfqdn(), socket.gethostname()]))
