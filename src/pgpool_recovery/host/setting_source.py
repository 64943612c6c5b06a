"""Find the file and line of each setting by reading configuration files like guc-file.l."""

import os
import re
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import NamedTuple

from pgpool_recovery.files.text import read_lines

MAX_DEPTH = 10
"""The same as CONF_FILE_MAX_DEPTH (src/include/utils/conffiles.h)."""
MAX_FILES = 1000
"""More files than any server has; files that include each other would be read repeatedly."""
BLANKS = " \t\r"
"""What guc-file.l treats as white space; it treats characters beyond ASCII as letters."""
LINE = re.compile(
    rf"[{BLANKS}]*([A-Za-z_\x80-\U0010FFFF][\w$.\x80-\U0010FFFF]*)[{BLANKS}]*(?:=[{BLANKS}]*)?"
    r"('(?:[^'\\]|''|\\.)*'|[^\s#]*)",
    re.ASCII,
)
"""A name and its value. Neither white space nor "=" is needed before a quoted or signed value."""
INCLUDES = ("include", "include_if_exists", "include_dir")


class SettingSource(NamedTuple):
    """The file and line of a setting, and its value without quotes."""

    file: Path
    line: int
    text: str

    def __str__(self) -> str:
        return f"{self.file}:{self.line}"


class Sources:
    """What a server would read: its files, including missing ones, and the last source per setting.

    With `is_whole`, every included file was found and read and every line was understood, so a
    setting that is not in `settings` is in no file. The effective values are known only to the
    server itself.
    """

    def __init__(self) -> None:
        self.settings: dict[str, SettingSource] = {}
        self.files: list[Path] = []
        self.is_whole = True


def find_sources(files: Iterable[Path], at: Callable[[Path], Path] = Path) -> Sources:
    """Return the settings in these files, and in those that they include; all files may be missing.

    `at` returns where an included file is at present, for a path in an include directive.
    """
    found = Sources()
    for file in files:
        _read(file, found, 0, at, may_be_missing=True)
    return found


def _read(
    file: Path, found: Sources, depth: int, at: Callable[[Path], Path], *, may_be_missing: bool
) -> None:
    if depth > MAX_DEPTH or len(found.files) >= MAX_FILES:
        found.is_whole = False
        return
    found.files.append(file)
    try:
        lines = read_lines(file)
    except OSError as error:
        is_missing = isinstance(error, FileNotFoundError) and may_be_missing
        found.is_whole = found.is_whole and is_missing
        return
    for number, line in enumerate(lines, start=1):
        match = LINE.match(line)
        if match is None:
            found.is_whole = found.is_whole and line.strip(BLANKS)[:1] in ("", "#")
            continue
        name, text = match[1].lower(), plain(match[2])
        if name not in INCLUDES:
            found.settings[name] = SettingSource(file, number, text)
            continue
        may_be_missing = name == "include_if_exists"
        for one in _included(name, at(Path(os.path.normpath(file.parent / text))), found):
            _read(one, found, depth + 1, at, may_be_missing=may_be_missing)


def _included(name: str, path: Path, found: Sources) -> list[Path]:
    """Return the files that a line includes; a path with an escape sequence is not resolved."""
    if "\\" not in str(path):
        try:
            return included_files(path) if name == "include_dir" else [path]
        except OSError:
            pass
    found.is_whole = False
    return []


def plain(value: str) -> str:
    r"""Return a value of a configuration line without its quotes and the escapes in them.

    >>> plain("'it''s'"), plain(r"'a \\ b'"), plain("on")
    ("it's", 'a \\ b', 'on')
    """
    if value[:1] != "'":
        return value
    return value.removeprefix("'").removesuffix("'").replace("''", "'").replace("\\\\", "\\")


def included_files(directory: Path) -> list[Path]:
    """Return the files that include_dir reads, like GetConfFilesInDir; raise OSError."""
    return [
        entry
        for entry in sorted(directory.iterdir())
        if entry.name.endswith(".conf") and not entry.name.startswith(".") and not entry.is_dir()
    ]
