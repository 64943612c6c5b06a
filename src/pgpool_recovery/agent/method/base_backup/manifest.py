"""Check what arrived against the manifest that the server sends at the end of a base backup.

The manifest is read line by line as it arrives, because it names every file; the server writes a
line for each (backup-manifest-format.html, backup_manifest.c). It is also written to the copy, as
pg_basebackup does, so that pg_verifybackup can check the copy at any time.
"""

import hashlib
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pgpool_recovery.agent.method.base_backup.arrival import Arrived
from pgpool_recovery.domain.error import RecoveryError, Undone
from pgpool_recovery.domain.wal import Lsn, Point, lsn_text, parse_lsn
from pgpool_recovery.files.text import text_of
from pgpool_recovery.files.write import open_in_place, rename_file, sync_written

MANIFEST = "backup_manifest"
GROWING = f"{MANIFEST}.tmp"  # The name that pg_basebackup uses, and a server does not send.
MAX_LINE_BYTES = 2**16
MAX_TOLD = 3
SECTIONS = (b"", b"{", b"]")
FILE, RANGE, END, VERSION, SYSTEM = (
    "Path",
    "Timeline",
    "Manifest-Checksum",
    "PostgreSQL-Backup-Manifest-Version",
    "System-Identifier",
)
HINT = "Check the network, and the memory and the disks of both hosts, then recover the node again."


class ManifestCheck:
    """Takes the manifest in pieces, and compares each file that it names with what `arrived`.

    A file is taken out of `arrived` once it is checked. Raises Undone for the first file that is
    not as the manifest says.
    """

    def __init__(
        self, arrived: dict[str, Arrived], algorithm: str, directory: Path, mode: int
    ) -> None:
        self._arrived = arrived
        self._algorithm = algorithm
        self._file = directory / GROWING
        self._descriptor = open_in_place(self._file, made_with=mode)
        os.fchmod(self._descriptor, mode)
        os.ftruncate(self._descriptor, 0)
        self._hash = hashlib.sha256()
        self._rest = b""
        self._begins: list[Lsn] = []
        self._ends: list[Lsn] = []
        self._system_identifier: str | None = None
        self._has_ended = False

    def feed(self, data: memoryview) -> None:
        """Take the next piece."""
        left = data
        while left:
            left = left[os.write(self._descriptor, left) :]
        *lines, self._rest = (self._rest + data).split(b"\n")
        for line in lines:
            self._take(line)
        if len(self._rest) > MAX_LINE_BYTES:
            raise _malformed("A line has no end.")

    def finish(self, start: Point, end: Point, system_identifier: str) -> None:
        """Check what is known only at the end, and give the manifest its name."""
        if not self._has_ended or self._rest:
            raise _malformed("It was cut off.")
        if self._system_identifier not in (None, system_identifier):
            raise _malformed(
                f"Its system identifier is {self._system_identifier}, the server's is "
                f"{system_identifier}."
            )
        if not self._begins or min(self._begins) != start.lsn or max(self._ends) != end.lsn:
            raise _malformed(
                f"Its WAL is not that from {lsn_text(start.lsn)} to {lsn_text(end.lsn)}, which the "
                "server says is needed."
            )
        if self._arrived:
            names = ", ".join(sorted(self._arrived)[:MAX_TOLD])
            raise Undone(
                f'"{min(self._arrived)}" was sent but is not in the manifest of the base backup',
                detail=f"There are {len(self._arrived)} such files: {names}.",
                hint=HINT,
            )
        sync_written(self._descriptor, self._file, is_whole=True)
        rename_file(self._file, MANIFEST)

    def close(self) -> None:
        """Close the file; a second call does nothing."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
        self._descriptor = -1

    def _take(self, line: bytes) -> None:
        if self._has_ended:
            raise _malformed("It goes on after its end.")
        values = _values(line)
        if END in values:
            self._has_ended = True
            if values[END] != self._hash.hexdigest():
                raise _malformed("Its own checksum is wrong.")
            return
        self._hash.update(line + b"\n")
        if FILE in values or f"Encoded-{FILE}" in values:
            self._check(_path(values), values)
        elif RANGE in values:
            self._begins.append(parse_lsn(values["Start-LSN"]))
            self._ends.append(parse_lsn(values["End-LSN"]))
        elif SYSTEM in values:
            self._system_identifier = str(values[SYSTEM])

    def _check(self, path: str, values: Mapping[str, Any]) -> None:
        found = self._arrived.pop(path, None)
        if found is None:
            raise Undone(
                f'"{path}" is in the manifest of the base backup but was not sent', hint=HINT
            )
        if found.size_bytes != values["Size"]:
            differs = f"It has {found.size_bytes} bytes, the manifest says {values['Size']}."
        elif self._algorithm != values.get("Checksum-Algorithm"):
            differs = f"The manifest has no checksum of it with {self._algorithm}."
        elif found.checksum.hex() != values.get("Checksum"):
            differs = (
                f"Its checksum is {found.checksum.hex()}, the manifest says "
                f"{values.get('Checksum')}."
            )
        else:
            return
        raise Undone(f'"{path}" did not arrive as it was sent', detail=differs, hint=HINT)


def _values(line: bytes) -> dict[str, Any]:
    """Return the values in a line; a line that only begins or ends a list has none."""
    text = line.strip().rstrip(b",")
    if text.startswith(b"{") and not text.endswith(b"}"):
        text += b"}"  # The line of the version begins the whole document.
    elif text.startswith(b'"') and not text.endswith(b"["):
        text = b"{" + text + (b"" if text.endswith(b"}") else b"}")
    if not text.startswith(b"{"):
        return {}
    try:
        values = json.loads(text_of(text))
    except ValueError as error:
        raise _malformed(f"A line cannot be read: {line[:80]!r}.") from error
    if not isinstance(values, dict):
        raise _malformed(f"A line cannot be read: {line[:80]!r}.")
    return values


def _path(values: Mapping[str, Any]) -> str:
    """Return the path of a file; one that is not in UTF-8 is in hexadecimal digits."""
    if FILE in values:
        return str(values[FILE])
    try:
        return text_of(bytes.fromhex(values[f"Encoded-{FILE}"]))
    except (TypeError, ValueError) as error:
        raise _malformed("A path cannot be read.") from error


def _malformed(detail: str) -> RecoveryError:
    return Undone("the manifest of the base backup is damaged", detail=detail, hint=HINT)
