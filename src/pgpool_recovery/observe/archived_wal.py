"""Observe whether an archive that the target reaches has the WAL that the primary no longer has."""

from collections.abc import Iterator, Sequence

from pgpool_recovery.config.settings import Settings
from pgpool_recovery.domain.node import Target
from pgpool_recovery.domain.record import record, replace
from pgpool_recovery.domain.wal import Lsn
from pgpool_recovery.facts.archived_history import MAX_BEYOND, Archive
from pgpool_recovery.facts.archived_wal import (
    ArchivedWal,
    FetchedWal,
    Likeness,
    Origin,
    WalTrial,
    WantedWal,
)
from pgpool_recovery.facts.backup import Backup, NoBackup
from pgpool_recovery.facts.facts import Facts, TargetFacts, Wal
from pgpool_recovery.facts.own_wal import (
    Part,
    last_segment,
    names_of,
    parts_before,
    parts_of_whole,
)
from pgpool_recovery.observe.archived_history import MARGIN_S, PATIENCE
from pgpool_recovery.pgbackrest.command import archive_get
from pgpool_recovery.plan.broken_archive import SETTING, broken_how, usable_restore_command
from pgpool_recovery.plan.fetch_ahead import tried_at_once
from pgpool_recovery.plan.from_archive import (
    Gap,
    gap_of,
    name_of,
    overlap_name,
    reject_archive,
    spread_names,
    tried_names,
)
from pgpool_recovery.plan.past import point_to_compare
from pgpool_recovery.plan.situation import Situation
from pgpool_recovery.postgres.connection import Connection
from pgpool_recovery.talk.conversation import Conversation
from pgpool_recovery.talk.request.directory import DigestWal
from pgpool_recovery.talk.request.host import AskArchive, TryArchive

CALLS = 2
"""How often a file in the middle is requested that does not come."""


@record
class Comparison:
    """A file of the archive that is compared with that of a server, up to a position."""

    name: str
    parts: tuple[Part, ...]
    upto: Lsn


class ArchiveTrials:
    """Tries the archives of a target, until one has what is needed."""

    def __init__(
        self,
        connection: Connection,
        agent: Conversation,
        situation: Situation,
        settings: Settings,
        *,
        is_patient: bool,
    ) -> None:
        self._connection = connection
        self._agent = agent
        self._situation = situation
        self._settings = settings
        self._is_patient = is_patient

    def results(self, gap: Gap) -> Iterator[ArchivedWal]:
        """Yield what each archive returned, up to the first one that helps."""
        for one in candidates(self._situation.facts, self._settings):
            tried = one if one.problem is not None else self._tried(one, gap)
            if self._is_patient and self._helps(tried, gap):
                tried = replace(tried, spread=self._spread(tried, gap))
            yield tried
            if self._helps(tried, gap):
                return

    def _helps(self, one: ArchivedWal, gap: Gap) -> bool:
        return not any(reject_archive(self._situation, one, gap))

    def _tried(self, one: ArchivedWal, gap: Gap) -> ArchivedWal:
        wal = self._situation.wal
        of_node, of_primary = self._of_node(), _of_primary(wal)
        compared = [one for one in (of_primary, of_node) if one is not None]
        parts = {one.name: one.parts for one in compared}
        names = tuple(dict.fromkeys([*tried_names(gap, wal), *parts]))
        more = self._tried_with(one, gap, names)
        trial = self._try(one, [WantedWal(name, parts.get(name, ())) for name in names], more)
        spread = tuple(file for file in trial.files if file.name in more)
        trial = replace(trial, files=trial.files[: len(names)])
        archive = one.archive
        if one.origin is not Origin.OWN and not trial.is_silent:
            archive = self._histories(one)
        return replace(
            one,
            archive=archive,
            trial=trial,
            spread=spread,
            of_node=None if of_node is None else self._like_node(of_node, trial),
            of_primary=None if of_primary is None else self._like_primary(of_primary, trial),
        )

    def _tried_with(self, one: ArchivedWal, gap: Gap, names: Sequence[str]) -> tuple[str, ...]:
        """Return the files in between that are tried with those that matter most; perhaps none.

        All of them, if that takes no longer, because all fit into one round.
        """
        more = tuple(name for name in spread_names(gap, self._situation.wal) if name not in names)
        return more if len(names) + len(more) <= self._at_once(one) else ()

    def _try(self, one: ArchivedWal, wanted: Sequence[WantedWal], more: Sequence[str]) -> WalTrial:
        limit_s = self._settings.timeout.archive_s
        both = [*wanted, *map(WantedWal, more)]
        found = self._ask(one, both, limit_s, self._at_once(one))
        is_again = found.is_silent and self._is_patient
        return self._ask(one, wanted, PATIENCE * limit_s) if is_again else found

    def _at_once(self, one: ArchivedWal) -> int:
        """Return how many files of an archive are tried at the same time.

        That may be what makes a command too slow, so more than one are tried only if it is then run
        again by itself.
        """
        settings, size = self._settings, self._situation.wal.segment_bytes
        is_allowed = settings.archive.fetch_ahead and self._is_patient
        return tried_at_once(one.command, size, settings.policy.workers, is_allowed=is_allowed)

    def _spread(self, one: ArchivedWal, gap: Gap) -> tuple[FetchedWal, ...]:
        """Return what came of the other files that are tried, in `archive_s` for all of them.

        Each gets a second call: there are many, and one that failed by chance costs a full copy.
        If the calls before took long, they are made one by one, so that some end in that time.
        """
        wal, limit_s = self._situation.wal, self._settings.timeout.archive_s
        at_once, taken_s = self._at_once(one), 0.0 if one.trial is None else one.trial.longest_s
        names = spread_names(gap, wal)
        if one.spread or not names:
            return one.spread
        asked = TryArchive(
            self._situation.facts.target.data.path,
            one.command,
            tuple(map(WantedWal, names)),
            wal.segment_bytes,
            PATIENCE * limit_s,
            within_s=limit_s,
            calls=CALLS,
            at_once=at_once if at_once * taken_s <= limit_s else 1,
        )
        return self._agent.ask(asked, timeout_s=limit_s + 2 * MARGIN_S).files

    def _ask(
        self, one: ArchivedWal, wanted: Sequence[WantedWal], within_s: float, at_once: int = 1
    ) -> WalTrial:
        path, size = self._situation.facts.target.data.path, self._situation.wal.segment_bytes
        asked = TryArchive(path, one.command, tuple(wanted), size, within_s, at_once=at_once)
        calls = len(wanted) * min(at_once, 2)  # Together with others, and once more by itself.
        return self._agent.ask(asked, timeout_s=calls * (within_s + MARGIN_S))

    def _histories(self, one: ArchivedWal) -> Archive:
        """Return the history files that a server with this command would find."""
        facts, history = self._situation.facts, self._situation.wal.history
        control, limit_s = facts.target.control, PATIENCE * self._settings.timeout.archive_s
        since = history.current if control is None else control.timeline
        asked = AskArchive(facts.target.data.path, one.command, history, since, limit_s)
        calls = len(history.timelines) + MAX_BEYOND
        return self._agent.ask(asked, timeout_s=calls * (limit_s + MARGIN_S))

    def _of_node(self) -> Comparison | None:
        """Return the comparison with the node's own WAL, up to where that is the primary's."""
        facts, wal = self._situation.facts, self._situation.wal
        point, files = point_to_compare(facts), set(facts.target.own_wal.files)
        if point is None or point.timeline not in wal.history.timelines:
            return None
        segment = last_segment(point, wal.segment_bytes)
        names = names_of(segment, point.lsn, wal.history, wal.segment_bytes)
        own = next((name for name in names if name in files), None)
        if own is None:
            return None
        parts = tuple(parts_before(point, wal.segment_bytes, own, segment))
        return Comparison(name_of(segment, wal), parts, point.lsn)

    def _like_node(self, one: Comparison, trial: WalTrial) -> Likeness:
        path, patience_s = self._situation.facts.target.data.path, self._settings.timeout.observe_s
        own = self._agent.ask(DigestWal(path, one.parts), timeout_s=patience_s)
        return Likeness(one.name, one.upto, _is_same(own, _digests(one.name, trial)))

    def _like_primary(self, one: Comparison, trial: WalTrial) -> Likeness:
        found = _digests(one.name, trial)
        own = [] if found is None else [self._digest(part) for part in one.parts]
        return Likeness(one.name, one.upto, _is_same(own, found))

    def _digest(self, part: Part) -> str | None:
        row = self._connection.row(
            "wal_digest", name=part.name, offset=part.offset, size_bytes=part.size_bytes
        )
        found: str | None = row["digest"]
        return found


def observe_archived_wal(
    connection: Connection,
    agent: Conversation,
    target: Target,
    facts: Facts,
    settings: Settings,
    *,
    is_patient: bool,
) -> Facts:
    """Return the facts with what the target's archives have of the WAL that the primary lacks.

    Nothing is asked for if the primary has all WAL that the target needs. `is_patient` is as in
    observe/archived_history.py.
    """
    situation = Situation(target, facts, settings.policy)
    gap = gap_of(situation)
    if gap is None:
        return facts
    trials = ArchiveTrials(connection, agent, situation, settings, is_patient=is_patient)
    longest_s = PATIENCE * settings.timeout.archive_s
    return replace(
        facts,
        archived_wal=tuple(trials.results(gap)),
        archive_s=longest_s,
        fetches_ahead=settings.archive.fetch_ahead,
    )


def why_not_brought(
    agent: Conversation, target: TargetFacts, gap: Gap, wal: Wal, settings: Settings
) -> str | None:
    """Return in a sentence why the node's own archive does not bring what the primary lacks.

    None if it brings the files that are tried, and if that cannot be said, because its command is
    slow.
    """
    own = target.configuration
    command = "" if own is None else own.values.get(SETTING, "")
    if not command:
        return f"The node has no {SETTING}."
    limit_s = PATIENCE * settings.timeout.archive_s
    wanted = tuple(map(WantedWal, tried_names(gap, wal)))
    asked = TryArchive(target.data.path, command, wanted, wal.segment_bytes, limit_s)
    found = agent.ask(asked, timeout_s=len(wanted) * (limit_s + MARGIN_S))
    lacking = next((file for file in found.files if file.head is None), None)
    if lacking is None or found.is_silent:
        return None
    return f"Its {SETTING} did not bring {lacking.name}: {lacking.problem or 'nothing came'}."


def candidates(facts: Facts, settings: Settings) -> Iterator[ArchivedWal]:
    """Yield the commands that may fetch WAL on the target, the best one first."""
    own, known = usable_restore_command(facts), set[str]()
    configured = facts.target.configuration
    if configured is not None and configured.values.get(SETTING):
        known.add(own)
        yield ArchivedWal(Origin.OWN, own, broken_how(facts), archive=facts.archive)
    for one in _of_settings(facts, settings):
        if one.command not in known:
            known.add(one.command)
            yield one


def _of_settings(facts: Facts, settings: Settings) -> Iterator[ArchivedWal]:
    match facts.backup:
        case Backup():
            command = archive_get(facts.backup, facts.target.data.path)
            yield ArchivedWal(Origin.PGBACKREST, command)
        case NoBackup():
            why = facts.backup.problem
            yield ArchivedWal(Origin.PGBACKREST, "pgbackrest", f"The stanza cannot be read: {why}.")
    if settings.archive.restore_command is not None:
        yield ArchivedWal(Origin.SETTINGS, settings.archive.restore_command)


def _of_primary(wal: Wal) -> Comparison | None:
    """Return the comparison with the primary's oldest WAL file, where the two must meet."""
    name = overlap_name(wal)
    if name is None:
        return None
    end = Lsn((wal.oldest_segment + 1) * wal.segment_bytes)
    return Comparison(name, tuple(parts_of_whole(name, wal.segment_bytes)), end)


def _digests(name: str, trial: WalTrial) -> tuple[str | None, ...] | None:
    return next((file.digests for file in trial.files if file.name == name and file.head), None)


def _is_same(own: Sequence[str | None], archived: Sequence[str | None] | None) -> bool | None:
    """Return whether all parts are equal; None if one of the two does not have all of them."""
    if not own or archived is None or len(own) != len(archived):
        return None
    pairs = list(zip(own, archived, strict=True))
    if any(None not in pair and pair[0] != pair[1] for pair in pairs):
        return False
    return None if any(None in pair for pair in pairs) else True
