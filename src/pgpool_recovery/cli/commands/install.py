"""install and uninstall: the extension's files and the stage commands."""

from pathlib import Path

from pgpool_recovery.cli.stage import say
from pgpool_recovery.config.load import DEFAULT_FILE, load_settings, settings_file
from pgpool_recovery.domain.error import Refused, UsageError
from pgpool_recovery.install.extension import Installation, extension_files, find_installations
from pgpool_recovery.install.placed_file import PlacedFile, place, take_away
from pgpool_recovery.install.stage_commands import stage_commands

NEXT_STEP = """\
Next, in the database where Pgpool-II calls the functions (up to Pgpool-II 4.6 it is template1, from
4.7 on recovery_database in pgpool.conf, by default postgres):
    CREATE EXTENSION pgpool_recovery;                where it is new
    ALTER EXTENSION pgpool_recovery UPDATE;          where the stock one is"""


def install(
    *,
    pg_config: list[Path] | None = None,
    data_directory: list[Path] | None = None,
    config: Path | None = None,
    dry_run: bool = False,
) -> None:
    """Install the extension's files, or the stage commands of a data directory.

    Without options the extension goes to every PostgreSQL server found on this host; that takes
    root. What stands in the place of a file is kept beside it, and comes back with uninstall.

    Parameters
    ----------
    pg_config
        The pg_config of a server to install the extension for. Can be given more than once.
    data_directory
        A data directory to install recovery_1st_stage, recovery_2nd_stage, pgpool_remote_start,
        pgpool_recovery_plan and pgpool_recovery_check in; run it as the owner of the directory.
        Can be given more than once.
    config
        The settings file that these stage commands read, in place of /etc/pgpool-recovery.toml.
        By default the one that PGPOOL_RECOVERY_CONFIG names now, if it does.
    dry_run
        Say what would be done, and do nothing.
    """
    if config is not None and not data_directory:
        raise UsageError("--config is for stage commands", hint="Name a --data-directory too.")
    file = settings_file(config)
    if data_directory:
        load_settings(file)  # Its complaints are better read now.
    installations = _installations(pg_config, data_directory)
    for installation in installations:
        if not installation.has_python:
            say(
                f"warning: PostgreSQL {installation.major} has no PL/Python, which the extension "
                f"needs: install the package {installation.python_packages}"
            )
    for each in _files(installations, data_directory, file):
        say(place(each, dry_run=dry_run))
    if installations and not dry_run:
        say(NEXT_STEP)


def uninstall(
    *,
    pg_config: list[Path] | None = None,
    data_directory: list[Path] | None = None,
    dry_run: bool = False,
) -> None:
    """Remove what install put in place, and restore what stood there before.

    Databases that have the extension keep it, and it goes on working; drop it there first if you
    do not want it any more.

    Parameters
    ----------
    pg_config
        The pg_config of a server to remove the extension's files from.
    data_directory
        A data directory to remove the stage commands from.
    dry_run
        Say what would be done, and do nothing.
    """
    done = [
        take_away(file, dry_run=dry_run)
        for file in _files(_installations(pg_config, data_directory), data_directory)
    ]
    for what in filter(None, done):
        say(what)
    if not any(done):
        say("nothing is installed there")


def _installations(
    pg_config: list[Path] | None, data_directory: list[Path] | None
) -> list[Installation]:
    """Return the servers that are meant: those named, or all unless only a directory is named."""
    if data_directory and not pg_config:
        return []
    found = find_installations(pg_config or [])
    if not found:
        raise Refused(
            "no PostgreSQL server was found on this host", hint="Name one with --pg-config."
        )
    return found


def _files(
    installations: list[Installation],
    data_directory: list[Path] | None,
    settings: Path = DEFAULT_FILE,
) -> list[PlacedFile]:
    named = None if settings == DEFAULT_FILE else settings.absolute()
    files = [file for installation in installations for file in extension_files(installation)]
    return files + [file for each in data_directory or [] for file in stage_commands(each, named)]
