"""Refuse a change of the primary while something is running that it would break."""

import shlex
import time
from collections.abc import Mapping, Sequence
from itertools import takewhile
from pathlib import Path

from pgpool_recovery.control.cluster import Cluster, Node
from pgpool_recovery.domain.error import Busy
from pgpool_recovery.files.process_table import PROCESSES, processes
from pgpool_recovery.log.note import waits
from pgpool_recovery.postgres.connection import Connection

FOLLOW, OLD_FOLLOW = "follow_primary_command", "follow_master_command"
LOOKS = 3
LOOK_EVERY_S = 0.3
"""Between the calls for two nodes there is a moment when none is running."""


@waits("Pgpool-II to make nodes follow the primary")
def refuse_while_nodes_follow(cluster: Cluster, node: Node, *, processes: Path = PROCESSES) -> None:
    """Raise Busy while Pgpool-II makes nodes follow the current primary.

    A failover in the middle of that detaches the nodes that were just attached: all nodes were down
    afterwards, even the new primary (seen with 4.3.5). It can only be noticed on the host of
    Pgpool-II.
    """
    words = follow_words(cluster.parameters)
    if not words or all(info.is_attached for info in cluster.infos):
        return
    for look in range(LOOKS):
        if look:
            time.sleep(LOOK_EVERY_S)
        if runs(words, processes):
            raise Busy(
                f"{node.name} cannot be promoted now: Pgpool-II is making other nodes follow the "
                "primary",
                detail=f"Its {FOLLOW} is running. A failover in the middle of it can leave "
                "Pgpool-II without any node.",
                hint='Check "pgpool-recovery watch" and "pgpool-recovery status", and try again '
                "when it has ended.",
            )


def refuse_while_recovering(connection: Connection, node: Node, primary: Node) -> None:
    """Raise Busy while the primary is recovering another node: that recovery would be lost."""
    if connection.rows("running_calls"):
        raise Busy(
            f"{node.name} cannot be promoted now: {primary.name} is recovering another node",
            detail=f"{primary.name} would be stopped in the middle of it.",
            hint='Watch it with "pgpool-recovery watch", and try again when it has ended, or '
            'cancel it with "pgpool-recovery cancel N".',
        )


def follow_words(parameters: Mapping[str, str]) -> tuple[str, ...]:
    """Return the words by which a call of Pgpool-II's command is found in the process table.

    >>> follow_words({"follow_primary_command": '/usr/bin/pgpool-recovery follow_primary "%d"'})
    ('/usr/bin/pgpool-recovery', 'follow_primary')
    """
    command = parameters.get(FOLLOW) or parameters.get(OLD_FOLLOW) or ""
    try:
        words = shlex.split(command)
    except ValueError:
        return ()
    return tuple(takewhile(lambda word: "%" not in word, words))


def runs(words: Sequence[str], table: Path) -> bool:
    """Return whether a process of this host has these words in its command line, in a row."""
    wanted = list(words)
    for process in processes(table):
        argv = process.words
        if any(argv[at : at + len(wanted)] == wanted for at in range(len(argv))):
            return True
    return False
