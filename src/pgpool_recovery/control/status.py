"""The current state of the cluster: by Pgpool-II, by the servers, and the running recoveries."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from pgpool_recovery.control.cluster import Cluster, Node, connect_to
from pgpool_recovery.control.extension import Feature, Primary, look_at
from pgpool_recovery.control.interrupted import found_on_target, next_step, sentence_of
from pgpool_recovery.control.primary import LET_IN, PRIMARY, ServerAnswer, ask_all, choose_primary
from pgpool_recovery.control.record import INTERRUPTED, RecordReader, RunProgress, about
from pgpool_recovery.control.streaming import stream_of, trouble_of
from pgpool_recovery.domain.error import RecoveryError
from pgpool_recovery.domain.node import NodeId
from pgpool_recovery.domain.slot import LOST
from pgpool_recovery.domain.standby import STREAMING, Fault, Trouble
from pgpool_recovery.pcp.client.node_info import NodeInfo


@dataclass(frozen=True)
class NodeStatus:
    """One node."""

    node_id: int = field(metadata={"about": "the node id of pgpool.conf"})
    host: str = about("`backend_hostname`", default="")
    port: int = about("`backend_port`", default=0)
    data_directory: str = about("`backend_data_directory`", default="")
    pool_status: str = about("`up`, `waiting`, `down` or `quarantine`, in Pgpool-II", default="")
    pool_role: str = about("`primary` or `standby`, in Pgpool-II", default="")
    pool_status_changed_at: datetime | None = about("since when it has that status")
    server: str = about(
        "`up`; `no login` if it is running but gives us no session, for the reason in "
        "`server_failure`; `rejecting` if it does not accept connections yet, or no longer does; "
        "`down` if it does not answer",
        default="down",
    )
    server_role: str | None = about("`primary` or `standby`, as the server itself reports")
    server_version: str | None = about("its version")
    server_failure: str | None = about("why it could not be queried")
    replication_state: str | None = about("the `state` in pg_stat_replication of the primary")
    replication_sync_state: str | None = about("the `sync_state` there")
    trouble: str | None = about(
        "what keeps it from being a sound standby: `primary`, `foreign`, `ahead`, `history`, "
        "`target`, `paused`, `slot taken`, `not streaming`, `behind`"
    )
    lag_bytes: int | None = about(
        "WAL of the primary that it has not replayed; negative if it has replayed what the primary "
        "has not written"
    )
    lag_s: float | None = about("`replay_lag` in seconds, `null` while nothing is written")
    slot_name: str | None = about("its replication slot on the primary")
    slot_is_active: bool | None = about("whether the slot is in use")
    slot_wal_status: str | None = about("`wal_status` of the slot")
    slot_kept_bytes: int | None = about("WAL that the slot retains on the primary")
    recovery: RunProgress | None = about("the running recovery, as in `watch`")
    problems: tuple[str, ...] = about("what is wrong", default=())


@dataclass(frozen=True)
class Status:
    """The cluster."""

    pool: str | None = field(metadata={"about": "where Pgpool-II was queried"})
    primary: int | None = about("the primary, as the servers report it")
    nodes: tuple[NodeStatus, ...] = about("all nodes", default=())
    remarks: tuple[str, ...] = about("what could not be determined, and why", default=())


def read_status(cluster: Cluster, place: str | None) -> Status:
    """Query all servers; one that does not answer is a fact, not a failure.

    `place` is where Pgpool-II was queried for the cluster; None without Pgpool-II.
    """
    answers = ask_all(cluster)
    remarks: list[str] = []
    try:
        primary: Node | None = choose_primary(cluster, answers)
    except RecoveryError as error:
        primary = None
        remarks.append(error.message)
        if error.hint:
            remarks.append(error.hint)
    streams, slots, running, found = _facts_of(primary, cluster, remarks)
    troubles = _troubles_of(primary, cluster, answers, remarks)
    if primary is not None and any(answer.lets_nobody_in for answer in answers):
        remarks.append(LET_IN)
    nodes = tuple(
        node_status(
            answer,
            cluster,
            primary,
            streams,
            slots,
            running,
            troubles.get(answer.node.node_id),
        )
        for answer in answers
    )
    if found is not None:
        remarks += _interrupted(found, cluster, nodes)
    return Status(place, None if primary is None else primary.node_id, nodes, tuple(remarks))


def _interrupted(primary: Primary, cluster: Cluster, nodes: Sequence[NodeStatus]) -> Iterator[str]:
    """Yield what is on the target of each interrupted recovery, and what to do next."""
    for one in nodes:
        if one.recovery is not None and one.recovery.state == INTERRUPTED:
            node = cluster.node(NodeId(one.node_id))
            found = found_on_target(primary, node)
            what = f"{node.name}: {sentence_of(one.recovery)}; {found}"
            yield f"{what.rstrip('.')}. {next_step(node)}"


def _facts_of(
    primary: Node | None, cluster: Cluster, remarks: list[str]
) -> tuple[list[dict[str, Any]], list[dict[str, Any]], list[RunProgress], Primary | None]:
    """Return the streaming standbys, the slots, the recoveries and the extension, if available.

    A record that cannot be read does not hide the others.
    """
    streams: list[dict[str, Any]] = []
    slots: list[dict[str, Any]] = []
    running: list[RunProgress] = []
    found: Primary | None = None
    if primary is None:
        return streams, slots, running, found
    try:
        with connect_to(primary, cluster.login) as connection:
            streams, slots = connection.rows("standbys"), connection.rows("slots")
        found = look_at(primary, cluster.login)
        if found.has(Feature.HISTORY):
            with found.connect(Feature.HISTORY) as connection:
                running = RecordReader(connection).progress()
        else:
            lacks = found.lacks(Feature.HISTORY)
            remarks.append(f"running recoveries cannot be shown: {lacks.message}")
    except RecoveryError as error:
        remarks.append(error.in_a_line)
    return streams, slots, running, found


def _troubles_of(
    primary: Node | None, cluster: Cluster, answers: Sequence[ServerAnswer], remarks: list[str]
) -> dict[NodeId, Trouble]:
    """Return what is wrong with the standbys, by what they and then the primary report."""
    others = [one for one in answers if one.node != primary]
    standbys = [one for one in others if one.standby is not None or one.is_primary]
    if primary is None or not cluster.has_standbys or not standbys:
        return {}
    try:
        with connect_to(primary, cluster.login) as connection:
            found = {one.node.node_id: trouble_of(connection, primary, one) for one in standbys}
    except RecoveryError as error:
        remarks.append(error.in_a_line)
        return {}
    return {node_id: trouble for node_id, trouble in found.items() if trouble is not None}


def node_status(
    answer: ServerAnswer,
    cluster: Cluster,
    primary: Node | None,
    streams: Sequence[Mapping[str, Any]],
    slots: Sequence[Mapping[str, Any]],
    running: Sequence[RunProgress],
    trouble: Trouble | None = None,
) -> NodeStatus:
    """Combine what is known about a node."""
    node, facts = answer.node, answer.facts
    info = cluster.info(node.node_id)
    is_alive = answer.is_running
    stream = stream_of(node, answer, streams) if is_alive else None
    slot = _slot_of(node, stream, slots)
    recovery = next((one for one in running if one.node_id == node.node_id), None)
    failure = answer.failure
    return NodeStatus(
        node_id=node.node_id,
        host=node.host,
        port=node.port,
        data_directory=node.data_directory,
        pool_status="" if info is None else info.status,
        pool_role="" if info is None else info.role,
        pool_status_changed_at=_time(info),
        server=answer.server,
        server_role=None if facts is None else ("primary" if answer.is_primary else "standby"),
        server_version=None if facts is None else facts["version"].partition(" ")[0],
        server_failure=None if failure is None else failure.in_a_line,
        replication_state=_value(stream, "state"),
        replication_sync_state=_value(stream, "sync_state"),
        trouble=None if trouble is None else trouble.fault.word,
        lag_bytes=_value(stream, "lag_bytes"),
        lag_s=_value(stream, "lag_s"),
        slot_name=_value(slot, "name"),
        slot_is_active=_value(slot, "is_active"),
        slot_wal_status=_value(slot, "wal_status"),
        slot_kept_bytes=_value(slot, "kept_bytes"),
        recovery=recovery,
        problems=()
        if recovery is not None and recovery.state != INTERRUPTED
        else tuple(
            _problems(
                answer, info, primary, stream, slot, trouble, has_standbys=cluster.has_standbys
            )
        ),
    )


def _value(row: Mapping[str, Any] | None, name: str) -> Any:
    return None if row is None else row[name]


def _slot_of(
    node: Node, stream: Mapping[str, Any] | None, slots: Sequence[Mapping[str, Any]]
) -> Mapping[str, Any] | None:
    name = stream["slot_name"] if stream is not None else None
    wanted = name or node.slot_name
    return next((slot for slot in slots if slot["name"] == wanted), None)


def _problems(
    answer: ServerAnswer,
    info: NodeInfo | None,
    primary: Node | None,
    stream: Mapping[str, Any] | None,
    slot: Mapping[str, Any] | None,
    trouble: Trouble | None,
    *,
    has_standbys: bool,
) -> Iterator[str]:
    """Yield what an operator would otherwise have to conclude from two columns."""
    is_attached = info is not None and info.is_attached
    if info is not None and info.status == "quarantine":
        yield "Pgpool-II holds it in quarantine: without a quorum it does not fail over"
    if answer.facts is None:
        if answer.is_running:
            yield "its server is running, but could not be queried"
        elif is_attached:
            yield "Pgpool-II uses it, but its server could not be queried"
        if _value(slot, "wal_status") == LOST:
            yield "its slot has lost its WAL, so it cannot catch up by WAL alone"
    elif answer.is_primary:
        if has_standbys:
            yield from _problems_of_primary(answer, info, primary)
    elif primary is not None:
        yield from _problems_of_standby(
            primary, stream, trouble, is_detached=info is not None and not is_attached
        )


def _problems_of_primary(
    answer: ServerAnswer, info: NodeInfo | None, primary: Node | None
) -> Iterator[str]:
    is_attached = info is not None and info.is_attached
    if primary is not None and answer.node != primary:
        yield from _problems_of_second_primary(answer.node, primary, is_attached=is_attached)
    if info is not None and info.role != PRIMARY:
        yield f"it is a primary, but Pgpool-II takes it for a {info.role}"
    if info is not None and not is_attached and answer.node == primary:
        yield "it is the primary, but Pgpool-II does not use it; attach it"


def _problems_of_second_primary(node: Node, primary: Node, *, is_attached: bool) -> Iterator[str]:
    yield f"it accepts writes, but {primary.name} is the primary"
    if node.node_id > primary.node_id and not is_attached:
        yield "if attached, it would be the primary for Pgpool-II because of its higher node id"


def _problems_of_standby(
    primary: Node,
    stream: Mapping[str, Any] | None,
    trouble: Trouble | None,
    *,
    is_detached: bool,
) -> Iterator[str]:
    if trouble is not None and trouble.fault is not Fault.BEHIND:
        detail = trouble.detail if trouble.fault.is_wrong_data else None
        yield f"it {trouble.what}" + (f" ({detail.rstrip('.')})" if detail else "")
    elif stream is None:
        yield f"it does not stream from {primary.name}"
    elif stream["state"] != STREAMING:
        yield f"its replication state is {stream['state']}"
    elif is_detached:
        yield "it is streaming, but Pgpool-II does not use it; attach it"


def _time(info: NodeInfo | None) -> datetime | None:
    if info is None or not info.status_changed_at:
        return None
    return datetime.fromtimestamp(info.status_changed_at, tz=UTC)
