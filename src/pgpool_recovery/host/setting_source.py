"""In which line of which configuration file a setting stands, as guc-file.l reads them."""

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from pgpool_recovery.files.text import read_lines

MAX_DEPTH = 10
"""As CONF_FILE_MAX_DEPTH (src/include/utils/conffiles.h)."""
LINE = re.compile(
    r"\s*([A-Za-z_][\w$.]*)\s*(?:=\s*|\s+|$)('(?:[^'\\]|''|\\.)*'|[^\s#]*)",
    re.ASCII,
)
INCLUDES = ("include", "include_if_exists", "include_dir")


@dataclass
class Sources:
    """Where settings stand: the last place of each, and what stands there.

    `is_whole`: every included file was found and read, so that a setting which is not among them
    stands nowhere. What the values are only the server itself says.
    """

    places: dict[str, str] = field(default_factory=dict)
    texts: dict[str, str] = field(default_factory=dict)
    is_whole: bool = True


def find_sources(files: Iterable[Path]) -> Sources:
    """Return what stands in these files, and in those that they include."""
    found = Sources()
    for file in files:
        _read(file, found, 0, may_be_missing=True)
    return found


def _read(file: Path, found: Sources, depth: int, *, may_be_missing: bool) -> None:
    try:
        lines = read_lines(file)
    except OSError as error:
        is_missing = isinstance(error, FileNotFoundError) and may_be_missing
        found.is_whole = found.is_whole and is_missing
        return
    for number, line in enumerate(lines, start=1):
        match = LINE.match(line)
        if match is None:
            continue
        name = match[1].lower()
        found.places[name] = f"{file}:{number}"
        found.texts[name] = plain(match[2])
        if name in INCLUDES:
            _include(name, match[2], file, found, depth + 1)


def _include(name: str, value: str, file: Path, found: Sources, depth: int) -> None:
    text = plain(value)
    path = file.parent / text
    if depth > MAX_DEPTH or "\\" in text:
        found.is_whole = False
    elif name == "include_dir":
        try:
            files = included_files(path)
        except OSError:
            found.is_whole = False
            return
        for one in files:
            _read(one, found, depth, may_be_missing=False)
    else:
        _read(path, found, depth, may_be_missing=name == "include_if_exists")


def plain(value: str) -> str:
    r"""Return a value as it stands in a line, without its quotes and what they escape.

    >>> plain("'it''s'"), plain(r"'a \\ b'"), plain("on")
    ("it's", 'a \\ b', 'on')
    """
    if value[:1] != "'":
        return value
    return value.removeprefix("'").removesuffix("'").replace("''", "'").replace("\\\\", "\\")


def included_files(directory: Path) -> list[Path]:
    """Return the files that include_dir reads, as GetConfFilesInDir; raises OSError."""
    return [
        entry
        for entry in sorted(directory.iterdir())
        if entry.name.endswith(".conf") and not entry.name.startswith(".") and not entry.is_dir()
    ]
