"""What each node's server does, and whether its settings would do if it became the primary."""

from collections.abc import Iterator

from pgpool_recovery.check.estimates import on, sentence
from pgpool_recovery.check.finding import Finding, Kind
from pgpool_recovery.check.mixture import not_streaming
from pgpool_recovery.check.report import Report
from pgpool_recovery.domain.node import Target
from pgpool_recovery.domain.standby import ENOUGH_SHUTDOWN_MS, SHUTDOWN_TIMEOUT, Fault
from pgpool_recovery.facts.node import NodeFacts, ServerFacts
from pgpool_recovery.plan.attach import streams
from pgpool_recovery.plan.incremental import OLDEST_MAJOR
from pgpool_recovery.plan.refusal import NEEDED_WAL_SENDERS

KINDS = {
    Fault.PRIMARY: Kind.SECOND_PRIMARY,
    Fault.FOREIGN: Kind.OTHER_DATA,
    Fault.AHEAD: Kind.OTHER_DATA,
    Fault.HISTORY: Kind.OTHER_DATA,
    Fault.TARGET: Kind.RECOVERY_TARGET,
    Fault.PAUSED: Kind.REPLAY_PAUSED,
    Fault.SLOT_TAKEN: Kind.SLOT_TAKEN,
}
"""What a running node may be instead of a sound standby; any other fault is "not streaming"."""
STOP_IT = "Keep clients away from it, stop its server, and recover the node."
EVERY_NODE = "Set it on every node: each may be the primary."


def servers(report: Report) -> Iterator[Finding]:
    """Report what is wrong with each server."""
    if report.primary_place is None:
        yield Finding(
            Kind.NO_PRIMARY,
            None,
            "none of the nodes is the server on which the check was called",
            "Call it on the primary, and name the nodes as pgpool.conf does: backend_hostname, "
            "backend_data_directory.",
        )
    for place, target, node in report.reached():
        yield from _state(report, place, target, node)
        yield from _hints(target, node)
        server = node.surroundings.server
        if server is not None:
            yield from _settings(report, target, server)
        if place != report.primary_place:
            yield from _kept_wal(report, target, node)


def _state(report: Report, place: int, target: Target, node: NodeFacts) -> Iterator[Finding]:
    around, facts = node.surroundings, node.facts
    if facts.target.server_pid is None:
        yield Finding(
            Kind.DOWN,
            target.node_id,
            f"the server of {target.name} is not running",
            f"Recover the node: pcp_recovery_node {target.node_id}, or pgpool-recovery recover "
            f"{target.node_id}.",
        )
        return
    if around.server is None:
        yield Finding(
            Kind.NO_OWN_LOGIN,
            target.node_id,
            f"the stage commands of {target.name} cannot log in to its own server: "
            f"{sentence(around.server_problem or 'it does not answer')}",
            f"Let {facts.target.user} log in there over the Unix socket as a superuser "
            "(pg_hba.conf), or set [primary] in the settings.",
        )
    if place == report.primary_place:
        return
    trouble = node.trouble
    detail = f": {sentence(trouble.detail)}" if trouble is not None and trouble.detail else ""
    if trouble is not None and trouble.fault in KINDS:
        yield Finding(
            KINDS[trouble.fault],
            target.node_id,
            f"{target.name} {trouble.what}{detail}",
            STOP_IT if trouble.fault.is_wrong_data else trouble.hint,
        )
    elif not streams(facts):
        yield not_streaming(report, target, node)


def _hints(target: Target, node: NodeFacts) -> Iterator[Finding]:
    control = node.facts.target.control
    if control is not None and not control.has_checksums and not control.has_wal_log_hints:
        yield Finding(
            Kind.NO_HINTS,
            target.node_id,
            f"{target.name} has neither data checksums nor wal_log_hints, so pg_rewind cannot "
            "bring it back once it has diverged",
            f"{on(target)}: ALTER SYSTEM SET wal_log_hints = on, and restart the server. "
            f"{EVERY_NODE}",
        )


def _settings(report: Report, target: Target, server: ServerFacts) -> Iterator[Finding]:
    name, others = target.name, len(report.question.nodes) - 1
    if server.version // 10000 >= OLDEST_MAJOR and not server.is_on("summarize_wal"):
        yield Finding(
            Kind.NO_SUMMARIES,
            target.node_id,
            f"summarize_wal is off on {name}, so incremental cannot bring back a node without WAL",
            f"{on(target)}: ALTER SYSTEM SET summarize_wal = on, and reload. {EVERY_NODE}",
        )
    if server.settings["wal_level"] not in ("replica", "logical"):
        yield Finding(
            Kind.WAL_LEVEL,
            target.node_id,
            f'wal_level of {name} is "{server.settings["wal_level"]}", so no standby can follow it',
            f"{on(target)}: ALTER SYSTEM SET wal_level = replica, and restart. {EVERY_NODE}",
        )
    senders = others - 1 + NEEDED_WAL_SENDERS
    if server.number("max_wal_senders") < senders:
        yield Finding(
            Kind.WAL_SENDERS,
            target.node_id,
            f"max_wal_senders of {name} is {server.number('max_wal_senders')}; as the primary it "
            f"needs {senders}, {NEEDED_WAL_SENDERS} of them for a full copy",
            f"{on(target)}: ALTER SYSTEM SET max_wal_senders = {max(10, senders)}, and restart. "
            f"{EVERY_NODE}",
        )
    if server.number("max_replication_slots") < others:
        yield Finding(
            Kind.REPLICATION_SLOTS,
            target.node_id,
            f"max_replication_slots of {name} is {server.number('max_replication_slots')}; as the "
            f"primary it needs one for each of the {others} other nodes",
            f"{on(target)}: ALTER SYSTEM SET max_replication_slots = {max(10, others)}, and "
            f"restart. {EVERY_NODE}",
        )
    if 0 <= server.number(SHUTDOWN_TIMEOUT) < ENOUGH_SHUTDOWN_MS:
        yield Finding(
            Kind.SHUTDOWN_TIMEOUT,
            target.node_id,
            f"{SHUTDOWN_TIMEOUT} of {name} is {server.number(SHUTDOWN_TIMEOUT)} ms; as the primary "
            "it might stop before a standby has everything, so a switchover would be refused",
            f"{on(target)}: ALTER SYSTEM RESET {SHUTDOWN_TIMEOUT}, or set at least "
            f"{ENOUGH_SHUTDOWN_MS // 1000}s, and reload. {EVERY_NODE}",
        )


def _kept_wal(report: Report, target: Target, node: NodeFacts) -> Iterator[Finding]:
    """Report if nothing keeps the WAL for a node that goes down: no slot and no wal_keep_size."""
    if report.primary_place is None:
        return
    own = node.facts.target.configuration
    named = None if own is None else own.values.get("primary_slot_name")
    slots = {slot.name for slot in report.primary.slots}
    has_slot = named in slots or target.slot_name in slots
    primary = report.server(report.primary_place)
    if primary is not None and not has_slot and primary.number("wal_keep_size") <= 0:
        yield Finding(
            Kind.NO_WAL_KEPT,
            target.node_id,
            f"nothing keeps the WAL that {target.name} needs after it has been down for a while: "
            "it has no replication slot, and wal_keep_size is 0",
            "The next recovery creates a slot for it. Until then: ALTER SYSTEM SET wal_keep_size = "
            "'1GB' on every node, and reload.",
        )
