"""Ask a pgBackRest repository for what its info does not tell: the history files of its archive.

By repo-ls and repo-get, for archive-get wants a control file in the data directory, and an empty
node has none (pgControlFromFile in src/command/archive/get/get.c).
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
"""How many history files are read, the newest: a server reads the last one only."""
NAME = re.compile(r"^([0-9A-F]{8})\.history$", re.MULTILINE)
LINE = re.compile(r"^\s*\d+\s+[0-9A-Fa-f]+/[0-9A-Fa-f]+.*$", re.MULTILINE)

PgBackRestCall = Callable[[int, list[str]], Completed | NoBackup]
"""Runs a command on the files of a repository, which is told by its number."""


def archived_histories(
    stanza: str, archives: Iterable[tuple[int, str]], call: PgBackRestCall
) -> tuple[ArchivedHistory, ...] | NoBackup:
    """Return the newest history files of archives, each the number of a repository and an id."""
    found: list[ArchivedHistory] = []
    for repo, archive in archives:
        said = call(repo, list_histories(stanza, archive))
        if isinstance(said, NoBackup):
            return said
        for number in sorted(NAME.findall(said.output))[-KEPT:]:
            said = call(repo, read_file(stanza, archive, f"{number}.history"))
            if isinstance(said, NoBackup):
                return said
            # What ssh has to say comes with it.
            lines = "\n".join(LINE.findall(said.output)) or said.output
            found.append(read_archived(TimelineId(int(number, 16)), bytes_of(lines)))
    return tuple(dict.fromkeys(found))
