"""install and uninstall: the files of the extensions, the stage commands, pgpool.conf."""

from collections.abc import Sequence
from pathlib import Path

from pgpool_recovery.cli.consent import ask
from pgpool_recovery.cli.say import say
from pgpool_recovery.cli.try_hooks import try_hooks
from pgpool_recovery.config.load import DEFAULT_FILE, load_settings, settings_file
from pgpool_recovery.config.own_command import own_command
from pgpool_recovery.domain.error import Refused, UsageError
from pgpool_recovery.hooks.call import WORDS
from pgpool_recovery.install.extension import Installation, extension_files, find_installations
from pgpool_recovery.install.left_behind import left_behind
from pgpool_recovery.install.package_list import package_of
from pgpool_recovery.install.pgpool_conf import change_of, restore, write
from pgpool_recovery.install.placed_file import INSTALL, WOULD, PlacedFile, place, take_away
from pgpool_recovery.install.stage_commands import stage_commands

NEXT_STEP = """\
Next, in the database where Pgpool-II calls the functions (template1 up to Pgpool-II 4.6; from 4.7
on the recovery_database of pgpool.conf, which is postgres by default):
    CREATE EXTENSION pgpool_recovery;                if it is new there
    ALTER EXTENSION pgpool_recovery UPDATE;          if the stock one is there
Do the same for pgpool_adm and pgpool_regclass in the databases that use them."""


def install(
    *,
    pg_config: Sequence[Path] = (),
    data_directory: Sequence[Path] = (),
    pgpool_conf: Path | None = None,
    without_hooks: bool = False,
    config: Path | None = None,
    yes: bool = False,
    dry_run: bool = False,
) -> None:
    """Install the files of the extensions, the stage commands, or the settings of pgpool.conf."""
    if config is not None and not data_directory and pgpool_conf is None:
        raise UsageError(
            "--config applies to stage commands and hooks only",
            hint="Add --data-directory or --pgpool-conf.",
        )
    if without_hooks and pgpool_conf is None:
        raise UsageError("--without-hooks applies to pgpool.conf only", hint="Add --pgpool-conf.")
    file = settings_file(config)
    if data_directory or pgpool_conf is not None:
        load_settings(file)  # Errors in it are better reported now than at the first recovery.
    if pgpool_conf is not None:
        _write_lines(pgpool_conf, file, yes=yes, dry_run=dry_run, with_hooks=not without_hooks)
    has_named = bool(data_directory) or pgpool_conf is not None
    installations = _installations(pg_config, has_named=has_named)
    for installation in installations:
        if not installation.has_python:
            say(
                f"warning: PostgreSQL {installation.major} has no PL/Python, which the extensions "
                f"need; install the package {installation.python_packages}"
            )
    for each in _files(_without_packages(installations), data_directory, file):
        say(place(each, dry_run=dry_run))
    if installations and not dry_run:
        say(*NEXT_STEP.split("\n"))


def uninstall(
    *,
    pg_config: Sequence[Path] = (),
    data_directory: Sequence[Path] = (),
    pgpool_conf: Path | None = None,
    dry_run: bool = False,
) -> None:
    """Remove what install put in place."""
    has_named = bool(data_directory) or pgpool_conf is not None
    installations = _installations(pg_config, has_named=has_named)
    others = _without_packages(installations)
    done = [
        take_away(file, dry_run=dry_run)
        for file in _files(others, data_directory, verb="uninstall")
    ]
    if pgpool_conf is not None:
        done.append(restore(pgpool_conf, dry_run=dry_run))
    for what in filter(None, done):
        say(what)
    for each in data_directory:
        for line in left_behind(each.absolute()):
            say(line)
    if not any(done) and len(others) == len(installations):
        say("nothing is installed there")


def _write_lines(
    pgpool_conf: Path, settings: Path, *, yes: bool, dry_run: bool, with_hooks: bool
) -> None:
    """Show the lines for pgpool.conf, ask for confirmation, and write them."""
    change = change_of(pgpool_conf, own_command(), _named(settings), WORDS, with_hooks=with_hooks)
    if change.after == change.before:
        say(f"{pgpool_conf} already has these lines")
        if with_hooks and not dry_run:
            try_hooks(own_command(), _named(settings))
        return
    say(f"{WOULD if dry_run else ''}at the end of {pgpool_conf}:")
    for line in change.lines:
        say(f"    {line}")
    for line in change.replaced:
        say(f"commented out there: {line.strip()}")
    if dry_run:
        return
    ask(f"Write these lines to {pgpool_conf}?", f"the change of {pgpool_conf}", yes=yes)
    write(pgpool_conf, change.after)
    say(f"{pgpool_conf} written; reload Pgpool-II")
    if with_hooks:
        try_hooks(own_command(), _named(settings))


def _named(settings: Path) -> Path | None:
    return None if settings == DEFAULT_FILE else settings.absolute()


def _installations(pg_config: Sequence[Path], *, has_named: bool) -> list[Installation]:
    """Return the servers that were named; all of them when nothing was named at all."""
    if has_named and not pg_config:
        return []
    found = find_installations(pg_config)
    if not found:
        raise Refused(
            "no PostgreSQL server was found on this host", hint="Specify one with --pg-config."
        )
    return found


def _without_packages(installations: list[Installation]) -> list[Installation]:
    """Return the servers whose extension files belong to no package; name the package of others."""
    others = []
    for installation in installations:
        package = package_of(file.path for file in extension_files(installation))
        if package is None:
            others.append(installation)
        else:
            directory = installation.share_directory / "extension"
            say(f"the extensions' files in {directory} belong to package {package}: left alone")
    return others


def _files(
    installations: list[Installation],
    data_directory: Sequence[Path],
    settings: Path = DEFAULT_FILE,
    verb: str = INSTALL,
) -> list[PlacedFile]:
    files = [file for installation in installations for file in extension_files(installation)]
    return files + [
        file
        for each in data_directory
        for file in stage_commands(each.absolute(), _named(settings), verb)
    ]
