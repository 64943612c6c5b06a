"""Run pg_rewind, with the preparations and checks that it leaves to its caller."""

import re
from pathlib import Path

from pgpool_recovery.agent.directory.clone import clone_again
from pgpool_recovery.agent.directory.configuration import quote
from pgpool_recovery.agent.directory.local_wal import wal_files
from pgpool_recovery.agent.directory.modes import file_mode, make_location
from pgpool_recovery.agent.directory.own_files import OWN, keep_own_files, withdraw_own_files
from pgpool_recovery.agent.directory.own_login import OwnLogin
from pgpool_recovery.agent.directory.workspace import make_directory, remove
from pgpool_recovery.agent.method.emptied_database import emptied_databases
from pgpool_recovery.agent.method.verify_pages import verify_pages
from pgpool_recovery.domain.data_directory import SIGNALS
from pgpool_recovery.domain.error import Undone
from pgpool_recovery.domain.event import Emit, Moved, Said
from pgpool_recovery.domain.wal import segment_of_file
from pgpool_recovery.facts.step.transfer import Rewind
from pgpool_recovery.files.text import read_bytes
from pgpool_recovery.files.write import copy_file, has_linked, move, sync, write_file
from pgpool_recovery.host.meter import Meter
from pgpool_recovery.host.program import Completed, run
from pgpool_recovery.host.stop import Stop
from pgpool_recovery.postgres.connection import connect, pinned
from pgpool_recovery.postgres.conninfo import format_conninfo

PROGRAM = "pg_rewind"
ANSWER_S = 30.0
CONFIGURATION = "postgresql.conf"
KEEP_ALL_WAL = "wal_keep_size=2147483647MB"
"""Otherwise the checkpoint at the end of crash recovery would remove WAL that pg_rewind reads."""
MISSING_WAL = re.compile(r'could not open file "[^"]*/pg_wal/([0-9A-F]{24})"')
MAX_FETCHED = 256
"""How many missing WAL files are fetched from the primary at most; pg_rewind runs after each."""
KEPT_WAL = "wal_before_fork"
CONFIG_FILE_SINCE = 15
"""Before, pg_rewind reads restore_command only from a postgresql.conf in the data directory."""
BEGINS = "need to copy"
"""The last message of pg_rewind before it changes files (src/bin/pg_rewind/pg_rewind.c)."""
COPIED = re.compile(r"\s*(\d+)/(\d+) kB \(\d+%\) copied")


def rewind(step: Rewind, own_login: OwnLogin, stop: Stop, emit: Emit, connect_s: float) -> None:
    """Bring the directory back to a state from which it can replay the primary's WAL.

    pg_rewind does not keep a server from starting while it works, so the directory is in the
    workspace, or it is a clone. pg_rewind writes backup_label and pg_control last. Raises Untouched
    when it failed before the first change, otherwise the failure itself.
    """
    directory = Path(step.places.data.new)
    configuration = directory.parent / f"{PROGRAM}.conf"
    write_file(configuration, f"restore_command = '{quote(step.restore_command)}'\n")
    since_ns = configuration.stat().st_mtime_ns
    progress = Watch(emit)
    signals = [name for name in SIGNALS if (directory / name).exists()]
    try:
        for name in signals:  # Neither single-user mode nor pg_rewind works with them.
            remove(directory / name)
        if step.needs_crash_recovery:
            recover_from_crash(step, directory, stop)
            clone_again(step.places, step.locations, stop)
        prepare_tablespaces(directory, step.locations)
        kept = keep_wal(step, directory)
        withdraw_own_files(directory)
        _run_until_nothing_is_missing(step, own_login, configuration, stop, progress, connect_s)
        give_wal_back(kept, directory)
        progress.finish()
        check_databases(step, directory, stop)
        if step.verifies_pages:
            pages = verify_pages(directory, Path(step.bin_directory), since_ns, stop, emit)
            progress.said(_verified(pages))
    except Exception as error:
        if progress.has_begun:
            raise
        keep_own_files(directory.parent / OWN, directory)  # Undo all that was done before that.
        for name in signals:
            write_file(directory / name, "", mode=file_mode(directory))
        raise Untouched(error) from error
    finally:
        remove(configuration)
        remove(directory.parent / KEPT_WAL)


def check_databases(step: Rewind, directory: Path, stop: Stop) -> None:
    """Raise Undone when replay would empty a database; only a later start of replay helps."""
    if step.is_followed_by_more:
        return
    lost = emptied_databases(directory, step.bin_directory, step.timelines, stop)
    if lost:
        raise Undone(
            f"replay after {PROGRAM} would empty a database that the primary has moved or copied",
            detail=f"The WAL since the fork has it copied to {', '.join(lost)}, from a directory"
            " that the primary no longer has.",
        )


def _verified(pages: int | None) -> str:
    if pages is None:
        return "the changed pages cannot be verified, because there are no data checksums"
    return f"the checksums of {pages} pages in the changed files are correct"


class Untouched(Exception):
    """pg_rewind failed before it changed anything; the failure itself is `error`."""

    def __init__(self, error: Exception) -> None:
        super().__init__(str(error))
        self.error = error


class Watch:
    """Passes on the lines of pg_rewind, and notices in them when it begins to change files."""

    def __init__(self, emit: Emit) -> None:
        self._emit = emit
        self._meter = Meter(emit)
        self.has_begun = False

    def line(self, text: str) -> None:
        """Take a line."""
        self.has_begun = self.has_begun or BEGINS in text
        match = COPIED.match(text)
        if match is None:
            self._emit(Said(PROGRAM, text))
        else:
            self._meter.tell(int(match[1]) * 1024, int(match[2]) * 1024)

    def finish(self) -> None:
        """Report how much has been copied."""
        self._emit(Moved(self._meter.done_bytes))

    def said(self, text: str) -> None:
        """Report a message of our own."""
        self._emit(Said(PROGRAM, text))


def recover_from_crash(step: Rewind, directory: Path, stop: Stop) -> None:
    """Replay the directory's own WAL and shut it down, in single-user mode.

    pg_rewind would do the same, but with the data_directory that Debian's configuration sets
    instead of ours, and without keeping the WAL that it will need.
    """
    own = directory / CONFIGURATION
    file = str(own) if own.exists() or step.configuration_file is None else step.configuration_file
    argv = [f"{step.bin_directory}/postgres", "--single", "-F", "-D", str(directory)]
    argv += ["-c", f"config_file={file}", "-c", f"data_directory={directory}"]
    argv += ["-c", KEEP_ALL_WAL, "template1"]
    # no limit: the runner ends a step that makes no progress for stall_s
    run(argv, stop, timeout_s=None).check()


def keep_wal(step: Rewind, directory: Path) -> list[Path]:
    """Link the WAL from before the fork aside: pg_rewind removes what the primary no longer has.

    Releases before 18 do that (decide_file_action in src/bin/pg_rewind/filemap.c), and without an
    archive there is no other source for this WAL.
    """
    aside = directory.parent / KEPT_WAL
    remove(aside)
    make_directory(aside)
    own = [
        file
        for file in wal_files(directory, step.timelines)
        if segment_of_file(file.name, step.segment_bytes) < step.fork_segment
    ]
    for file in own:
        if not has_linked(file, aside / file.name):  # It cannot if pg_wal is on another filesystem.
            copy_file(file, aside / file.name)
    return [aside / file.name for file in own]


def give_wal_back(kept: list[Path], directory: Path) -> None:
    """Put back the WAL that pg_rewind has removed."""
    for file in kept:
        place = directory / "pg_wal" / file.name
        if not place.exists():
            move(file, place)
            sync(place)
    sync(directory / "pg_wal")


def prepare_tablespaces(directory: Path, locations: dict[int, str]) -> None:
    """Make the links of tablespaces that are new on the primary.

    pg_rewind would make them point to the primary's locations.
    """
    for oid, location in locations.items():
        link = directory / "pg_tblspc" / str(oid)
        if not link.is_symlink():
            make_location(Path(location), directory)
            link.symlink_to(location)


def _run_until_nothing_is_missing(
    step: Rewind,
    own_login: OwnLogin,
    configuration: Path,
    stop: Stop,
    watch: Watch,
    connect_s: float,
) -> None:
    """Run pg_rewind, again after each missing WAL file that could be fetched from the primary."""
    fetched: set[str] = set()
    while True:
        completed = _run(step, own_login, configuration, stop, watch)
        missing = MISSING_WAL.search(completed.output)
        if completed.status == 0 or missing is None or missing[1] in fetched:
            completed.check()
            return
        if len(fetched) >= MAX_FETCHED:
            raise Undone("too many WAL files are missing", detail=completed.last_lines)
        fetched.add(missing[1])
        if not _fetch_wal(step, own_login, missing[1], connect_s):
            completed.check()
        watch.said(f"fetched the missing WAL file {missing[1]} from the primary")


def _run(
    step: Rewind, own_login: OwnLogin, configuration: Path, stop: Stop, watch: Watch
) -> Completed:
    directory = Path(step.places.data.new)
    argv = [f"{step.bin_directory}/{PROGRAM}", f"--target-pgdata={directory}", "--progress"]
    argv.append("--no-ensure-shutdown")
    made = None
    if step.restore_command:
        argv.append("--restore-target-wal")
        if step.major >= CONFIG_FILE_SINCE:
            argv.append(f"--config-file={configuration}")
        elif not (directory / CONFIGURATION).exists():
            made = directory / CONFIGURATION
            write_file(made, read_bytes(configuration))
    try:
        with own_login.for_program(step.conninfo) as (conninfo, environment):
            argv.append(f"--source-server={format_conninfo(pinned(conninfo))}")
            # no limit: the runner ends a step that makes no progress for stall_s
            return run(argv, stop, timeout_s=None, on_line=watch.line, environment=environment)
    finally:
        if made is not None:
            remove(made)


def _fetch_wal(step: Rewind, own_login: OwnLogin, name: str, connect_s: float) -> bool:
    """Copy a WAL file from the primary; return whether the primary has it."""
    with connect(
        own_login.whole(step.conninfo), timeout_s=connect_s, answer_s=ANSWER_S
    ) as connection:
        (row,) = connection.rows("wal_file", name=name)
    if row["contents"] is None:
        return False
    directory = Path(step.places.data.new)
    write_file(directory / "pg_wal" / name, row["contents"], mode=file_mode(directory))
    return True
