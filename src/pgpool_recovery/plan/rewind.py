"""The method rewind: the node has diverged from the primary, and pg_rewind brings it back."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from pgpool_recovery.domain.control_data import ControlData
from pgpool_recovery.domain.record import replace
from pgpool_recovery.domain.wal import Lsn, Point
from pgpool_recovery.facts.access import reject_source
from pgpool_recovery.facts.archived_wal import FromArchive
from pgpool_recovery.facts.policy import Method, Verify
from pgpool_recovery.facts.rejection import Rejection
from pgpool_recovery.facts.step.transfer import Rewind
from pgpool_recovery.plan.broken_archive import usable_restore_command
from pgpool_recovery.plan.divergence import Copied, Diverged, fork_of
from pgpool_recovery.plan.fetch_ahead import notes_on_none_ahead
from pgpool_recovery.plan.from_archive import (
    from_archive,
    gap_from,
    gap_of,
    notes_on_source,
    reject_unproven_over,
    set_command,
)
from pgpool_recovery.plan.held_wal import exceeds_limit, reject_limit
from pgpool_recovery.plan.in_place import (
    changes_clone,
    in_place_steps,
    locations,
    old_data,
    reject_in_place,
    reject_replay,
    reject_untrusted,
    room_to_grow,
)
from pgpool_recovery.plan.incremental import OLDEST_MAJOR as OLDEST_INCREMENTAL
from pgpool_recovery.plan.incremental import incremental_step
from pgpool_recovery.plan.login import choose_login
from pgpool_recovery.plan.past import after_changes, after_rewind
from pgpool_recovery.plan.plan import Plan
from pgpool_recovery.plan.situation import Situation

if TYPE_CHECKING:
    from pgpool_recovery.facts.step.step import Step

SEES_NEWEST_SINCE = 16
"""Older versions took a standby's timeline from its last checkpoint (main in pg_rewind.c)."""
ELSEWHERE = "it leads to another cluster"
NEEDED_FUNCTIONS = (
    "pg_ls_dir(text, boolean, boolean)",
    "pg_stat_file(text, boolean)",
    "pg_read_binary_file(text)",
    "pg_read_binary_file(text, bigint, bigint, boolean)",
)
"""What pg_rewind calls on the source (app-pgrewind.html)."""


def propose(situation: Situation) -> Plan | tuple[Rejection, ...]:
    """Return the plan for a rewind, or why it is not possible.

    If the WAL since the fork is gone, an incremental base backup follows.
    """
    rejections = tuple(_reject(situation))
    if rejections:
        return rejections
    control = _control(situation)
    fork, segment_bytes = _fork(situation, control), situation.wal.segment_bytes
    archive = _archive(situation, fork)
    needs_more = archive is None and not _keeps(situation, fork)
    held = fork // segment_bytes if archive is None else archive.next_segment
    begin = None if needs_more else situation.wal.begin_of(held)
    step = _rewind(situation, control, is_followed_by_more=needs_more)
    changes: list[Step] = [replace(step, is_followed_by_archive=archive is not None)]
    summary = "changed blocks and WAL"
    if archive is not None:
        changes += after_rewind(situation, _fork_point(situation, control), archive)
        summary += ", from the archive"
    if needs_more:
        changes += [incremental_step(situation), *after_changes(situation)]
        summary += _then(situation, fork)
    return Plan(
        target_name=situation.name,
        method=Method.REWIND,
        summary=summary,
        slot_name=situation.target.slot_name,
        moved_bytes=_moved_bytes(situation, control, fork, archive),
        work_bytes=None if needs_more else _rewound_bytes(situation, control, fork),
        old_data=old_data(situation),
        needs=room_to_grow(situation),
        steps=in_place_steps(
            situation, changes, hold_from=begin, restore_command=set_command(archive)
        ),
        needed_segment=None if archive is None else held,
        notes=(
            *(() if archive is None else notes_on_source(situation, archive)),
            *notes_on_none_ahead(archive),
        ),
        from_archive=archive,
    )


def _archive(situation: Situation, fork: Lsn) -> FromArchive | None:
    """Return the archive that has the WAL since the fork that the primary no longer has, if any."""
    gap = gap_from(fork // situation.wal.segment_bytes, situation.wal)
    found = None if gap is None else from_archive(situation, gap)
    return None if isinstance(found, tuple) else found


def _then(situation: Situation, fork: Lsn) -> str:
    has = situation.wal.has(fork // situation.wal.segment_bytes)
    why = "is more than a slot may keep" if has else "is gone"
    return f", then an incremental base backup, because the WAL since the fork {why}"


def _moved_bytes(
    situation: Situation, control: ControlData, fork: Lsn, archive: FromArchive | None
) -> int:
    """Return an estimate: what pg_rewind copies, and what follows.

    That is the incremental base backup, or the WAL from an archive.
    """
    follows = 0 if _keeps(situation, fork) else situation.facts.changed_bytes or 0
    if archive is not None:
        follows = archive.size_bytes
    return _rewound_bytes(situation, control, fork) + follows


def _rewound_bytes(situation: Situation, control: ControlData, fork: Lsn) -> int:
    """Return an estimate: all of pg_wal, and the pages that the target changed after the fork.

    pg_rewind copies every file that is not a relation file as a whole (decide_file_action in
    filemap.c).
    """
    minimum_end = control.checkpoint if control.minimum_end is None else control.minimum_end.lsn
    changed_there = max(control.checkpoint, minimum_end, fork) - fork
    primary = situation.facts.primary
    return primary.access.kept_bytes + primary.wal_bytes + changed_there


def _keeps(situation: Situation, fork: Lsn) -> bool:
    """Return whether the primary still has the WAL since the fork after pg_rewind's checkpoint."""
    segment = fork // situation.wal.segment_bytes
    return situation.wal.has(segment) and not exceeds_limit(situation, segment)


def _control(situation: Situation) -> ControlData:
    control = situation.facts.target.control
    if control is None:
        raise ValueError("the target has no data")
    return control


def _fork(situation: Situation, control: ControlData) -> Lsn:
    return _fork_point(situation, control).lsn


def _fork_point(situation: Situation, control: ControlData) -> Point:
    fork = fork_of(control, situation.facts.target.history, situation.wal.history)
    if fork is None:
        raise ValueError("it cannot be determined where they diverged")
    return fork


def _reject(situation: Situation) -> Iterator[Rejection]:
    name, target = situation.name, situation.facts.target
    unusable = situation.reject_data()
    yield from unusable
    if unusable or target.control is None:
        return
    if isinstance(situation.relation, Copied):
        yield Rejection(
            f"pg_rewind would not see that {name} has diverged", detail=situation.relation.why
        )
        return
    if not isinstance(situation.relation, Diverged):
        yield Rejection(f"{name} has not diverged; there is nothing to rewind")
        return
    if not target.is_sound:
        yield Rejection(f"{name} has a base backup that no server has recovered to its end")
    for location in target.gone_tablespaces if changes_clone(situation) else ():
        yield Rejection(
            f"pg_rewind would empty tablespace {location} of {name}, which the primary does not "
            "have",
            detail="It would change a clone, and the old data must stay unchanged.",
        )
    yield from reject_unproven_over(situation, gap_of(situation))
    yield from _reject_ability(situation, target.control)
    yield from _reject_login(situation)
    yield from reject_source(situation.facts.primary.access, by_rewind=True)
    yield from reject_in_place(situation)
    yield from reject_replay(situation)
    yield from reject_untrusted(situation)
    yield from _reject_fork(situation, target.control)


def _reject_ability(situation: Situation, control: ControlData) -> Iterator[Rejection]:
    """Report what pg_rewind lacks to determine what has changed."""
    name, major = situation.name, situation.facts.primary.major
    if not control.has_checksums and not control.has_wal_log_hints:
        yield Rejection(
            f"{name} has neither data checksums nor wal_log_hints",
            detail="Without them its WAL does not say which pages changed after the fork.",
            hint="For the next time, set wal_log_hints = on on every node.",
        )
    if not situation.wal.full_page_writes:
        yield Rejection(
            "full_page_writes is off on the primary", hint="Turn it on: pg_rewind needs it."
        )
    if control.newest_timeline != control.timeline and major < SEES_NEWEST_SINCE:
        yield Rejection(
            f"pg_rewind of PostgreSQL {major} would assume that {name} is still on timeline "
            f"{control.timeline}",
            detail=f"It has replayed timeline {control.newest_timeline} since then.",
        )


def _reject_fork(situation: Situation, control: ControlData) -> Iterator[Rejection]:
    """Report that the fork cannot be determined, or that the WAL since it is gone for good."""
    fork = fork_of(control, situation.facts.target.history, situation.wal.history)
    if fork is None:
        yield Rejection(
            f"it cannot be determined where {situation.name} and the primary diverged",
            detail=f"There is no history file of its timeline {control.newest_timeline}."
            if situation.facts.target.history is None
            else "Their histories have no end of a timeline in common.",
        )
    elif not _keeps(situation, fork.lsn) and _archive(situation, fork.lsn) is None:
        yield from _reject_incremental(situation, fork.lsn // situation.wal.segment_bytes)


def _reject_login(situation: Situation) -> Iterator[Rejection]:
    logins = situation.facts.rewind_logins
    if choose_login(logins, situation.facts.primary) is not None:
        return
    tried = "\n".join(
        f"{login.conninfo.get('user')}: {login.problem or ELSEWHERE}" for login in logins
    )
    user = situation.conninfo.get("user", "repl")
    yield Rejection(
        f"{situation.name} cannot open the SQL connection to the primary that pg_rewind needs",
        detail=tried or "No role on the primary has the privileges.",
        hint="Let a superuser log in from there, or grant EXECUTE on "
        f"{', '.join(NEEDED_FUNCTIONS)} to {user}.",
    )


def _reject_incremental(situation: Situation, segment: int) -> Iterator[Rejection]:
    """Report why nothing can make up for the WAL that will be missing after the rewind.

    A rewound directory lacks more than it does now. So if the summaries do not cover what has
    changed since its present base, they will not cover what has changed since the new one either.
    """
    is_possible = (
        situation.facts.primary.major >= OLDEST_INCREMENTAL
        and situation.wal.is_summarized
        and Method.INCREMENTAL in situation.policy.methods
    )
    if not is_possible and situation.wal.has(segment):
        yield reject_limit(situation, segment)
    elif not is_possible:
        yield Rejection(
            f"the primary no longer has the WAL that {situation.name} would need after a rewind",
            hint="wal_keep_size would have kept it. In PostgreSQL 17 and later, summarize_wal = on "
            "makes up for it if the policy allows incremental.",
        )
        gap = gap_from(segment, situation.wal)
        found = None if gap is None else from_archive(situation, gap)
        yield from found if isinstance(found, tuple) else ()
    elif situation.facts.summaries is not None:
        yield situation.facts.summaries
    else:
        yield from reject_source(situation.facts.primary.access)


def _rewind(situation: Situation, control: ControlData, *, is_followed_by_more: bool) -> Rewind:
    login = choose_login(situation.facts.rewind_logins, situation.facts.primary)
    if login is None:
        raise ValueError("no login for pg_rewind")
    own = situation.facts.target.configuration
    return Rewind(
        places=situation.places,
        bin_directory=situation.bin_directory,
        major=situation.facts.primary.major,
        conninfo=login.conninfo,
        configuration_file=None if own is None else own.file,
        restore_command=usable_restore_command(situation.facts),
        locations=locations(situation),
        needs_crash_recovery=not control.is_shut_down,
        timelines=situation.wal.history.timelines,
        fork_segment=_fork(situation, control) // situation.wal.segment_bytes,
        segment_bytes=situation.wal.segment_bytes,
        is_followed_by_more=is_followed_by_more,
        verifies_pages=situation.policy.verify is Verify.PAGES,
    )
