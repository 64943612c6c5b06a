"""A restore_command that does not work: no method needs it, and it would delay or end the server.

The sample scripts of Pgpool-II up to 4.5.1 let a standby copy WAL with scp from the server that was
the primary then. Once that host is gone, each call waits until TCP gives up. Then scp exits with
255, which ends the server as well (RestoreArchivedFile in xlogarchive.c). All WAL that a plan
leaves for the server to fetch is on the primary, or in the repository of a restore, which comes
with its own restore_command.
"""

import re
from collections.abc import Iterator

from pgpool_recovery.facts.facts import Facts
from pgpool_recovery.plan.stray import restore_command

FROM_HOST = re.compile(r"\b(?:scp|rsync|sftp)\b.*?\s(?:[^\s:/@]+@)?(\[[^\]]+\]|[^\s:/@]+):\S*%f")
SETTING = "restore_command"


def is_broken(facts: Facts) -> bool:
    """Return whether the node's restore_command was tried and would delay or end its server."""
    archive = facts.archive
    return archive is not None and (archive.is_silent or archive.fatal is not None)


def broken_how(facts: Facts) -> str | None:
    """Return in a sentence how a restore_command failed; None if it works."""
    archive = facts.archive
    if archive is None or not is_broken(facts):
        return None
    return (
        f"It did not end within {archive.longest_s:.0f} s."
        if archive.is_silent
        else (f"It ends with {archive.fatal}, which would end the server.")
    )


def usable_restore_command(facts: Facts) -> str:
    """Return the node's own restore_command; empty if it has none that works."""
    own = facts.target.configuration
    return "" if own is None or is_broken(facts) else own.values.get(SETTING, "")


def source_of(command: str) -> str | None:
    """Return the host that a restore_command like those of the sample scripts copies from.

    >>> source_of("scp -q -i ~/.ssh/id 10.0.0.1:/archive/%f %p"), source_of("cp /archive/%f %p")
    ('10.0.0.1', None)
    >>> source_of("rsync -a 'postgres@db1:/archive/%f' %p"), source_of("scp [fe80::1]:/a/%f %p")
    ('db1', '[fe80::1]')
    """
    found = FROM_HOST.search(command.replace("'", " ").replace('"', " "))
    return None if found is None else found[1]


def notes_on_archive(name: str, facts: Facts, *, is_kept: bool, brings_own: bool) -> Iterator[str]:
    """Report what is wrong with a restore_command, and what the plan does about it.

    `is_kept`: the plan changes no settings. `brings_own`: the plan sets a restore_command that
    works.
    """
    archive = facts.archive
    if archive is None or not is_broken(facts):
        return
    host = source_of(restore_command(facts.primary, facts.target))
    what = f"{SETTING} of {name}" + ("" if host is None else f", which copies from {host},")
    if archive.is_silent:
        yield (
            f"{what} did not end within {archive.longest_s:.0f} s when it was asked for a history "
            "file; the server waits for it before it streams"
        )
    if archive.fatal is not None:
        yield f"{what} fails in a way that keeps the server from starting: {archive.fatal}"
    if brings_own:
        yield f"{SETTING} is replaced by that of the restore, which fetches WAL from the repository"
    elif not is_kept:
        yield (
            f"{SETTING} is overridden with an empty value next to primary_conninfo, because "
            "nothing in this plan needs it; when it works again, remove that line and reload"
        )
