"""History files in an archive that the primary never wrote: a server follows a rival by them.

An archive takes precedence over streaming. A server that starts requests the history of each
timeline after its own from the archive until one is missing, and takes the last one as its goal
(findNewestTimeLine in src/backend/access/transam/timeline.c). It does so again whenever its stream
breaks (rescanLatestTimeLine in xlogrecovery.c).
"""

from collections.abc import Iterable, Iterator

from pgpool_recovery.domain.wal import History, Point, TimelineId, lsn_text
from pgpool_recovery.facts.archived_history import ArchivedHistory, history_file
from pgpool_recovery.facts.backup import Backup
from pgpool_recovery.facts.facts import Facts, PrimaryFacts, TargetFacts
from pgpool_recovery.facts.rejection import Rejection

SERVER_ENDS_ABOVE = 125
"""A higher exit status of restore_command ends the server.

See wait_result_is_any_signal in RestoreArchivedFile.
"""
PGBACKREST = "pgbackrest"


def restore_command(primary: PrimaryFacts, target: TargetFacts) -> str:
    """Return the restore_command that the target's server would have; empty if none.

    A node without a configuration gets that of the primary with the copy of its data directory.
    """
    own = target.configuration
    if own is not None:
        return own.values.get("restore_command", "")
    is_copied = target.configuration_problem is None and primary.is_configuration_inside
    return primary.restore_command if is_copied else ""


def reject_strays(name: str, facts: Facts) -> Iterator[Rejection]:
    """Report the files that would lead the target's server away from the primary with any method.

    Every method keeps the restore_command, so each would end with a server that reads these files.
    """
    if facts.primary.wal is None:
        return
    history, own = facts.primary.wal.history, facts.target.history
    found = () if facts.archive is None else facts.archive.histories
    yield from reject_files(f"the archive of {name}", found, history, (name, own))
    if isinstance(facts.backup, Backup) and not found and _reads_repository(facts):
        # On an empty node, pgbackrest returns nothing: it needs a control file there.
        yield from reject_repository(facts.backup, history, (name, own))


def _reads_repository(facts: Facts) -> bool:
    return PGBACKREST in restore_command(facts.primary, facts.target)


def reject_repository(
    backup: Backup, history: History, own: tuple[str, History | None]
) -> Iterator[Rejection]:
    """Report the history files of a repository that would lead a restored server away.

    A file for a timeline between two of the primary's is an old branch. It is harmless as long as
    the primary's current history is there too, because a server then goes on to that one.
    """
    found = backup.repository.histories
    has_current = any(one.timeline == history.current for one in found)
    harmless = [one for one in found if has_current and _is_old_branch(one.timeline, history)]
    told = [one for one in found if one not in harmless]
    yield from reject_files(f"the archive of stanza {backup.repository.stanza}", told, history, own)


def _is_old_branch(timeline: TimelineId, history: History) -> bool:
    return timeline < history.current and timeline not in history.timelines


def reject_files(
    archive: str,
    found: Iterable[ArchivedHistory],
    primary: History,
    own: tuple[str, History | None],
) -> Iterator[Rejection]:
    """Report which of these files are not the primary's.

    `archive` is the name of the archive in messages. `own` is the name of the node in messages, and
    its history.
    """
    for one in strays(found, primary):
        if one.history is None:
            yield Rejection(
                f"{archive} returns something for {one.file} that is not a history file",
                detail="A server that finds it there does not start.",
                hint="restore_command must fail for a file that the archive does not have. If the "
                "archive has it, examine it there.",
            )
            return  # The archive may return that for every name.
        yield Rejection(
            f"{archive} has {one.file}, which is not the primary's",
            detail=_detail(one, one.history, primary, own),
            hint=_hint(one.timeline, primary),
        )


def strays(found: Iterable[ArchivedHistory], primary: History) -> tuple[ArchivedHistory, ...]:
    """Return the files that do not agree with the primary's own history."""
    return tuple(one for one in found if not is_of(one.history, primary))


def is_of(history: History | None, primary: History) -> bool:
    """Return whether a history is that of one of the primary's own timelines."""
    if history is None or history.current not in primary.timelines:
        return False
    return history.ends == _ends(history.current, primary)


def _ends(timeline: TimelineId, primary: History) -> tuple[Point, ...]:
    return primary.ends[: primary.timelines.index(timeline)]


def _detail(
    one: ArchivedHistory,
    history: History,
    primary: History,
    own: tuple[str, History | None],
) -> str:
    name, own_history = own
    reason = "" if one.reason is None else f' ("{one.reason}")'
    said = f"It leads {_way(history.ends)} to timeline {one.timeline}{reason}"
    if one.timeline in primary.timelines:
        said += f"; the primary's own file leads {_way(_ends(one.timeline, primary))} there."
    else:
        said += f"; the primary is on timeline {primary.current}."
    if _is_old_branch(one.timeline, primary):
        missing = history_file(primary.current)
        return f"{said} A server follows it as long as {missing} is not in the archive."
    if own_history == history:
        return f"{said} The data of {name} itself is on that timeline."
    return (
        f"{said} Another server was promoted and archives to the same place; a server that reads "
        "the file follows that server or does not start."
    )


def _way(ends: tuple[Point, ...]) -> str:
    """Return the timelines through which a history leads.

    >>> _way((Point(TimelineId(1), 0x3000060),))
    'from timeline 1 (left at 0/3000060)'
    """
    if not ends:
        return "from nowhere"
    left = (f"timeline {end.timeline} (left at {lsn_text(end.lsn)})" for end in ends)
    return f"from {', '.join(left)}"


def _hint(timeline: TimelineId, primary: History) -> str:
    if _is_old_branch(timeline, primary):
        missing = history_file(primary.current)
        return f"Find out why the primary does not archive {missing} (see pg_stat_archiver there)."
    if timeline in primary.timelines:
        return (
            "Find out which server that was, and move the file out of the archive so that the "
            f"primary can archive its own. The WAL files whose names begin with {timeline:08X} "
            "may belong to either."
        )
    return (
        "Find out which server that was, and move the file and the WAL files whose names begin "
        f"with {timeline:08X} out of the archive."
    )
