"""This machine itself as a `Machine`: no namespaces, free ports, all files below one directory."""

import os
import pwd
import random
import shutil
import socket
import subprocess
from pathlib import Path, PurePath

from .keeper import Keeper
from .machine import Machine
from .process_table import ProcessInfo, descendants, read_processes
from .system import OWN_SYSTEM
from .workspace import Workspace


class LocalHost(Machine):
    """For demonstrations on loopback, and where namespaces are not permitted.

    Every process that is started here, and every daemon that it leaves behind, is a descendant of
    one keeper, which ends them by process id. Nothing outside the workspace is touched; the user
    postgres has a home directory of its own here.
    """

    def __init__(self, workspace: Workspace) -> None:
        self.name = "localhost"
        self.system = OWN_SYSTEM
        self.address = "127.0.0.1"
        self.network = "127.0.0.0/8"
        self.directory = workspace.make_new("local-", owner="postgres")
        self.home = self.directory / "home"
        self.log_directory = self.directory / "log"
        self.socket_directory = self.directory / "sockets"
        self._ports: set[int] = set()
        for directory in (self.home, self.log_directory, self.socket_directory):
            self.make_directory(directory)
        self.keeper = Keeper.start(wrapper=_private_ipc(), hold=workspace.lock)

    def path(self, inside: str | PurePath) -> Path:
        return Path(inside)

    def free_port(self, usual: int) -> int:  # noqa: ARG002  # others may listen on the usual one
        candidates = (port for port in _shuffled_ports() if port not in self._ports)
        port = next(filter(_is_unused, candidates))
        self._ports.add(port)
        return port

    def processes(self) -> list[ProcessInfo]:
        return descendants(read_processes(Path("/proc")), self.keeper.pid)

    def home_of(self, user: str) -> str:
        return str(self.home) if user == "postgres" else pwd.getpwuid(os.geteuid()).pw_dir

    def close(self) -> None:
        """End all that was started here, and remove the files."""
        self.keeper.close()
        shutil.rmtree(self.directory, ignore_errors=True)


def _shuffled_ports() -> list[int]:
    """Candidates below the range from which the kernel gives ports to clients, and below 32768.

    Pgpool-II's own SQL functions read a port as a signed 16-bit number.
    """
    return random.sample(range(20000, 32000), k=1000)


def _is_unused(port: int) -> bool:
    with socket.socket() as probe:
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
        return True


def _private_ipc() -> list[str]:
    """An IPC namespace, where one is permitted, so that nothing is left at the end.

    System V semaphores outlive a killed Pgpool-II; in a namespace of their own they go with its
    last process.
    """
    wrapper = ["unshare", "--ipc"]
    permitted = subprocess.run([*wrapper, "true"], capture_output=True, check=False)
    return wrapper if permitted.returncode == 0 else []
