"""Choose the file for the settings of a standby: the one to which other scripts write theirs.

``postgresql.auto.conf`` overrides every other file. A script that runs after us and writes to
another file would have no effect, such as Pgpool-II's samples, which write ``myrecovery.conf``:
its standby would go on following a primary that is gone. So our settings go where the node already
has its own, or where the samples put them, and nowhere else. The last writer wins, and users who go
back to their own scripts have nothing to clean up. ``postgresql.auto.conf`` is used only where that
is not possible, for example because postgresql.conf is not one of the node's own files.
"""

import os
import stat
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from pgpool_recovery.agent.directory.configuration import (
    find_configuration,
    read_configuration_file,
    replace_auto,
    with_settings,
    without_settings,
)
from pgpool_recovery.agent.directory.modes import file_mode
from pgpool_recovery.domain.data_directory import AUTO_CONFIGURATION
from pgpool_recovery.domain.record import record
from pgpool_recovery.files.text import lines_of
from pgpool_recovery.files.write import replace_file, write_file
from pgpool_recovery.host.file_access import is_fixed
from pgpool_recovery.host.setting_source import LINE, Sources, find_sources
from pgpool_recovery.host.stop import Stop

MAIN = "postgresql.conf"
SAMPLES_FILE = "myrecovery.conf"
"""The name that Pgpool-II's sample scripts use for it, in the data directory."""
INCLUDE = f"include_if_exists = '{SAMPLES_FILE}'"
LEADS = "primary_conninfo"
IDENTITY = ("port",)
"""Settings of a node, not of its primary: scripts write them to postgresql.conf itself."""


@record
class Home:
    """The configuration files of one data directory, which may not be in its place yet."""

    directory: Path
    place: Path
    """Where the data directory is when a server reads its files."""
    main: Path | None = None
    """postgresql.conf, if it is outside of the data directory."""

    def sources(self, *, auto: bool = True) -> Sources:
        """Read what the server would read."""
        files = [self._main, *([self.directory / AUTO_CONFIGURATION] if auto else [])]
        return find_sources(files, self._now_at)

    def files(self) -> tuple[Path, ...]:
        """Return all files that write() may change, whether or not they exist."""
        found = [self.directory / AUTO_CONFIGURATION]
        file = self._file_for_leading(self.sources(auto=False))
        if file is not None:
            found += [file]
        if self._is_own(self._main):
            found += [self._main]
        return tuple(dict.fromkeys(found))

    def write(self, settings: Mapping[str, str]) -> Path:
        """Write the settings of a standby where they take effect; return the file.

        The order keeps the old ones in effect until all of the new ones are written. A line that is
        only overridden with an empty value stays, because a user may want it back.
        """
        leading = {name: value for name, value in settings.items() if name not in IDENTITY}
        identity = {name: value for name, value in settings.items() if name in IDENTITY}
        sources = self.sources(auto=False)
        file = self._file_for_leading(sources)
        if file is not None and leading:
            _replace_settings(file, leading)
            if file not in sources.files:
                _append(self._main, INCLUDE)
        main = self._main if self._is_own(self._main) else None
        if identity and main is not None:
            _replace_settings(main, identity)
        ours = {*self._won(file, leading), *self._won(main, identity)}
        rest = {name: value for name, value in settings.items() if name not in ours}
        self._write_auto(settings, rest)
        return self.directory / AUTO_CONFIGURATION if file is None or LEADS in rest else file

    def take_out(self, names: Iterable[str]) -> None:
        """Remove settings from all of the node's own files."""
        wanted = list(names)
        for file in self.sources().files:
            text = read_configuration_file(file) if self._is_own(file) else None
            if text is not None and not _settings_of(text).isdisjoint(wanted):
                _put(file, _joined(without_settings(text, wanted)))

    def value(self, name: str) -> str | None:
        """Return the last value of a setting in the files; None if it is in none of them."""
        found = self.sources().settings.get(name)
        return None if found is None else found.text

    def file_of(self, name: str) -> Path | None:
        """Return the file with the last value of a setting; None if it is in none of them."""
        return _file_of(self.sources(), name)

    def _now_at(self, path: Path) -> Path:
        """Return where a file is at present that the configuration names by its future path.

        If the place is a mount point, the directory may already be below it, in the workspace.
        """
        if not path.is_relative_to(self.directory) and path.is_relative_to(self.place):
            return self.directory / path.relative_to(self.place)
        return path

    @property
    def _main(self) -> Path:
        return self.directory / MAIN if self.main is None else self.main

    def _file_for_leading(self, sources: Sources) -> Path | None:
        """Return the file for what points a standby at its primary; None: postgresql.auto.conf."""
        if not sources.is_whole:
            return None
        has_it = _file_of(sources, LEADS)
        if has_it is not None and self._is_own(has_it):
            return has_it
        samples = self.directory / SAMPLES_FILE
        may_be = self._is_own(samples) or not _is_there(samples)
        if has_it is None and samples in sources.files and may_be:
            return samples
        return samples if may_be and self._is_own(self._main) else None

    def _is_own(self, file: Path) -> bool:
        """Return whether a file is in the data directory and may be replaced by us.

        A link, a file of another user, and one with the attribute "immutable" or "append only" are
        managed by someone else.
        """
        try:
            inside = file.parent.resolve() / file.name
            is_inside = inside.is_relative_to(self.directory.resolve())
            status = file.lstat()
            fixed = [one for one in (inside, inside.parent) if is_fixed(str(one), one.lstat())]
        except OSError:
            return False
        if not is_inside or fixed:
            return False
        is_regular = stat.S_ISREG(status.st_mode) and bool(status.st_mode & stat.S_IWUSR)
        return is_regular and status.st_uid == os.geteuid() and os.access(file.parent, os.W_OK)

    def _write_auto(self, settings: Mapping[str, str], rest: Mapping[str, str]) -> None:
        """Write `rest` to postgresql.auto.conf, and remove the other `settings`, in one write."""
        auto = self.directory / AUTO_CONFIGURATION
        text = read_configuration_file(auto) or ""
        out = {name for name, value in settings.items() if value}
        if rest or not _settings_of(text).isdisjoint(out):
            replace_auto(auto, with_settings(_joined(without_settings(text, out)), rest))

    def _won(self, file: Path | None, settings: Mapping[str, str]) -> Iterator[str]:
        """Yield those settings of a file that no other file overrides.

        A line of postgresql.auto.conf does not count if it is about to be removed from there.
        """
        main, whole = self.sources(auto=False), self.sources()
        if file is None or not whole.is_whole:
            return
        for name, value in settings.items():
            lasts = {file, self.directory / AUTO_CONFIGURATION} if value else {file}
            if _file_of(whole, name) in lasts and _file_of(main, name) == file:
                yield name


def home_of(directory: Path, place: Path, stop: Stop) -> Home:
    """Return the files of a data directory that is or becomes `place`."""
    if (directory / MAIN).exists():
        return Home(directory, place)
    found = find_configuration(place, stop)
    return Home(directory, place, None if found is None or found[1] else found[0])


def put_back(file: Path, text: str) -> None:
    """Restore the former text of a file; keep its mode."""
    _put(file, text)


def _settings_of(text: str) -> set[str]:
    return {match[1].lower() for match in filter(None, map(LINE.match, lines_of(text)))}


def _joined(lines: Iterable[str]) -> str:
    return "".join(f"{line}\n" for line in lines)


def _file_of(sources: Sources, name: str) -> Path | None:
    found = sources.settings.get(name)
    return None if found is None else found.file


def _is_there(path: Path) -> bool:
    return os.path.lexists(path)


def _replace_settings(file: Path, settings: Mapping[str, str]) -> None:
    """Write settings to the end of a file and remove earlier values of them."""
    _put(file, with_settings(read_configuration_file(file) or "", settings))


def _append(file: Path, line: str) -> None:
    _put(file, _joined([*lines_of(read_configuration_file(file) or ""), line]))


def _put(file: Path, text: str) -> None:
    """Replace a file by another with its mode, and with its group if we are a member of that.

    The settings may contain a password, and which users may read the file is the node's choice. A
    file that did not exist gets the mode that the server would use. While it is written it has a
    name that base backups and pg_rewind leave out (PG_TEMP_FILE_PREFIX) and no include_dir reads.
    """
    growing = f"pgsql_tmp.{file.name}.new"
    try:
        replace_file(file, text, growing=growing)
    except FileNotFoundError:
        write_file(file, text, mode=file_mode(file.parent), growing=growing)
