"""Read from a pgBackRest repository what its info does not show: its archived history files.

This uses repo-ls and repo-get, because archive-get requires a control file in the data directory,
and an empty node has none (pgControlFromFile in src/command/archive/get/get.c).
"""

import re
from collections.abc import Callable, Iterable

from pgpool_recovery.domain.wal import TimelineId
from pgpool_recovery.facts.archived_history import ArchivedHistory, read_archived
from pgpool_recovery.facts.backup import NoBackup
from pgpool_recovery.files.text import bytes_of
from pgpool_recovery.host.program import Completed
from pgpool_recovery.pgbackrest.command import list_histories, read_file

KEPT = 5
"""How many of the newest history files are read; a server reads only the last one."""
NAME = re.compile(r"^([0-9A-F]{8})\.history$", re.MULTILINE)
LINE = re.compile(r"^\s*\d+\s+[0-9A-Fa-f]+/[0-9A-Fa-f]+.*$", re.MULTILINE)

PgBackRestCall = Callable[[int, list[str]], Completed | NoBackup]
"""Runs a command on the files of a repository, which is identified by its number."""


def archived_histories(
    stanza: str, archives: Iterable[tuple[int, str]], call: PgBackRestCall
) -> tuple[ArchivedHistory, ...] | NoBackup:
    """Return the newest history files of archives, each given by its repository number and id."""
    found: list[ArchivedHistory] = []
    for repo, archive in archives:
        said = call(repo, list_histories(stanza, archive))
        if isinstance(said, NoBackup):
            return said
        for number in sorted(NAME.findall(said.output))[-KEPT:]:
            said = call(repo, read_file(stanza, archive, f"{number}.history"))
            if isinstance(said, NoBackup):
                return said
            # The output may contain messages of ssh.
            lines = "\n".join(LINE.findall(said.output)) or said.output
            found.append(read_archived(TimelineId(int(number, 16)), bytes_of(lines)))
    return tuple(dict.fromkeys(found))
