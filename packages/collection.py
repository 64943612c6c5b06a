"""The collection for Ansible, as `ansible-galaxy collection build` makes it, with the same bytes.

The tool itself writes the time of the build into the archive. tests/ansible compares the two.
"""

import gzip
import hashlib
import io
import json
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from packages.project import ROOT, source_date
from packages.tree import File, Tree

SOURCE = ROOT / "ansible"
ABOUT = "galaxy.yml"
MANIFEST, FILES = "MANIFEST.json", "FILES.json"
FORMAT = 1
NOT_GIVEN = ("license_file", "documentation", "homepage", "issues")
DIRECTORY_MODE = 0o755


def build(wheels: Path, into: Path) -> Path:
    """Write the archive and return its path; `wheels` are those of every part of a release."""
    del wheels  # Nothing in it comes from them.
    about = read_about((SOURCE / ABOUT).read_text())
    path = into / f"{about['namespace']}-{about['name']}-{about['version']}.tar.gz"
    path.write_bytes(archive_of(about, contents(SOURCE), source_date()))
    return path


def read_about(text: str) -> dict[str, Any]:
    """Return what galaxy.yml says, whose values are JSON, one in each line.

    >>> read_about('---\\n# A comment.\\nname: "cluster"\\ntags: ["a"]\\n')
    {'name': 'cluster', 'tags': ['a']}
    """
    lines = (line for line in text.splitlines() if line and not line.startswith(("#", "---")))
    pairs = (line.split(": ", 1) for line in lines)
    return {name: json.loads(value) for name, value in pairs}


def contents(source: Path) -> Tree:
    """Return the files of the collection, from their paths in it."""
    return {
        str(path.relative_to(source)): File(path.read_bytes())
        for path in sorted(source.rglob("*"))
        if path.is_file() and path.name != ABOUT and "__pycache__" not in path.parts
    }


def archive_of(about: dict[str, Any], tree: Tree, when: int) -> bytes:
    """Return the tar file, compressed, in which everything has the time `when` (Unix)."""
    files = _json({"files": list(_entries(tree)), "format": FORMAT})
    manifest = {
        "collection_info": {**about, **dict.fromkeys(NOT_GIVEN)},
        "file_manifest_file": _entry(FILES, hashlib.sha256(files).hexdigest()),
        "format": FORMAT,
    }
    written = io.BytesIO()
    with (
        gzip.GzipFile(fileobj=written, mode="wb", filename="", mtime=when) as compressed,
        tarfile.open(fileobj=compressed, mode="w", format=tarfile.PAX_FORMAT) as archive,
    ):
        for name, data in ((MANIFEST, _json(manifest)), (FILES, files)):
            archive.addfile(_member(name, when, len(data)), io.BytesIO(data))
        for name in _directories(tree):
            directory = _member(name, when)
            directory.type, directory.mode = tarfile.DIRTYPE, DIRECTORY_MODE
            archive.addfile(directory)
        for name, data in _files(tree):
            archive.addfile(_member(name, when, len(data)), io.BytesIO(data))
    return written.getvalue()


def _entries(tree: Tree) -> Iterator[dict[str, Any]]:
    """Yield what FILES.json says of everything in it."""
    for name in (".", *_directories(tree)):
        yield _entry(name, None)
    for name, data in _files(tree):
        yield _entry(name, hashlib.sha256(data).hexdigest())


def _entry(name: str, checksum: str | None) -> dict[str, Any]:
    return {
        "name": name,
        "ftype": "dir" if checksum is None else "file",
        "chksum_type": None if checksum is None else "sha256",
        "chksum_sha256": checksum,
        "format": FORMAT,
    }


def _directories(tree: Tree) -> list[str]:
    parents = {str(parent) for path in tree for parent in Path(path).parents}
    return sorted(parents - {"."})


def _files(tree: Tree) -> Iterator[tuple[str, bytes]]:
    for name, entry in sorted(tree.items()):
        if not isinstance(entry, File):
            raise TypeError(f"{name} is a link")
        yield name, entry.contents


def _member(name: str, when: int, size: int = 0) -> tarfile.TarInfo:
    member = tarfile.TarInfo(name)
    member.mtime, member.size, member.mode = when, size, 0o644
    return member


def _json(value: object) -> bytes:
    return json.dumps(value, indent=1).encode()
