"""Run any PCP command on a server, each over its own connection."""

import math
import time
from typing import Callable, List, NamedTuple, Optional

from .address import PcpAddress, pass_file_hosts
from .dialogue import Dialogue
from .digest import PasswordDigest
from .health_check import HealthCheckStats, health_check_stats_of, node_count_of
from .link import Link, LinkLimits, no_check, no_notice
from .node_info import NodeInfo, all_node_infos, has_new_node_commands, one_node_info
from .pass_file import pass_file_path, password_from_file
from .pcp_error import CONNECTION_LOST, PROTOCOL_VIOLATED, Notice, PcpError
from .pool_process import (
    PoolParameter,
    PoolProcess,
    child_pids_of,
    pool_parameters_of,
    pool_processes_of,
)
from .reply import Reply
from .request import (
    ALL_WATCHDOG_NODES,
    NEW_NODE_COMMANDS,
    Release,
    Request,
    ask_all_node_infos,
    ask_child_pids,
    ask_health_check_stats,
    ask_node_count,
    ask_node_info,
    ask_pool_processes,
    ask_pool_status,
    ask_watchdog_info,
    promote_node,
    recover_node,
    set_client_min_messages,
)
from .watchdog import WatchdogInfo, watchdog_info_of

TRIES = 3
RECOVERY_SILENCE_S = 60.0
OLD_NODE_COMMANDS = (4, 2)


class PcpServer(NamedTuple):
    """A Pgpool-II, and how to query it.

    `password` None means the one in the pass file (`pass_file`, otherwise $PCPPASSFILE or
    ~/.pcppass). `release`, such as (4, 6), saves a request that finds out which form the requests
    for nodes and for promotions must have. `check` is called while waiting; it ends the wait by
    raising an exception.
    """

    address: PcpAddress
    user: str
    password: Optional[PasswordDigest] = None
    pass_file: Optional[str] = None
    release: Optional[Release] = None
    limits: LinkLimits = LinkLimits()
    check: Callable[[], None] = no_check


def run_request(
    server: PcpServer,
    request: Request,
    setting: Optional[Request] = None,
    on_notice: Callable[[Notice], None] = no_notice,
) -> Reply:
    """Connect, log in, send one request, close and return the answer.

    Raises PcpError when the connection or the login fails, when no answer comes in time, or when
    the request is refused.
    """
    password = server.password or _password_of_file(server)
    dialogue = Dialogue(server.user, password, request, setting)
    with Link(server.address, server.limits, server.check) as link:
        return link.converse(dialogue, on_notice)


def node_count(server: PcpServer) -> int:
    """Return the number of nodes in pgpool.conf, including gaps between their numbers."""
    return node_count_of(_ask(server, ask_node_count()))


def node_info(server: PcpServer, node_id: int) -> NodeInfo:
    """Return what Pgpool-II knows about a node."""
    return one_node_info(_ask(server, ask_node_info(node_id)), node_id)


def node_infos(server: PcpServer) -> List[NodeInfo]:
    """Return what Pgpool-II knows about all nodes, in the order of their ids.

    If the release is not known, node 0 is requested first, because its answer shows the form.
    Before 4.3 there was no request for all nodes, and a server would not refuse it but answer with
    whatever lies outside its array.
    """
    if server.release is not None and server.release >= NEW_NODE_COMMANDS:
        return all_node_infos(_ask(server, ask_all_node_infos()))
    first = _ask(server, ask_node_info(0))
    if has_new_node_commands(first):
        return all_node_infos(_ask(server, ask_all_node_infos()))
    others = range(1, node_count(server))
    return [one_node_info(first, 0)] + [node_info(server, node_id) for node_id in others]


def health_check_stats(server: PcpServer, node_id: int) -> HealthCheckStats:
    """Return the health check statistics of a node; refused before Pgpool-II 4.2."""
    return health_check_stats_of(_ask(server, ask_health_check_stats(node_id)))


def child_pids(server: PcpServer) -> List[int]:
    """Return the process ids of the child processes that serve clients."""
    return child_pids_of(_ask(server, ask_child_pids()))


def pool_processes(server: PcpServer, pid: int = 0) -> List[PoolProcess]:
    """Return the pooled connections of a child process, or of all of them for 0."""
    return pool_processes_of(_ask(server, ask_pool_processes(pid)))


def pool_status(server: PcpServer) -> List[PoolParameter]:
    """Return the configuration that Pgpool-II runs with, without passwords."""
    return pool_parameters_of(_ask(server, ask_pool_status()))


def watchdog_info(server: PcpServer, watchdog_node: int = ALL_WATCHDOG_NODES) -> WatchdogInfo:
    """Return the watchdog cluster; refused where the watchdog is not enabled."""
    return watchdog_info_of(_ask(server, ask_watchdog_info(watchdog_node)))


def order(server: PcpServer, request: Request) -> None:
    """Run a command that has no result: attach, detach, stop, reload, log rotate and others.

    Accepted does not mean done: Pgpool-II attaches, detaches and promotes nodes afterwards, and
    `node_info` shows when it has.
    """
    run_request(server, request)


def promote(
    server: PcpServer, node_id: int, *, gracefully: bool = False, switchover: bool = False
) -> None:
    """Request a promotion in the form that the server's release understands."""
    release = server.release or _release_by_form(server, node_id)
    run_request(
        server, promote_node(node_id, release, gracefully=gracefully, switchover=switchover)
    )


def recover(
    server: PcpServer,
    node_id: int,
    on_notice: Callable[[Notice], None] = no_notice,
    within_s: Optional[float] = None,
) -> None:
    """Recover a node and return when the recovery has ended, which may take hours.

    `on_notice` gets each log line of the recovery as it is written. `within_s` None sets no limit.
    If this ends before the recovery does, for whatever reason, the recovery goes on in the server:
    PCP cannot cancel it. Success does not mean that the node is attached.
    """
    limits = server.limits._replace(answer_s=within_s, silence_s=RECOVERY_SILENCE_S)
    patient = server._replace(limits=limits)
    run_request(patient, recover_node(node_id), set_client_min_messages("log"), on_notice)


def _ask(server: PcpServer, request: Request) -> Reply:
    """Run a request that changes nothing, with up to three tries that begin within `answer_s`.

    At the end of a failover or failback Pgpool-II restarts its PCP process, and a client that is
    connected at that moment loses its connection. Also, up to 4.3.20, 4.4.17, 4.5.12, 4.6.7 and
    4.7.2 an answer about nodes may lack its end or be too long, if the streaming check writes the
    replication state at the same time (commit 7c918dc24).
    """
    begun = time.monotonic()
    for _ in range(TRIES - 1):
        try:
            return run_request(server, request)
        except PcpError as error:
            if error.answer or error.sqlstate not in (CONNECTION_LOST, PROTOCOL_VIOLATED):
                raise
            if time.monotonic() - begun >= (server.limits.answer_s or math.inf):
                raise
    return run_request(server, request)


def _release_by_form(server: PcpServer, node_id: int) -> Release:
    reply = _ask(server, ask_node_info(node_id))
    return NEW_NODE_COMMANDS if has_new_node_commands(reply) else OLD_NODE_COMMANDS


def _password_of_file(server: PcpServer) -> PasswordDigest:
    hosts = pass_file_hosts(server.address)
    path = server.pass_file or pass_file_path()
    return password_from_file(path, hosts, server.address.port, server.user)
