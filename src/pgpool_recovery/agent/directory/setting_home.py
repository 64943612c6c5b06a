"""Where the settings of a standby are written: where the scripts of others write theirs.

``postgresql.auto.conf`` wins over every other file. A script that comes after us and writes
elsewhere, as those of Pgpool-II's samples write ``myrecovery.conf``, would write in vain: its
standby would go on following a primary that is gone. So our settings stand where the node has its
own already, or where the samples have them, and nowhere else: whoever writes last wins, and who
goes back to his scripts has nothing to take away. Only where that cannot be had, say where
postgresql.conf is none of the node's files, is it ``postgresql.auto.conf``.
"""

import os
import stat
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from pgpool_recovery.agent.directory.configuration import (
    AUTO_CONFIGURATION,
    find_configuration,
    read_configuration_file,
    replace_auto,
    with_settings,
    without_settings,
)
from pgpool_recovery.agent.directory.modes import file_mode
from pgpool_recovery.domain.record import record
from pgpool_recovery.files.text import lines_of
from pgpool_recovery.files.write import replace_file, write_file
from pgpool_recovery.host.file_access import is_fixed
from pgpool_recovery.host.setting_source import LINE, Sources, find_sources
from pgpool_recovery.host.stop import Stop

MAIN = "postgresql.conf"
SAMPLES_FILE = "myrecovery.conf"
"""The name that Pgpool-II's sample scripts have for it, in the data directory."""
INCLUDE = f"include_if_exists = '{SAMPLES_FILE}'"
LEADS = "primary_conninfo"
IDENTITY = ("port",)
"""Of a node, not of its primary: scripts write it to postgresql.conf itself."""


@record
class Home:
    """The files of one data directory, which may still be on its way to its place."""

    directory: Path
    place: Path
    """Where the data directory is when a server reads its files."""
    main: Path | None = None
    """postgresql.conf where it is in no data directory."""

    def sources(self, *, auto: bool = True) -> Sources:
        """Read what the server would read."""
        files = [self._main, *([self.directory / AUTO_CONFIGURATION] if auto else [])]
        return find_sources(files, self._now_at)

    def files(self) -> tuple[Path, ...]:
        """Return all the files that write() may change, whether they are there or not."""
        found = [self.directory / AUTO_CONFIGURATION]
        file = self._file_for_leading(self.sources(auto=False))
        if file is not None:
            found += [file]
        if self._is_own(self._main):
            found += [self._main]
        return tuple(dict.fromkeys(found))

    def write(self, settings: Mapping[str, str]) -> Path:
        """Write the settings of a standby where they are in force; return the file.

        In an order in which the old ones are in force until all of the new ones stand there. What
        is only overridden with an empty value stays: somebody may want it back.
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
        """Take settings out of the node's files, wherever they stand in those."""
        wanted = list(names)
        for file in self.sources().files:
            text = read_configuration_file(file) if self._is_own(file) else None
            if text is not None and not _settings_of(text).isdisjoint(wanted):
                _put(file, _joined(without_settings(text, wanted)))

    def value(self, name: str) -> str | None:
        """Return the value of a setting as it stands last in the files; None: nowhere."""
        found = self.sources().settings.get(name)
        return None if found is None else found.text

    def file_of(self, name: str) -> Path | None:
        """Return the file in which a setting stands last; None: nowhere."""
        return _file_of(self.sources(), name)

    def _now_at(self, path: Path) -> Path:
        """Return where a file is now that the configuration names by its future place.

        The directory may be on its way within that place, where it is a mount point.
        """
        if not path.is_relative_to(self.directory) and path.is_relative_to(self.place):
            return self.directory / path.relative_to(self.place)
        return path

    @property
    def _main(self) -> Path:
        return self.directory / MAIN if self.main is None else self.main

    def _file_for_leading(self, sources: Sources) -> Path | None:
        """Return the file in which what leads the standby is to stand; None: auto's."""
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
        """Say whether a file is one of the data directory that we may replace by another.

        What is a link, or belongs to somebody else, or has the attribute "immutable" or "append
        only", somebody else takes care of.
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
        """Write to postgresql.auto.conf, at once, what is left for it; take out what is not."""
        auto = self.directory / AUTO_CONFIGURATION
        text = read_configuration_file(auto) or ""
        out = {name for name, value in settings.items() if value}
        if rest or not _settings_of(text).isdisjoint(out):
            replace_auto(auto, with_settings(_joined(without_settings(text, out)), rest))

    def _won(self, file: Path | None, settings: Mapping[str, str]) -> Iterator[str]:
        """Yield those settings of a file that no other file wins over.

        A line of postgresql.auto.conf itself does not when it is going to be taken out of there.
        """
        main, whole = self.sources(auto=False), self.sources()
        if file is None or not whole.is_whole:
            return
        for name, value in settings.items():
            lasts = {file, self.directory / AUTO_CONFIGURATION} if value else {file}
            if _file_of(whole, name) in lasts and _file_of(main, name) == file:
                yield name


def home_of(directory: Path, place: Path, stop: Stop) -> Home:
    """Return the files of a data directory, which is or becomes `place`."""
    if (directory / MAIN).exists():
        return Home(directory, place)
    found = find_configuration(place, stop)
    return Home(directory, place, None if found is None or found[1] else found[0])


def put_back(file: Path, text: str) -> None:
    """Give a file the text that it had, and leave it its mode."""
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
    """Write settings to the end of a file, and take earlier values of them out."""
    _put(file, with_settings(read_configuration_file(file) or "", settings))


def _append(file: Path, line: str) -> None:
    _put(file, _joined([*lines_of(read_configuration_file(file) or ""), line]))


def _put(file: Path, text: str) -> None:
    """Put another file in the place of one, with its mode, and its group where we are in that.

    The settings may hold a password, and who reads a file that has them is the node's choice. A new
    one is as the server's own. While it grows it has a name that base backups and pg_rewind leave
    out (PG_TEMP_FILE_PREFIX), and that no include_dir reads.
    """
    growing = f"pgsql_tmp.{file.name}.new"
    try:
        replace_file(file, text, growing=growing)
    except FileNotFoundError:
        write_file(file, text, mode=file_mode(file.parent), growing=growing)
