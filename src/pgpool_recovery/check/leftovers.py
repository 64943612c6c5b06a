"""Leftover settings and files on a node with which its server would not be a proper standby."""

from collections.abc import Iterator

from pgpool_recovery.check.estimates import on
from pgpool_recovery.check.finding import Finding, Kind
from pgpool_recovery.check.report import Report
from pgpool_recovery.domain.node import Target
from pgpool_recovery.facts.facts import TargetFacts
from pgpool_recovery.facts.leftover import (
    COMMANDS,
    DELAY,
    OLD_FILE,
    TARGETS,
    TIMELINE,
    TRIGGER_FILE,
    Leftover,
)


def leftovers(report: Report) -> Iterator[Finding]:
    """Report for each node what its server would start with; servers() checks what it runs with."""
    for _, target, node in report.reached():
        facts = node.facts
        own = facts.target.configuration
        for left in () if own is None else own.leftovers:
            yield from _in_files(target, left, own.trigger_file if own else None)
        yield from _files(target, facts.target)
        for mark in facts.target.left_files.marks:
            yield _mark(target, mark)


def _in_files(target: Target, left: Leftover, trigger_file: str | None) -> Iterator[Finding]:
    is_trigger = left.name == TRIGGER_FILE and trigger_file is not None
    if left.name in TARGETS or left.name == TIMELINE or is_trigger:
        is_given = left.is_on_command_line
        yield Finding(
            Kind.LEFT_SETTING,
            target.node_id,
            f"{target.name} has {left}, with which it would not be a standby of the primary",
            "Remove it there: no configuration file overrides it, so a recovery is refused."
            if is_given
            else f"{on(target)}: remove it. A recovery does so; a manual start would not.",
        )
    elif left.name in (*COMMANDS, DELAY):
        yield Finding(
            Kind.KEPT_SETTING, target.node_id, f"{target.name} has {left}", _advice(left.name)
        )


def _advice(name: str) -> str:
    match name:
        case "archive_cleanup_command":
            return (
                "As a standby, the node removes from an archive what it no longer needs. If others "
                "read that archive, remove it: ALTER SYSTEM RESET archive_cleanup_command."
            )
        case "recovery_end_command":
            return "It runs when the node is promoted. Check that it is meant for this node."
    return "The node replays later than the others, and a failover to it takes longer."


def _files(target: Target, facts: TargetFacts) -> Iterator[Finding]:
    if facts.left_files.has_recovery_conf:
        yield Finding(
            Kind.LEFT_SETTING,
            target.node_id,
            f"{target.name} has {OLD_FILE} in its data directory, with which PostgreSQL 12 and "
            "later do not start",
            f"{on(target)}: remove it.",
        )


def _mark(target: Target, mark: str) -> Finding:
    return Finding(
        Kind.LEFT_MARK,
        target.node_id,
        f"{target.name} has {mark}, but whatever created it no longer manages the node",
        f"{on(target)}: check what it sets, and remove it.",
    )
