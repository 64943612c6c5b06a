"""A server of somebody else on a Unix socket."""

import select
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

NOBODY = 65534
LISTENER = """
import os, socket, sys
listening = socket.socket(socket.AF_UNIX)
listening.bind(sys.argv[1])
os.setgroups([])
os.setgid(int(sys.argv[2]))
os.setuid(int(sys.argv[2]))
listening.listen()
print("listening", flush=True)
connected, _ = listening.accept()
print(connected.recv(4096), flush=True)
"""


@contextmanager
def listener(path: Path, uid: int) -> Iterator["subprocess.Popen[str]"]:
    """Have a process of another user listen on a socket, and say what it received."""
    argv = [sys.executable, "-c", LISTENER, str(path), str(uid)]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "listening\n"
        try:
            yield process
        finally:
            process.kill()


def received(process: "subprocess.Popen[str]") -> str:
    assert process.stdout is not None
    assert select.select([process.stdout], [], [], 10)[0], "nobody connected"
    return process.stdout.readline()
