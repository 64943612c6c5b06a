"""Zip files whose bytes depend only on what is in them, not on when, where or by whom."""

import io
import time
import zipfile

from packages.tree import File, Tree

EARLIEST = 315532800
"""1980-01-01, where the clock of the zip format begins (Unix)."""
REGULAR = 0o100000


def archive_of(tree: Tree, when: int, before: bytes = b"") -> bytes:
    """Return a zip file of a tree's files, in that order, with what comes before it, as a script.

    The names are the paths without their first slash, and every file has the time `when` (Unix),
    which is written in UTC and in steps of two seconds. Raises TypeError for a link.
    """
    moment = time.gmtime(max(when, EARLIEST))[:6]
    written = io.BytesIO()
    written.write(before)
    with zipfile.ZipFile(written, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        for path, entry in tree.items():
            if not isinstance(entry, File):
                raise TypeError(f"{path} is a link")
            about = zipfile.ZipInfo(path.lstrip("/"), moment)
            about.create_system = 3  # Unix: else the modes mean nothing.
            about.external_attr = (REGULAR | entry.mode) << 16
            about.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(about, entry.contents)
    return written.getvalue()


def members(archive: bytes) -> dict[str, bytes]:
    """Return the files of a zip file, from their names."""
    with zipfile.ZipFile(io.BytesIO(archive)) as opened:
        return {name: opened.read(name) for name in opened.namelist() if not name.endswith("/")}
