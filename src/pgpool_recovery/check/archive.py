"""What archives do to recoveries and failovers: a rival's history, failing archivers, delays."""

import re
from collections.abc import Iterator

from pgpool_recovery.check.estimates import on, sentence
from pgpool_recovery.check.finding import Finding, Kind
from pgpool_recovery.check.report import Report
from pgpool_recovery.domain.node import Target
from pgpool_recovery.facts.node import Archiver, NodeFacts
from pgpool_recovery.plan.stray import reject_strays, restore_command

CALLS = 5
"""How often a standby that is promoted calls its restore_command before it accepts writes.

Seen with 15.20 and 18.6: once or twice for the WAL segment at its end, once more for the stream
that ended, for the history of the next timeline, and for that of its own (FinishWalRecovery,
findNewestTimeLine, writeTimeLineHistory).
"""
SLOW_S = 2.0
"""Above this the calls of a promotion take more than 10 s."""
REMOTE = re.compile(r"\b(ssh|scp|rsync|sftp|pgbackrest|barman-wal-restore|wal-g|curl|wget)\b")
LIMITED = re.compile(r"timeout|max-time", re.IGNORECASE)
"""As in timeout 10 …, ConnectTimeout=, --protocol-timeout=, --max-time."""


def archives(report: Report) -> Iterator[Finding]:
    """Say what is wrong with archives that are written, and with those that are read."""
    for place, target, node in report.reached():
        server = node.surroundings.server
        if server is not None and server.archiver is not None:
            yield from _archiver(target, server.archiver)
        if place != report.primary_place:
            yield from _strays(target, node)
            yield from _promotion(target, node)


def _archiver(target: Target, archiver: Archiver) -> Iterator[Finding]:
    histories = [*archiver.waiting_histories]
    if archiver.failing is not None and archiver.failing.endswith(".history"):
        histories = list(dict.fromkeys([archiver.failing, *histories]))
    name, times = target.name, f"it has failed {archiver.failures} times"
    if histories:
        yield Finding(
            Kind.HISTORY_NOT_ARCHIVED,
            target.node_id,
            f"the archiver of {name} does not get {', '.join(histories)} into the archive, the "
            f"history of its own timeline; {times}",
            "Look for a file of that name in the archive: another server was promoted, and has "
            "archived its own there, which archive_command does not replace. Whoever reads it "
            "follows that server. Move it away, and this one is archived within a minute. Else "
            f"see what archive_command says in the log of {name}.",
        )
    elif archiver.failing is not None:
        yield Finding(
            Kind.ARCHIVER_FAILS,
            target.node_id,
            f"the archiver of {name} fails at {archiver.failing}; {times}",
            f"See what archive_command says in the log of {name}. Until it works pg_wal grows, and "
            "a node that needs the archive does not find that WAL there.",
        )


def _strays(target: Target, node: NodeFacts) -> Iterator[Finding]:
    """Say what a standby that streams will read; of one that is down the forecast says it."""
    if node.facts.target.server_pid is None:
        return
    for rejection in reject_strays(target.name, node.facts):
        yield Finding(
            Kind.STRAY_HISTORY,
            target.node_id,
            f"{rejection.message}: once the stream of {target.name} breaks, it does not stream "
            f"again ({sentence(rejection.detail or '')})",
            rejection.hint,
        )


def _promotion(target: Target, node: NodeFacts) -> Iterator[Finding]:
    """Say how long a restore_command holds up a promotion, as far as that can be known."""
    facts, archive = node.facts, node.facts.archive
    if archive is None:
        return
    name = target.name
    limit = f"{on(target)}: give it a limit, such as timeout 10 before the command, or that of its "
    limit += "own program (pgbackrest --protocol-timeout, ssh -o ConnectTimeout), and reload."
    what = f"calls it up to {CALLS} times before it accepts writes"
    seconds = f"{archive.longest_s:.0f} s"
    if archive.is_silent or archive.longest_s > SLOW_S:
        took = f"did not end within {seconds}" if archive.is_silent else f"took {seconds}"
        least = "more than " if archive.is_silent else ""
        yield Finding(
            Kind.SLOW_RESTORE_COMMAND,
            target.node_id,
            f"restore_command of {name} {took} when it was asked for a history file; a promotion "
            f"of {name} {what}, {least}{CALLS * archive.longest_s:.0f} s",
            limit,
        )
        return
    command = restore_command(facts.primary, facts.target)
    if REMOTE.search(command) and not LIMITED.search(command):
        yield Finding(
            Kind.UNLIMITED_RESTORE_COMMAND,
            target.node_id,
            f"restore_command of {name} asks another host ({_remote(command)}) and names no limit; "
            f"a promotion of {name} {what}, now {archive.longest_s:.1f} s each, and waits for a "
            "host that is silent until TCP gives up, minutes",
            limit,
        )


def _remote(command: str) -> str:
    found = REMOTE.search(command)
    return "" if found is None else found[0]
