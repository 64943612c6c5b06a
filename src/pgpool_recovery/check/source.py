"""Whether the node that the settings name as the source of copies could be read from now."""

from collections.abc import Iterator

from pgpool_recovery.check.finding import Finding, Kind
from pgpool_recovery.check.report import Report
from pgpool_recovery.domain.synchronous import parse_standby_names
from pgpool_recovery.facts.leftover import DELAY
from pgpool_recovery.facts.node import NodeFacts

OTHER = 'Name another node there, or set source to "auto".'


def source(report: Report) -> Iterator[Finding]:
    """Check the node of the setting; the primary, and a source that is chosen, need no check."""
    wanted = report.policy.source_node
    if wanted is None:
        return
    ids = [target.node_id for target in report.question.nodes]
    if wanted not in ids:
        yield Finding(
            Kind.SOURCE,
            None,
            f"source in [policy] of the settings is node {wanted}, which does not exist",
            OTHER,
        )
        return
    place = ids.index(wanted)
    if place != report.primary_place:
        for why in _why_not(report, report.nodes.get(place)):
            yield Finding(
                Kind.SOURCE,
                wanted,
                f"full copies and deltas are to be read from node {wanted}, but {why}",
                OTHER,
            )


def _why_not(report: Report, node: NodeFacts | None) -> Iterator[str]:
    if node is None:
        yield "its host could not be examined"
        return
    target = node.facts.target
    if target.server_pid is None:
        yield "its server is not running"
    elif node.trouble is not None:
        yield f"it {node.trouble.what}"
    own = target.configuration
    slot = None if own is None else own.values.get("primary_slot_name")
    names = [one.application_name for one in report.primary.streams if one.slot_name == slot]
    awaited = parse_standby_names(report.primary.synchronous_standby_names)
    if slot and any(map(awaited.has, names)):
        yield "it is synchronous, so commits would wait for its disks"
    if own is not None and any(left.name == DELAY for left in own.leftovers):
        yield "its replay is delayed (recovery_min_apply_delay)"
