"""Define the functions for users: the request of each, and its rows with SQL's columns."""

import time
from typing import Callable, Dict, Iterable, Iterator, List, Optional, Tuple, Union

from pgpool_recovery.pcp.client.commands import (
    PcpServer,
    child_pids,
    health_check_stats,
    node_count,
    node_info,
    order,
    pool_processes,
    pool_status,
    promote,
    recover,
    watchdog_info,
)
from pgpool_recovery.pcp.client.pcp_error import CANNOT_CONNECT, CONNECTION_LOST, Notice, PcpError
from pgpool_recovery.pcp.client.pool_process import PoolProcess
from pgpool_recovery.pcp.client.request import attach_node, detach_node, reload_config, stop_pgpool
from pgpool_recovery_server.outcome import Failure

from server_types import Row

from .adm_setting import seconds_of
from .asked_server import Asked, raise_interrupt

RECOVERY_TIMEOUT = "pgpool_adm.recovery_timeout"
CLIENTS_LEAVE_S = 300.0
LOOKS = 10
LOOK_EVERY_S = 0.5
MICROSECONDS_IN_S = 1000000
NODE_STATES = {
    "unused": "Connection unused",
    "waiting": "Waiting for connection to start",
    "up": "Connection in use",
    "down": "Disconnected",
    "quarantine": "Disconnected",
}


def count_nodes(asked: Asked) -> List[Row]:
    """pcp_node_count()."""
    return [{"node_count": node_count(asked.server)}]


def describe_node(asked: Asked, node_id: str) -> List[Row]:
    """pcp_node_info(). The delay is what Pgpool-II sends, in bytes or microseconds."""
    node = node_info(asked.server, int(node_id))
    by_time = None if node.lag_s is None else round(node.lag_s * MICROSECONDS_IN_S)
    return [
        {
            "host": node.hostname,
            "port": node.port,
            "status": NODE_STATES.get(node.status, node.status),
            "pg_status": node.pg_status,
            "weight": node.weight,
            "role": node.role.capitalize(),
            "pg_role": node.pg_role,
            "replication_delay": node.lag_bytes if by_time is None else by_time,
            "replication_state": node.replication_state or "",
            "replication_sync_state": node.replication_sync_state or "",
            "last_status_change": local_time(asked, node.status_changed_at),
        }
    ]


def describe_health_checks(asked: Asked, node_id: str) -> List[Row]:
    """pcp_health_check_stats()."""
    found = health_check_stats(asked.server, int(node_id))._asdict()
    renamed = {
        "host": found.pop("hostname"),
        "max_health_check_duration": found.pop("max_duration_ms"),
        "min_health_check_duration": found.pop("min_duration_ms"),
        "average_health_check_duration": found.pop("average_duration_ms"),
    }
    return [dict(found, **renamed)]


def list_parameters(asked: Asked) -> Iterator[Row]:
    """pcp_pool_status()."""
    for row in pool_status(asked.server):
        yield {"item": row.name, "value": row.value, "description": row.description}


def list_processes(asked: Asked) -> Iterator[Row]:
    """pcp_proc_info(). All columns are text, as Pgpool-II sends them."""
    return map(process_row, pool_processes(asked.server))


def process_row(process: PoolProcess) -> Row:
    """Return the row of one pooled connection; what a release does not report is empty."""
    row = process._asdict()
    row.update(
        start_time=process.process_start_time,
        major=process.majorversion,
        minor=process.minorversion,
        connected=int(process.is_connected),
        load_balance_node=None
        if process.is_load_balance_node is None
        else int(process.is_load_balance_node),
    )
    return {name: "" if value is None else str(value) for name, value in row.items()}


def count_processes(asked: Asked) -> List[Row]:
    """pcp_proc_count()."""
    pids = child_pids(asked.server)
    return [{"process_count": len(pids), "pids": pids}]


def list_watchdog_nodes(asked: Asked) -> List[Row]:
    """pcp_watchdog_info()."""
    cluster = watchdog_info(asked.server)
    return [
        {
            "node_id": node.node_id,
            "node_name": node.name,
            "host": node.host,
            "delegate_ip": node.delegate_ip,
            "wd_port": node.wd_port,
            "pgpool_port": node.pgpool_port,
            "state": node.state_name,
            "priority": node.priority,
            "membership": node.membership_name,
            "is_leader": node.name == cluster.leader_name,
            "quorum": cluster.quorum,
            "alive_nodes": cluster.alive_node_count,
            "nodes_for_quorum": cluster.nodes_required_for_quorum,
            "vip_is_up": cluster.is_escalated,
        }
        for node in cluster.nodes
    ]


def attach(asked: Asked, node_id: str) -> List[Row]:
    """pcp_attach_node()."""
    order(asked.server, attach_node(int(node_id)))
    return [{"node_attached": True}]


def detach(asked: Asked, node_id: str, gracefully: str) -> List[Row]:
    """pcp_detach_node()."""
    request = detach_node(int(node_id), gracefully=is_true(gracefully))
    server = patient(asked) if is_true(gracefully) else asked.server
    order(server, request)
    return [{"node_detached": True}]


def promote_one(asked: Asked, node_id: str, gracefully: str, switchover: str) -> List[Row]:
    """pcp_promote_node()."""
    promote(
        patient(asked) if is_true(gracefully) else asked.server,
        int(node_id),
        gracefully=is_true(gracefully),
        switchover=is_true(switchover),
    )
    return [{"node_promoted": True}]


def recover_one(asked: Asked, node_id: str) -> List[Row]:
    """pcp_recovery_node(). Each line of the recovery in the log of Pgpool-II becomes a NOTICE."""
    has_begun = False

    def tell(notice: Notice) -> None:
        nonlocal has_begun
        has_begun = True
        interrupt = asked.caller.notice(notice.message)
        if interrupt is not None:
            raise interrupt

    within_s = seconds_of(asked.caller, RECOVERY_TIMEOUT, 0.0)
    try:
        recover(asked.server, int(node_id), tell, within_s or None)
    except Failure as interrupt:
        raise it_goes_on(interrupt, node_id) if has_begun else interrupt
    except PcpError as error:
        raise it_goes_on(error, node_id) if has_begun and error.answer is None else error
    return [{"node_recovered": True}]


def it_goes_on(end: Union[Failure, PcpError], node_id: str) -> Failure:
    """Return the failure of a call that leaves its recovery running."""
    return Failure(
        end.message,
        detail="The recovery of node %s goes on without this call, because PCP cannot cancel it."
        % node_id,
        hint='Use "pgpool-recovery cancel %s", or on the primary pg_cancel_backend() for the '
        "session that runs pgpool_recovery()." % node_id,
        sqlstate=end.sqlstate,
    )


def reload_all(asked: Asked, cluster: str) -> List[Row]:
    """pcp_reload_config()."""
    order(asked.server, reload_config(cluster=is_true(cluster)))
    return [{"config_reloaded": True}]


def stop(asked: Asked, mode: str, cluster: str) -> List[Row]:
    """pcp_stop_pgpool(). Pgpool-II may end before it has answered."""
    try:
        order(asked.server, stop_pgpool(mode, cluster=is_true(cluster)))
    except PcpError as error:
        if error.sqlstate != CONNECTION_LOST or not has_gone(asked):
            raise
    return [{"pgpool_stopped": True}]


NODE_ID, FLAG, WORD = "integer", "boolean", "text"
FUNCTIONS: Dict[str, Tuple[Tuple[str, ...], Callable[..., Iterable[Row]]]] = {
    "pcp_node_count": ((), count_nodes),
    "pcp_node_info": ((NODE_ID,), describe_node),
    "pcp_health_check_stats": ((NODE_ID,), describe_health_checks),
    "pcp_pool_status": ((), list_parameters),
    "pcp_proc_info": ((), list_processes),
    "pcp_proc_count": ((), count_processes),
    "pcp_watchdog_info": ((), list_watchdog_nodes),
    "pcp_attach_node": ((NODE_ID,), attach),
    "pcp_detach_node": ((NODE_ID, FLAG), detach),
    "pcp_promote_node": ((NODE_ID, FLAG, FLAG), promote_one),
    "pcp_recovery_node": ((NODE_ID,), recover_one),
    "pcp_reload_config": ((FLAG,), reload_all),
    "pcp_stop_pgpool": ((WORD, FLAG), stop),
}
"""The argument types of each, before those that name the Pgpool-II, and what answers it."""


def patient(asked: Asked) -> PcpServer:
    """Return the server with a limit that allows for all clients to leave.

    Pgpool-II itself waits for them no longer than its recovery_timeout, but up to 4.4 it may then
    wait for itself forever.
    """
    within_s = seconds_of(asked.caller, RECOVERY_TIMEOUT, CLIENTS_LEAVE_S)
    return asked.server._replace(limits=asked.server.limits._replace(answer_s=within_s or None))


def has_gone(asked: Asked) -> bool:
    """Return whether nothing listens there any more, now or within some seconds."""
    for _ in range(LOOKS):
        try:
            node_count(asked.server)
        except PcpError as error:
            if error.sqlstate == CANNOT_CONNECT:
                return True
        raise_interrupt(asked.caller)
        time.sleep(LOOK_EVERY_S)
    return False


def is_true(text: str) -> bool:
    """Return the value of a boolean that was passed as text."""
    return text == "true"


def local_time(asked: Asked, epoch: Optional[int]) -> Optional[str]:
    """Return a time, given in seconds since 1970, in the time zone of the session."""
    if epoch is None:
        return None
    query = "select pg_catalog.to_timestamp($1)::pg_catalog.timestamp::pg_catalog.text as time"
    shown: str = asked.caller.query("time", query, ["float8"], [epoch])[0]["time"]
    return shown
