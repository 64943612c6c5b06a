"""Archives that disturb recoveries and failovers: foreign histories, failing archivers, delays."""

import re
from collections.abc import Iterator

from pgpool_recovery.check.estimates import on, sentence
from pgpool_recovery.check.finding import Finding, Kind
from pgpool_recovery.check.report import Report
from pgpool_recovery.domain.node import Target
from pgpool_recovery.domain.quantity import pretty_duration
from pgpool_recovery.facts.node import Archiver, NodeFacts
from pgpool_recovery.plan.stray import reject_strays, restore_command

CALLS = 5
"""How often a standby that is promoted calls its restore_command before it accepts writes.

Observed with 15.20 and 18.6: once or twice for the WAL segment at its end, once more because the
stream ended, once for the history of the next timeline, and once for that of its own
(FinishWalRecovery, findNewestTimeLine, writeTimeLineHistory).
"""
SLOW_S = 2.0
"""If a call takes longer, the calls of a promotion take more than 10 s."""
REMOTE = re.compile(r"\b(ssh|scp|rsync|sftp|pgbackrest|barman-wal-restore|wal-g|curl|wget)\b")
LIMITED = re.compile(r"timeout|max-time", re.IGNORECASE)
"""As in timeout 10 …, ConnectTimeout=, --protocol-timeout=, --max-time."""


def archives(report: Report) -> Iterator[Finding]:
    """Report what is wrong with the archives that the nodes write, and those that they read."""
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
            f"the archiver of {name} cannot archive {', '.join(histories)}, the history of its own "
            f"timeline; {times}",
            "Check the archive for a file of that name. If there is one, another server was "
            "promoted and has archived its own there, and archive_command does not replace it. A "
            "server that reads it follows that server. Move it away, and this one is archived "
            "within a minute. Otherwise, check what archive_command reports in the log of "
            f"{name}.",
        )
    elif archiver.failing is not None:
        yield Finding(
            Kind.ARCHIVER_FAILS,
            target.node_id,
            f"the archiver of {name} fails at {archiver.failing}; {times}",
            f"Check what archive_command reports in the log of {name}. Until it works, pg_wal "
            "grows, and a node that needs the archive does not find that WAL there.",
        )


def _strays(target: Target, node: NodeFacts) -> Iterator[Finding]:
    """Report what a running standby will read; for one that is down, the forecast reports it."""
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
    """Report how long a restore_command holds up a promotion, as far as that can be known."""
    facts, archive = node.facts, node.facts.archive
    if archive is None:
        return
    name = target.name
    limit = f"{on(target)}: give it a limit, such as timeout 10 before the command, or that of its "
    limit += "own program (pgbackrest --protocol-timeout, ssh -o ConnectTimeout), and reload."
    what = f"calls it up to {CALLS} times before it accepts writes"
    seconds = pretty_duration(archive.longest_s)
    if archive.is_silent or archive.longest_s > SLOW_S:
        took = f"took {seconds}"
        if archive.is_silent:  # What it took is the limit, which is a setting.
            took = f"did not end within {archive.longest_s:.0f} s"
        least = "more than " if archive.is_silent else ""
        yield Finding(
            Kind.SLOW_RESTORE_COMMAND,
            target.node_id,
            f"restore_command of {name} {took} when it was asked for a history file; a promotion "
            f"of {name} {what}, which takes {least}{pretty_duration(CALLS * archive.longest_s)}",
            limit,
        )
        return
    command = restore_command(facts.primary, facts.target)
    if REMOTE.search(command) and not LIMITED.search(command):
        yield Finding(
            Kind.UNLIMITED_RESTORE_COMMAND,
            target.node_id,
            f"restore_command of {name} calls another host ({_remote(command)}) without a time "
            f"limit; a promotion of {name} {what}, now {seconds} each, and waits "
            "minutes for a host that does not answer, until TCP gives up",
            limit,
        )


def _remote(command: str) -> str:
    found = REMOTE.search(command)
    return "" if found is None else found[0]
