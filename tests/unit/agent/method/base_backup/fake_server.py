"""A server that sends a base backup over a socket, in the messages of protocol-flow.html.

What it sends is what a server of a major version sends: from PostgreSQL 15 on one COPY OUT whose
messages have a type, before that one COPY OUT for each archive, which lacks the two empty headers
at its end, and one for the manifest (SendBaseBackup in basebackup.c of 14).
"""

import contextlib
import hashlib
import io
import json
import socket
import struct
import tarfile
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from pgpool_recovery.host.crc32c import Crc32c
from pgpool_recovery.host.zstd import compress

SYSTEM_IDENTIFIER = 7301415926535897932
START, END = "0/5000028", "0/5000100"
VERSION = "PG_17_202406281"
SPACE_OID = 16400
LABEL = b"START WAL LOCATION: 0/5000028 (file 000000010000000000000005)\nSTART TIMELINE: 1\n"
PAGE = bytes(range(256)) * 32
Members = Mapping[str, bytes | None]
ARCHIVES: dict[str, dict[str, bytes | None]] = {
    str(SPACE_OID): {
        VERSION: None,
        f"{VERSION}/5": None,
        f"{VERSION}/5/16500": PAGE * 2,
    },
    "base": {
        "backup_label": LABEL,
        "pg_tblspc": None,
        f"pg_tblspc/{SPACE_OID}": b"->/primary/space",
        "pg_wal": None,
        "./pg_wal/archive_status": None,
        "PG_VERSION": b"17\n",
        "postgresql.conf": b"work_mem = '5MB'\n",
        "global": None,
        "base": None,
        "base/5": None,
        "base/5/1259": PAGE * 300,
        "base/5/empty": b"",
        "global/pg_control": b"control",
    },
}


def tar(members: Members) -> bytes:
    """Return an archive without the two empty headers at its end; "->" begins a link."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.USTAR_FORMAT) as archive:
        for name, content in members.items():
            info = tarfile.TarInfo(name)
            info.mode = 0o750 if content is None else 0o640
            if content is None:
                info.type = tarfile.DIRTYPE
            elif content.startswith(b"->"):
                info.type, info.linkname = tarfile.SYMTYPE, content[2:].decode()
            else:
                info.size = len(content)
            archive.addfile(info, io.BytesIO(content or b"") if info.isreg() else None)
        length = archive.offset
    return buffer.getvalue()[:length]


def files_of(archives: Mapping[str, Members]) -> dict[str, bytes]:
    """Return the files of archives under the paths that a manifest has."""
    return {
        (name if archive == "base" else f"pg_tblspc/{archive}/{name}"): content
        for archive, members in archives.items()
        for name, content in members.items()
        if content is not None and not content.startswith(b"->")
    }


def manifest(
    files: Mapping[str, bytes],
    algorithm: str = "CRC32C",
    version: int = 2,
    ranges: tuple[tuple[str, str], ...] = ((START, END),),
    system_identifier: int = SYSTEM_IDENTIFIER,
) -> bytes:
    """Return a manifest as a server writes it (backup_manifest.c)."""

    def entry(path: str, content: bytes) -> str:
        summed = Crc32c() if algorithm == "CRC32C" else hashlib.sha256()
        summed.update(content)
        named = json.dumps(path)
        key = "Path"
        if any("\udc80" <= letter <= "\udcff" for letter in path):
            key, named = "Encoded-Path", f'"{path.encode(errors="surrogateescape").hex()}"'
        return (
            f'{{ "{key}": {named}, "Size": {len(content)}, '
            f'"Last-Modified": "2026-11-28 19:14:18 GMT", '
            f'"Checksum-Algorithm": "{algorithm}", "Checksum": "{summed.digest().hex()}" }}'
        )

    system = f'"System-Identifier": {system_identifier},\n' if version >= 2 else ""
    listed = ",\n".join(entry(path, content) for path, content in files.items())
    wal = ",\n".join(
        f'{{ "Timeline": 1, "Start-LSN": "{start}", "End-LSN": "{end}" }}' for start, end in ranges
    )
    text = (
        f'{{ "PostgreSQL-Backup-Manifest-Version": {version},\n{system}'
        f'"Files": [\n{listed}\n],\n"WAL-Ranges": [\n{wal}\n],\n'
    ).encode()
    return text + f'"Manifest-Checksum": "{hashlib.sha256(text).hexdigest()}"}}\n'.encode()


@dataclass
class FakeServer:
    """What the server is and sends; `commands` are those that it got."""

    version: int = 170011
    archives: Mapping[str, Members] = field(default_factory=lambda: ARCHIVES)
    manifest: bytes | None = None
    refuses: Callable[[str], bool] = lambda _: False
    settings: dict[str, str] = field(
        default_factory=lambda: {
            "block_size": "8192",
            "segment_size": "1GB",
            "data_checksums": "off",
            "data_directory_mode": "0750",
        }
    )
    piece_bytes: int = 3000
    cuts_after: int | None = None
    waits_after: int | None = None
    ends: threading.Event = field(default_factory=threading.Event)
    commands: list[str] = field(default_factory=list)
    port: int = 0

    @property
    def is_old(self) -> bool:
        return self.version < 150000

    def serve(self, listening: socket.socket) -> None:
        while True:
            try:
                connection, _ = listening.accept()
            except OSError:
                return
            with connection, contextlib.suppress(ConnectionError):
                self._talk(connection)

    def _talk(self, connection: socket.socket) -> None:
        stream = connection.makefile("rwb")
        while True:
            (length,) = struct.unpack("!I", _exactly(stream, 4))
            startup = _exactly(stream, length - 4)
            if struct.unpack("!I", startup[:4])[0] not in (80877103, 80877104):
                break
            connection.sendall(b"N")  # Neither TLS nor GSSAPI.
        major, minor = divmod(self.version, 10000)
        status = b"server_version\0" + f"{major}.{minor}".encode() + b"\0"
        self._send(connection, b"R", struct.pack("!I", 0))
        self._send(connection, b"S", status)
        self._send(connection, b"S", b"client_encoding\0SQL_ASCII\0")
        self._send(connection, b"Z", b"I")
        while True:
            kind = _exactly(stream, 1)
            (length,) = struct.unpack("!I", _exactly(stream, 4))
            body = _exactly(stream, length - 4)
            if kind == b"X":
                return
            assert kind == b"Q"
            command = body[:-1].decode()
            self.commands.append(command)
            if not self._answer(connection, command):
                return
            self._send(connection, b"Z", b"I")

    def _answer(self, connection: socket.socket, command: str) -> bool:
        if self.refuses(command):
            said = b"SERROR\0VERROR\0C22023\0Mcould not set compression worker count\0\0"
            self._send(connection, b"E", said)
            return True
        if command == "IDENTIFY_SYSTEM":
            self._rows(connection, [[str(SYSTEM_IDENTIFIER), "1", START, None]])
        elif command.startswith("SHOW "):
            self._rows(connection, [[self.settings[command.removeprefix("SHOW ")]]])
        elif command.startswith("BASE_BACKUP"):
            return self._backup(connection, command)
        self._send(connection, b"C", b"SELECT\0")
        return True

    def _backup(self, connection: socket.socket, command: str) -> bool:
        algorithm = "CRC32C" if "CRC32C" in command else "SHA256"
        text = self.manifest or manifest(files_of(self.archives), algorithm)
        self._rows(connection, [[START, "1"]])
        self._send(connection, b"C", b"SELECT\0")
        rows: list[list[str | None]] = [
            [None, None, None] if name == "base" else [name, "/primary/space", None]
            for name in self.archives
        ]
        self._rows(connection, rows)
        self._send(connection, b"C", b"SELECT\0")
        for number, data in enumerate(self._copies(command, text)):
            if number == self.cuts_after:
                return False
            if number == self.waits_after:
                self.ends.wait(60)
            connection.sendall(data)
        self._rows(connection, [[END, "1"]])
        self._send(connection, b"C", b"SELECT\0")
        self._send(connection, b"C", b"BASE_BACKUP\0")
        return True

    def _copies(self, command: str, text: bytes) -> Iterator[bytes]:
        begin = message(b"H", b"\0\0\0")
        if self.is_old:
            for members in self.archives.values():
                yield begin
                yield from (message(b"d", piece) for piece in self._pieces(tar(members)))
                yield message(b"c")
            yield begin
            yield from (message(b"d", piece) for piece in self._pieces(text))
            yield message(b"c")
            return
        yield begin
        for name, members in self.archives.items():
            data, suffix = tar(members) + bytes(1024), ""
            if "COMPRESSION 'zstd'" in command:
                data, suffix = compress(data, 1), ".zst"
            yield message(b"d", b"n" + f"{name}.tar{suffix}".encode() + b"\0/primary/space\0")
            yield from (message(b"d", b"d" + piece) for piece in self._pieces(data))
            yield message(b"d", b"p" + struct.pack("!q", len(data)))
        yield message(b"d", b"m")
        yield from (message(b"d", b"d" + piece) for piece in self._pieces(text))
        yield message(b"c")

    def _pieces(self, data: bytes) -> Iterator[bytes]:
        for at in range(0, len(data), self.piece_bytes):
            yield data[at : at + self.piece_bytes]

    def _rows(self, connection: socket.socket, rows: list[list[str | None]]) -> None:
        columns = len(rows[0])
        column = b"c\0" + struct.pack("!IhIhih", 0, 0, 25, -1, -1, 0)
        self._send(connection, b"T", struct.pack("!h", columns) + column * columns)
        for row in rows:
            body = b"".join(
                struct.pack("!i", -1)
                if value is None
                else struct.pack("!i", len(value)) + value.encode()
                for value in row
            )
            self._send(connection, b"D", struct.pack("!h", columns) + body)

    def _send(self, connection: socket.socket, kind: bytes, body: bytes) -> None:
        connection.sendall(message(kind, body))


def message(kind: bytes, body: bytes = b"") -> bytes:
    """Return a message of the protocol."""
    return kind + struct.pack("!I", len(body) + 4) + body


def _exactly(stream: Any, length: int) -> bytes:
    data: bytes = stream.read(length)
    if len(data) < length:
        raise ConnectionError
    return data


@contextlib.contextmanager
def serving(server: FakeServer) -> Iterator[FakeServer]:
    """Let it listen on a port of this host for as long as the context lasts."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        server.port = listening.getsockname()[1]
        thread = threading.Thread(target=server.serve, args=(listening,), daemon=True)
        thread.start()
        try:
            yield server
        finally:
            server.ends.set()
        listening.shutdown(socket.SHUT_RDWR)
    thread.join(5)
