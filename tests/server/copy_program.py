"""Copy a server as an agent does, perhaps through a wire that changes a byte: a program."""

import json
import shutil
import socket
import sys
import threading
from pathlib import Path
from typing import Any

from pgpool_recovery.agent.directory.own_login import OwnLogin
from pgpool_recovery.agent.method.base_backup import copy as copy_module
from pgpool_recovery.domain.error import RecoveryError
from pgpool_recovery.facts.step.place import Place, Places, TablespacePlace
from pgpool_recovery.facts.step.transfer import CopyBaseBackup
from pgpool_recovery.host.stop import Stop
from pgpool_recovery.postgres.backup_stream import StreamLimits


def main() -> None:
    """Print the failure as a JSON object, or what the copy has sent and received."""
    wish = json.loads(sys.argv[1])
    root, conninfo = Path(wish["root"]), dict(wish["conninfo"])
    shutil.rmtree(root, ignore_errors=True)
    root.mkdir(parents=True)
    if wish["changes"] is not None:
        conninfo = conninfo | {"host": str(root), "port": "5999"}
        listen(root / ".s.PGSQL.5999", wish["conninfo"], *map(str.encode, wish["changes"]))
    if wish["checksums"] == "SHA256":
        copy_module.crc32c.is_available = lambda: False  # type: ignore[attr-defined]
    try:
        copy_module.copy_base_backup(
            step_of(wish, root, conninfo), OwnLogin(), Stop(), lambda _: None, StreamLimits()
        )
    except RecoveryError as error:
        print(json.dumps(error.as_record()))
    else:
        print(json.dumps({"message": None}))


def step_of(wish: dict[str, Any], root: Path, conninfo: dict[str, str]) -> CopyBaseBackup:
    spaces = tuple(
        TablespacePlace(
            int(oid),
            str(root / oid),
            Place(str(root / oid), f"{root}/{oid}.w", is_inside=False, new=f"{root}/{oid}.w/new/x"),
        )
        for oid in wish["tablespaces"]
    )
    data = Place(str(root / "data"), f"{root}/w", is_inside=False, new=f"{root}/w/new")
    return CopyBaseBackup(
        bin_directory=wish["bin_directory"],
        conninfo=conninfo,
        slot_name=wish["slot_name"],
        places=Places(data, None, spaces),
        max_rate=None,
        compression=wish["compression"],
        size_bytes=1,
        segment_bytes=2**24,
        workers=2 if wish["compression"] else None,
        verifies_pages=wish["verifies_pages"],
    )


def listen(path: Path, server: dict[str, str], old: bytes, new: bytes) -> None:
    """Pass connections on to the server; replace the first `old` that comes from it."""
    listening = socket.socket(socket.AF_UNIX)
    listening.bind(str(path))
    listening.listen()

    def take() -> None:
        while True:
            inner, _ = listening.accept()
            outer = socket.socket(socket.AF_UNIX)
            outer.connect(f"{server['host']}/.s.PGSQL.{server['port']}")
            for source, sink, is_changed in ((inner, outer, False), (outer, inner, True)):
                threading.Thread(
                    target=pump, args=(source, sink, old, new, is_changed), daemon=True
                ).start()

    threading.Thread(target=take, daemon=True).start()


def pump(
    source: socket.socket,
    sink: socket.socket,
    old: bytes,
    new: bytes,
    is_changed: bool,  # noqa: FBT001
) -> None:
    while data := source.recv(2**20):
        sink.sendall(data.replace(old, new, 1) if is_changed else data)
    sink.shutdown(socket.SHUT_WR)


if __name__ == "__main__":
    main()
