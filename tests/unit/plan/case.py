"""A case: the facts, the policy and the expected outcome, from the words of its file."""

from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath

from pgpool_recovery.agent.directory.place import ANOTHER_USER
from pgpool_recovery.config.load import read_settings
from pgpool_recovery.domain.control_data import SHUT_DOWN, ControlData
from pgpool_recovery.domain.error import SettingsError
from pgpool_recovery.domain.node import NodeId, Target
from pgpool_recovery.domain.standby import Fault, StandbyFacts, Trouble
from pgpool_recovery.domain.target_state import TargetState
from pgpool_recovery.domain.wal import History, Lsn, Point, TimelineId
from pgpool_recovery.facts.access import Access, Lacks, Obstacle
from pgpool_recovery.facts.archived_history import Archive
from pgpool_recovery.facts.backup import Backup, BackupTablespace, NoBackup, Repository
from pgpool_recovery.facts.facts import (
    Base,
    Configuration,
    Facts,
    FileIdentity,
    Filesystem,
    LocalWal,
    Login,
    PartialCopy,
    PlaceFacts,
    PrimaryFacts,
    Slot,
    Stream,
    Tablespace,
    TargetFacts,
    Wal,
)
from pgpool_recovery.facts.leftover import LeftFiles, Leftover
from pgpool_recovery.facts.own_method import OwnMethod
from pgpool_recovery.facts.own_wal import Compared, OwnWal
from pgpool_recovery.facts.policy import Policy
from pgpool_recovery.facts.rejection import Rejection, as_error
from pgpool_recovery.facts.running import RELOADED, Running, RunningServer, Silent
from pgpool_recovery.facts.source import Source, SourceServer
from pgpool_recovery.plan.divergence import base_of
from pgpool_recovery.plan.ladder import make_plan
from pgpool_recovery.plan.past import point_to_compare
from pgpool_recovery.plan.plan import PassedOver, Plan
from pgpool_recovery.plan.situation import Situation
from pgpool_recovery.plan.summaries import Summaries, Summary, reject_coverage
from tests.unit.plan import situation
from tests.unit.plan.archive import archived_history, with_archives
from tests.unit.plan.read_words import read_words
from tests.unit.plan.situation import CONNINFO, PARAMETERS, SYSTEM, TARGET
from tests.unit.plan.words import (
    AccessWords,
    ArchiveWords,
    BackupWords,
    ControlWords,
    CopiedWords,
    Expected,
    ExpectedPlan,
    ExpectedRefusal,
    Left,
    LeftWords,
    LoginWords,
    PrimaryWords,
    Refusal,
    ServerWords,
    Size,
    SourceWords,
    TablespaceWords,
    TargetWords,
    WalDirectoryWords,
    WalWords,
    Words,
)

CATALOG_VERSIONS = {14: 202107181, 15: 202209061, 16: 202307071, 17: 202406281, 18: 202506291}
FIRST_TABLESPACE = 16400


@dataclass(frozen=True)
class Case:
    """One situation, and what the planner must say about it."""

    title: str
    target: Target
    facts: Facts
    policy: Policy
    failed: tuple[PassedOver, ...]
    expected: Expected

    def outcome(self) -> Expected:
        """Return what the planner says."""
        return told(make_plan(self.target, self.facts, self.policy, self.failed))


def read_case(file: Path) -> Case:
    """Return the case of a file; raises ValueError if anything in it is not understood."""
    return case_of(read_words(file), str(file))


def case_of(words: Words, file: str = "words") -> Case:
    """Return the case that words describe."""
    facts = Facts(
        primary=_primary(words.primary, words.tablespaces),
        target=_target(words),
        logins=tuple(map(_login, words.connections.replication)),
        rewind_logins=tuple(map(_login, words.connections.rewind)),
        backup=None if words.backup is None else _backup(words, words.backup),
        own_methods=tuple(
            OwnMethod(
                one.name,
                (f"/usr/local/bin/{one.name}",),
                keep_data=one.keep_data,
                problem=one.problem,
            )
            for one in words.commands
        ),
        link_bytes_per_s=words.link,
        running=None if words.target.process is None else _running(words.target.server),
        archive=None if words.target.archive is None else _archive(words.target.archive),
        sources=None
        if words.sources is None
        else tuple(_source(one, words.primary.major) for one in words.sources),
    )
    facts = _with_summaries(_compared(facts, words.target.wal), words.primary)
    facts = _copied(facts, words.target.copied)
    target, policy = _node(words), _policy(words, file)
    return Case(
        title=words.title,
        target=target,
        facts=with_archives(Situation(target, facts, policy), words.target.archived_wal),
        policy=policy,
        failed=tuple(
            PassedOver(one.method, (Rejection(one.message, one.detail),), one.command)
            for one in words.failed
        ),
        expected=words.expect,
    )


def _copied(facts: Facts, words: CopiedWords | None) -> Facts:
    """Return the facts with what an interrupted full copy left where this plan would make one."""
    if words is None:
        return facts
    places = Situation(TARGET, facts, Policy()).places
    copy = PartialCopy(
        system_identifier=words.system_identifier,
        begun_s=0,
        layout={place.path: place.new for place in places.all() if not words.moved},
        sizes={places.data.path: words.size},
    )
    return replace(facts, target=replace(facts.target, copy=copy))


def _node(words: Words) -> Target:
    node_id = TARGET.node_id if words.target.node_id_is_known else None
    return Target(TARGET.host, words.target.path, node_id, TARGET.port)


def told(made: Plan | tuple[Rejection, ...]) -> Expected:
    """Return what an operator reads about a plan, or about its absence."""
    if not isinstance(made, Plan):
        reasons = tuple(Refusal(one.message, one.detail, one.hint) for one in made)
        return ExpectedRefusal(as_error(made).exit_status, reasons)
    _, *sentences = made.sentences()
    moves = made.sentences()[0].partition(", about ")[2]
    no_return = made.point_of_no_return
    return ExpectedPlan(
        method=made.method,
        passed_over=tuple(s for s in sentences if s.startswith("not ")),
        old_data=made.old_data.name.lower(),  # type: ignore[arg-type]
        steps=tuple(map(str, made.steps)),
        needs=tuple(map(str, made.needs)),
        moves=moves or None,
        point_of_no_return=None if no_return is None else str(no_return),
        notes=made.notes,
        meanwhile=next((s for s in sentences if "meanwhile" in s.split("(")[0]), None),
    )


def _policy(words: Words, file: str) -> Policy:
    try:
        return read_settings({"policy": words.policy}, file).policy
    except SettingsError as error:
        raise ValueError(f"{error}: {error.detail}") from error


def _primary(words: PrimaryWords, tablespaces: tuple[TablespaceWords, ...]) -> PrimaryFacts:
    return situation.primary(
        version=words.major * 10000 + 7,
        is_in_recovery=words.in_recovery,
        is_configuration_inside=not words.configuration_outside,
        wal_level=words.wal_level,
        max_wal_senders=words.max_wal_senders,
        wal_senders=words.wal_senders,
        max_replication_slots=words.max_replication_slots,
        slots=tuple(
            Slot(slot.name, slot.type == "physical", slot.active, slot.wal_status, slot.keeps)
            for slot in words.slots
        ),
        slot_limit_bytes=words.slot_limit,
        standby_parameters=PARAMETERS | words.settings,
        data_bytes=words.size,
        wal_bytes=words.wal_size,
        tablespaces=tuple(
            Tablespace(
                oid=FIRST_TABLESPACE + number,
                location=space.location,
                directory=_version_directory(words.major),
                size_bytes=space.size,
                identity=FileIdentity("primary", device=1, inode=100 + number),
            )
            for number, space in enumerate(tablespaces)
        ),
        streams=tuple(
            Stream(stream.slot, stream.address, application_name="walreceiver")
            for stream in words.streams
        ),
        wal=None if words.in_recovery else _wal(words),
        restore_command=words.restore_command,
        synchronous_standby_names=words.synchronous_standby_names,
        leftovers=_left(words.left),
        access=_access(words.access, "server1"),
        wal_bytes_per_s=words.wal_rate,
        wal_free_bytes=words.wal_room,
        can_back_up=words.may_back_up,
    )


def _access(words: AccessWords, host: str) -> Access:
    return Access(
        host=host,
        user="postgres",
        obstacles=tuple(
            Obstacle(one.path, Lacks(one.lacks), one.owner, one.mode, one.ours, one.fixed)
            for one in words.obstacles
        ),
        more={Lacks(kind): count for kind, count in words.more.items()},
        is_whole=words.whole,
        kept_bytes=words.kept,
        copied_bytes=words.copied,
        spare_wal_bytes=words.spare_wal,
    )


def _source(words: SourceWords, major: int) -> Source:
    name = f"server{words.node + 1}"
    server = SourceServer(
        standby=StandbyFacts(is_in_recovery=True, delay_ms=words.delay_ms),
        version=major * 10000 + words.minor,
        port=5432,
        max_wal_senders=10,
        wal_senders=words.wal_senders,
        backups=words.backups,
        tablespaces=dict(enumerate(words.tablespaces, FIRST_TABLESPACE)),
        is_busy=words.busy,
    )
    return Source(
        node_id=NodeId(words.node),
        host=name,
        data_directory="/var/lib/pgsql/15/data",
        slot_name=f"pgpool_node_{words.node}",
        application_name=name,
        lag_bytes=words.lag,
        is_primary=words.primary,
        server=server if words.asked and words.problem is None else None,
        problem=None if words.problem is None else Rejection(words.problem),
        trouble=None if words.trouble is None else Trouble(Fault.PAUSED, words.trouble),
        conninfo=None if words.unreachable else {**CONNINFO, "host": name},
        login_problem=words.unreachable,
        failed=None if words.failed is None else Rejection(words.failed),
    )


def _version_directory(major: int) -> str:
    return f"PG_{major}_{CATALOG_VERSIONS.get(major, 0)}"


def _wal(words: PrimaryWords) -> Wal:
    return Wal(
        history=_history(words.history, words.timeline),
        written=words.written,
        segment_bytes=words.segment_size,
        oldest_segment=words.oldest_wal // words.segment_size,
        full_page_writes=words.full_page_writes,
        is_summarized=words.summarize_wal,
    )


def _history(lines: tuple[Left, ...], current: TimelineId) -> History:
    return History(current, tuple(Point(line.timeline, line.left_at) for line in lines))


def _target(words: Words) -> TargetFacts:
    target, contents = words.target, words.target.contents
    has_control = contents == "data" and target.resumable is None and target.marked is None
    control = _control(target.control) if has_control else None
    label = target.backup_label
    start = label if isinstance(label, Point) else None
    return situation.target(
        data=_data(words),
        wal=None if target.wal_directory is None else _wal_place(words, target.wal_directory),
        tablespaces={
            FIRST_TABLESPACE + number: _tablespace(words, space, number)
            for number, space in enumerate(words.tablespaces)
        },
        gone_tablespaces=target.left_tablespaces,
        moved_tablespaces=tuple(s.location for s in words.tablespaces if s.on_target == "moved"),
        linked_tablespaces=tuple(
            FIRST_TABLESPACE + number
            for number, space in enumerate(words.tablespaces)
            if space.on_target in ("own", "moved")
        ),
        is_empty=contents in ("nothing", "missing"),
        is_data_directory=contents in ("data", "no control file"),
        foreign_entries=("notes.txt", "photos") if contents == "other files" else (),
        mounts_inside=target.mounts_inside,
        major=(target.major or words.primary.major)
        if contents in ("data", "no control file")
        else None,
        control=control,
        has_backup_label=label is not None,
        backup_start=start,
        history=_history(target.history, target.control.newest) if target.history else None,
        local_wal=None if control is None else _local_wal(words, base_of(control, start)),
        is_away=target.changing is not None,
        changing=None if target.changing == "finished" else target.changing,
        state=TargetState.INCOMPLETE if target.changing else TargetState.UNTOUCHED,
        resumable=None
        if target.resumable is None
        else Base(target.resumable.redo, target.resumable.end),
        can_clone=target.can_clone,
        has_zstd=True,
        is_standby=target.standby_signal,
        server_pid=target.process,
        failed_starts=target.failed_starts,
        marked_identifier=target.marked,
        managed_by=target.managed_by,
        is_busy=target.busy,
        bin_directory="/usr/pgsql/bin" if target.programs else None,
        configuration=_configuration(target),
        configuration_problem=target.configuration.problem,
        left_files=LeftFiles(
            has_recovery_signal="recovery.signal" in target.left_files,
            has_recovery_conf="recovery.conf" in target.left_files,
            marks=tuple(name for name in target.left_files if not name.startswith("recovery.")),
        ),
        own_wal=_own_wal(target.wal),
        access=_access(target.access, "server2"),
    )


def _own_wal(words: WalWords) -> OwnWal:
    histories = (_history(one.history, one.timeline) for one in words.histories)
    return OwnWal(words.files, tuple(histories), words.unreadable)


def _compared(facts: Facts, words: WalWords) -> Facts:
    """Return the facts with the result of comparing the target's WAL with the primary's."""
    point = point_to_compare(facts)
    if point is None:
        return facts
    is_same = {"same": True, "different": False, "nothing": None}[words.compared]
    return replace(facts, compared=Compared(point, is_same, words.whole))


def _control(words: ControlWords) -> ControlData:
    behind_redo = Lsn(words.redo if words.state == SHUT_DOWN else words.redo + 0x38)
    return situation.control(
        system_identifier=words.system_identifier,
        state=words.state,
        timeline=words.timeline,
        redo=words.redo,
        checkpoint=behind_redo if words.checkpoint is None else words.checkpoint,
        minimum_end=words.end,
        has_checksums=words.checksums,
        has_wal_log_hints=words.wal_log_hints,
        is_consistent=not words.backup_end_required,
    )


def _running(words: ServerWords | None) -> Running:
    """Return what a running server says."""
    if words is None:
        return Silent("It lets nobody in.")
    return RunningServer(
        login={"host": "/run/postgresql", "port": str(words.port), "dbname": "postgres"},
        is_in_recovery=words.in_recovery,
        is_paused=words.paused,
        timeline=words.timeline,
        histories=tuple(_history(one.history, one.timeline) for one in words.histories),
        receiving=None,
        received=words.received if words.all_replayed else None,
        replayed=words.replayed,
        is_torn=words.torn,
        recovery_target_timeline=words.recovery_target_timeline,
        sources={
            name: words.sources.get(name, "configuration file")
            for name in RELOADED
            if name not in words.unseen
        },
        leftovers=_left(words.left),
    )


def _local_wal(words: Words, base: Base) -> LocalWal:
    """Return the WAL that the target has itself: up to its end unless a file says otherwise."""
    size, missing = words.primary.segment_size, words.target.missing_wal
    return LocalWal(base, (base.end.lsn if missing is None else missing - size) // size + 1)


def _configuration(target: TargetWords) -> Configuration | None:
    words = target.configuration
    is_there = words.outside or target.contents in ("data", "no control file")
    if words.problem is not None or not is_there:
        return None
    directory = "/etc/postgresql/main" if words.outside else target.path
    return Configuration(
        file=f"{directory}/postgresql.conf",
        is_inside=not words.outside,
        values={name: str(value) for name, value in PARAMETERS.items()}
        | {"port": str(TARGET.port)}
        | words.settings,
        primary_conninfo={},
        leftovers=_left(words.left),
        trigger_file=words.trigger_file,
    )


def _left(words: tuple[LeftWords, ...]) -> tuple[Leftover, ...]:
    return tuple(
        Leftover(one.name, one.value, one.source, is_on_command_line=one.on_command_line)
        for one in words
    )


def _archive(words: ArchiveWords) -> Archive:
    found, silent_s = tuple(map(archived_history, words.histories)), words.silent_after
    return Archive(found, float(silent_s or 0), silent_s is not None, words.fatal)


def _data(words: Words) -> PlaceFacts:
    target = words.target
    is_mount_point = target.path in words.filesystems
    is_there = target.contents != "missing" and (target.changing is None or is_mount_point)
    has_any = target.contents not in ("missing", "nothing")
    identity = situation.primary().data_directory if target.is_the_primarys else None
    return _place(
        words,
        target.path,
        exists=is_there,
        is_empty=not is_there or not has_any or target.changing is not None,
        is_own=True,
        size=target.size if has_any else Size(0),
        waiting=target.waiting,
        identity=identity,
        can_write=target.writable and not target.read_only,
        is_read_only=target.read_only,
        is_layered=target.layered,
        problem=target.problem,
    )


def _wal_place(words: Words, wal: WalDirectoryWords) -> PlaceFacts:
    return _place(
        words,
        wal.path,
        exists=wal.contents != "missing",
        is_empty=wal.contents != "data",
        is_own=wal.own,
        size=wal.size if wal.contents == "data" else Size(0),
        waiting=wal.waiting,
        identity=situation.primary().wal_directory if wal.is_the_primarys else None,
        other_server=wal.other_server,
    )


def _tablespace(words: Words, space: TablespaceWords, number: int) -> PlaceFacts:
    """Return the version directory of a tablespace on the target; a new one does not exist yet."""
    is_there = space.on_target not in ("new", "moved")
    location = space.target_location or space.location
    return _place(
        words,
        f"{location}/{_version_directory(words.primary.major)}",
        exists=is_there,
        is_empty=not is_there,
        is_own=space.on_target == "own",
        size=(space.target_size or space.size) if is_there else Size(0),
        waiting=None,
        identity=FileIdentity("primary", device=1, inode=100 + number)
        if space.on_target == "the primary's"
        else None,
        other_server="/srv/node2/data" if space.on_target == "another server's" else None,
    )


def _place(
    words: Words,
    path: str,
    *,
    exists: bool,
    is_empty: bool,
    is_own: bool,
    size: Size,
    waiting: Size | None,
    identity: FileIdentity | None = None,
    can_write: bool = True,
    is_read_only: bool = False,
    is_layered: bool = False,
    problem: str | None = None,
    other_server: str | None = None,
) -> PlaceFacts:
    """Return a directory; a mount point cannot be renamed."""
    here = PurePosixPath(path)
    mounts = [point for point in words.filesystems if here.is_relative_to(point)]
    mount = max(mounts, key=len)
    device = list(words.filesystems).index(mount) + 1
    return PlaceFacts(
        path=path,
        exists=exists,
        size_bytes=size,
        can_write=can_write,
        can_rename=path not in words.filesystems,
        filesystem=Filesystem(device, words.filesystems[mount], is_read_only, mount),
        identity=identity or FileIdentity("target", device, inode=1),
        waiting_bytes=waiting,
        is_empty=is_empty,
        is_own=is_own or waiting is not None,
        problem=problem,
        is_of_another_user=problem == ANOTHER_USER,
        is_layered=is_layered,
        other_server=other_server,
    )


def _login(words: LoginWords) -> Login:
    is_open = words.problem is None
    return Login(
        {**CONNINFO, "user": words.user},
        words.system_identifier if is_open else None,
        words.problem,
    )


def _backup(words: Words, backup: BackupWords) -> Backup | NoBackup:
    """Return what the target sees in the repository: a backup with all tablespaces."""
    if backup.problem is not None:
        return NoBackup(backup.problem)
    repository = Repository(
        stanza="main",
        label="20261124-054411F",
        start=backup.start,
        stop=backup.stop,
        system_identifier=SYSTEM,
        size_bytes=words.primary.size,
        archived=backup.archived,
        histories=tuple(map(archived_history, backup.histories)),
    )
    spaces = enumerate(words.tablespaces)
    tablespaces = tuple(
        BackupTablespace(FIRST_TABLESPACE + number, f"ts{number}", space.location)
        for number, space in spaces
    )
    return Backup("/usr/bin/pgbackrest", 1, repository, words.primary.major, tablespaces)


def _with_summaries(facts: Facts, words: PrimaryWords) -> Facts:
    """Judge the summaries from the target's base on, as in observe/target.py."""
    if facts.primary.wal is None or not words.summarize_wal:
        return facts
    if words.summaries is None:
        return replace(facts, changed_bytes=words.changed)
    target, history = facts.target, facts.primary.wal.history
    base = target.resumable
    if base is None and target.control is not None:
        base = base_of(target.control, target.backup_start)
    if base is None or not history.has(base.redo):
        return facts
    summaries = Summaries(
        is_enabled=True,
        is_running=words.summaries.running,
        keep_time="10d",
        reached=words.summaries.reached,
        available=tuple(
            Summary(one.timeline, one.start, one.end) for one in words.summaries.available
        ),
    )
    rejection = reject_coverage(summaries, base.redo, history)
    changed = words.changed if rejection is None else None
    return replace(facts, summaries=rejection, changed_bytes=changed)
