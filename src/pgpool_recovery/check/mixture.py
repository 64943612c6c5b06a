"""Foreign scripts next to pgpool-recovery: what they write for a standby may have no effect."""

from collections.abc import Iterator

from pgpool_recovery.check.finding import Finding, Kind
from pgpool_recovery.check.report import Report
from pgpool_recovery.domain.node import Target
from pgpool_recovery.domain.slot import is_of_a_recovery
from pgpool_recovery.facts.node import NodeFacts

FOLLOW = "follow_primary_command"
OLD_FOLLOW = "follow_master_command"
OURS = "pgpool-recovery"
AUTO = "/postgresql.auto.conf:"
DEFAULT_PORT = "5432"


def mixtures(report: Report) -> Iterator[Finding]:
    """Report the nodes that a foreign follow_primary_command cannot point at a new primary.

    What that command writes to another file is overridden by postgresql.auto.conf, where older
    builds of ours wrote. The file of a primary matters too, because the script copies it from
    there.
    """
    settings = report.question.pool.settings
    command = settings.get(FOLLOW) or settings.get(OLD_FOLLOW) or ""
    if not command.strip() or OURS in command:
        return
    for _, target, node in report.reached():
        own = node.facts.target.configuration
        slot = None if own is None else own.values.get("primary_slot_name")
        if (
            own is None
            or AUTO not in (own.conninfo_place or "")
            or not is_of_a_recovery(slot or "")
        ):
            continue
        yield Finding(
            Kind.WRITTEN_IN_VAIN,
            target.node_id,
            f"primary_conninfo of {target.name} is set in postgresql.auto.conf and overrides "
            f"whatever {FOLLOW}, which is not pgpool-recovery's, writes elsewhere: after a "
            "failover a standby would keep following the server that is gone",
            "Recover the node, which moves it to where Pgpool-II's sample scripts write. "
            "On the primary: ALTER SYSTEM RESET primary_conninfo, and likewise primary_slot_name "
            f"and recovery_target_timeline. Or call pgpool-recovery follow_primary in {FOLLOW}.",
        )


def not_streaming(report: Report, target: Target, node: NodeFacts) -> Finding:
    """Return that a standby does not stream, and which other node it follows, if any."""
    fact = f"{target.name} is running but is not known to stream from the primary"
    other = _followed(report, node)
    if other is None:
        advice = "Check its log. If it can no longer follow, stop it and recover the node."
        return Finding(Kind.NOT_STREAMING, target.node_id, fact, advice)
    own = node.facts.target.configuration
    place = None if own is None else own.conninfo_place
    return Finding(
        Kind.NOT_STREAMING,
        target.node_id,
        f"{fact}: its primary_conninfo points to {other.name}"
        f"{'' if place is None else f', in {place}'}",
        f"Detach the node and recover it while it runs: pgpool-recovery detach {target.node_id}, "
        f"and pgpool-recovery recover {target.node_id}.",
    )


def _followed(report: Report, node: NodeFacts) -> Target | None:
    """Return the node that a standby's settings point to; None if it is the primary, or none."""
    own, place = node.facts.target.configuration, report.primary_place
    if own is None or place is None:
        return None
    host = own.primary_conninfo.get("host") or own.primary_conninfo.get("hostaddr")
    port = own.primary_conninfo.get("port", DEFAULT_PORT)
    led_to = [
        number
        for number, other in enumerate(report.question.nodes)
        if other.host == host and str(other.port) == port
    ]
    return None if not led_to or place in led_to else report.question.nodes[led_to[0]]
