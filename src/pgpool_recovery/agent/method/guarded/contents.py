"""What a data directory will consist of: what was sent, and where each part of it is."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from pgpool_recovery.domain.data_directory import LINKS, REPLACED
from pgpool_recovery.domain.error import Refused
from pgpool_recovery.host.pidfile import read_pid_file

LINK_PATTERN = re.compile(rf"{LINKS}/([0-9]+)")


@dataclass
class Contents:
    """The contents of a data directory, while they arrive.

    Paths are relative to the data directory, as in a manifest. Tablespaces are written through
    their own directories, never through a link. `directories` are those that were changed.
    """

    data_directory: Path
    version_directory: str
    tablespaces: dict[int, Path]
    paths: set[str] = field(default_factory=set)
    directories: set[Path] = field(default_factory=set)
    files_removed: int = 0

    @property
    def directory_mode(self) -> int:
        """The mode of new directories: the group may read if it may read the data directory."""
        return 0o700 | (self.data_directory.stat().st_mode & 0o050)

    def place(self, path: str) -> Path:
        """Return where a path of the data directory really is."""
        match = LINK_PATTERN.match(path)
        if match is None:
            return self.data_directory / path
        return self.tablespaces[int(match[1])] / path[match.end() + 1 :]

    def make_directory(self, directory: Path) -> None:
        """Make a directory unless it is there, perhaps as a link to one, as pg_wal often is."""
        if not directory.is_dir():
            directory.mkdir()
            directory.chmod(self.directory_mode)
        self.directories.update((directory, directory.parent))

    def tops(self) -> Iterator[tuple[str, Path]]:
        """Yield each directory that is replaced as a whole: its path here, and where it is."""
        for name in REPLACED:
            yield name, self.data_directory / name
        for oid, location in self.tablespaces.items():
            path = f"{LINKS}/{oid}/{self.version_directory}"
            yield path, location / self.version_directory


def check_directory(directory: Path) -> None:
    """Raise Refused for a directory that must not be written: in use, or with parts elsewhere."""
    if read_pid_file(directory) is not None:
        raise Refused(f"a server is running in {directory}", hint="Stop it first.")
    for name in REPLACED:
        if (directory / name).is_symlink():
            raise Refused(
                f"{directory / name} is a symbolic link",
                hint="Replace the link by the directory itself, or make a full copy.",
            )
