"""End the change of a guarded directory: it becomes a standby's, the control file last."""

from collections.abc import Callable, Iterable
from pathlib import Path

from pgpool_recovery.agent.directory.modes import file_mode
from pgpool_recovery.agent.method.guarded.contents import Contents
from pgpool_recovery.agent.method.guarded.durable import make_durable
from pgpool_recovery.agent.method.guarded.guard import lower_guard
from pgpool_recovery.agent.method.guarded.removal import remove_unsent
from pgpool_recovery.agent.method.guarded.tablespace import Tablespaces, unlink_gone
from pgpool_recovery.domain.data_directory import BACKUP_LABEL, STANDBY_SIGNAL
from pgpool_recovery.files.write import write_file


def commit(
    contents: Contents,
    tablespaces: Tablespaces,
    files: Iterable[Path],
    label: str,
    tick: Callable[[], None],
) -> None:
    """Remove what was not sent, sync everything to disk, and let a standby start in the directory.

    `files` are those that may not be on disk yet. `tick` is called in between, and may raise to end
    it: another run goes on then.
    """
    directory = contents.data_directory
    remove_unsent(contents, tick)
    unlink_gone(directory, tablespaces)
    make_durable(files, contents.directories, tick)
    write_file(directory / BACKUP_LABEL, label, mode=file_mode(directory))
    # Without this file it would become an independent primary.
    write_file(directory / STANDBY_SIGNAL, "", mode=file_mode(directory))
    lower_guard(directory)
