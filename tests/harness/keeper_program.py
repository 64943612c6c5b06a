"""The keeper of one machine: starts its processes, adopts their orphans, ends them all at the end.

Run as `python -I -S keeper_program.py FD`, where FD is one end of a SOCK_SEQPACKET pair. Each
packet is one JSON request, answered by one JSON packet:

    {"start": {"argv": [...], "user": ..., "env": {...}, "cwd": ...}} + descriptors 0, 1, 2
        -> {"pid": 7} + a pidfd, or {"error": "..."}
    {"returncode": 7} -> {"returncode": null | 0 | -9 | ...}

When the socket is closed, the machine ends. That happens when the test process closes it, and also
when that process is killed, so nothing can be left behind
(test_nothing_is_left_after_sigkill). As process 1 of a PID namespace the keeper then only exits
and the kernel kills the rest; elsewhere it is a "subreaper" (see prctl(2)), to which every
orphaned daemon of the machine comes, and kills its descendants itself.
"""

import ctypes
import json
import os
import pwd
import resource
import select
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

_PR_SET_CHILD_SUBREAPER = 36
_IPC_RMID = 0
_SHARED_MEMORY = Path("/proc/sysvipc/shm")
_REQUEST_LIMIT_BYTES = 1 << 18
_QUIT_WITHIN_S = 3.0
_KILL_WITHIN_S = 10.0


def main() -> None:
    channel = socket.socket(fileno=int(sys.argv[1]))
    channel.set_inheritable(False)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    service = Service(channel)
    service.serve(_wake_on_child_exit())
    if os.getpid() != 1:
        _end_descendants()
        service.reap()
        _remove_shared_memory(service.ended)


def _wake_on_child_exit() -> int:
    wakened, wake = os.pipe()
    os.set_blocking(wakened, False)
    os.set_blocking(wake, False)
    signal.set_wakeup_fd(wake, warn_on_full_buffer=False)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    return wakened


class Service:
    """Answers the requests that come over the channel, and knows how each child ended."""

    def __init__(self, channel: socket.socket) -> None:
        self._channel = channel
        self._returncodes: dict[int, int | None] = {}  # of started processes, not of orphans
        self.ended: set[int] = set()  # of both

    def serve(self, wakened: int) -> None:
        """Answer requests until the other end closes the channel or dies."""
        self._answer({"ready": True}, os.pidfd_open(os.getpid()))
        while True:
            ready, _, _ = select.select([self._channel.fileno(), wakened], [], [])
            if wakened in ready:
                os.read(wakened, 4096)
            self.reap()
            if self._channel.fileno() in ready:
                packet, descriptors, _, _ = socket.recv_fds(
                    self._channel, _REQUEST_LIMIT_BYTES, 3, socket.MSG_CMSG_CLOEXEC
                )
                if not packet:
                    return
                self._handle(json.loads(packet), descriptors)

    def _handle(self, request: dict[str, Any], descriptors: list[int]) -> None:
        if "start" not in request:
            self._answer({"returncode": self._returncodes[request["returncode"]]})
            return
        try:
            pid = _start(descriptors=descriptors, **request["start"])
        except (OSError, LookupError, subprocess.SubprocessError) as error:
            self._answer({"error": f"{type(error).__name__}: {error}"})
        else:
            self._returncodes[pid] = None
            self._answer({"pid": pid}, os.pidfd_open(pid))
        finally:
            for descriptor in descriptors:
                os.close(descriptor)

    def _answer(self, answer: dict[str, Any], pidfd: int | None = None) -> None:
        descriptors = [] if pidfd is None else [pidfd]
        try:
            socket.send_fds(self._channel, [json.dumps(answer).encode()], descriptors)
        except OSError:
            pass  # the other end is gone: the next read tells `serve`
        finally:
            for descriptor in descriptors:
                os.close(descriptor)

    def reap(self) -> None:
        """Wait for every child that has ended, also for orphans that became ours."""
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if pid == 0:
                return
            self.ended.add(pid)
            if pid in self._returncodes:
                self._returncodes[pid] = os.waitstatus_to_exitcode(status)


def _start(
    argv: list[str], user: str | None, env: dict[str, str], cwd: str, descriptors: list[int]
) -> int:
    stdin, stdout, stderr = descriptors
    process = subprocess.Popen(
        argv,
        stdin=stdin,
        stdout=stdout,
        stderr=stderr,
        env=env,
        cwd=cwd,
        umask=0o022,
        start_new_session=True,  # no terminal, and a process group of its own
        **_identity(user),
    )
    process.returncode = 0  # so that Popen does not wait: `Service.reap` waits for all children
    return process.pid


def _identity(user: str | None) -> dict[str, Any]:
    """Arguments that make Popen change the user; none when we are not root or need not change."""
    if user is None or os.geteuid() != 0:
        return {}
    entry = pwd.getpwnam(user)
    groups = os.getgrouplist(user, entry.pw_gid)
    return {"user": entry.pw_uid, "group": entry.pw_gid, "extra_groups": groups}


def _end_descendants() -> None:
    """End all our descendants.

    SIGQUIT comes first, to the topmost processes only: PostgreSQL and Pgpool-II then stop at once,
    but release their semaphores and shared memory, which SIGKILL would leave behind.
    """
    _signal(_children(_parents(), os.getpid()), signal.SIGQUIT)
    deadline = time.monotonic() + _QUIT_WITHIN_S
    while _descendants() and time.monotonic() < deadline:
        time.sleep(0.02)
    deadline = time.monotonic() + _KILL_WITHIN_S
    while (left := _descendants()) and time.monotonic() < deadline:
        _signal(left, signal.SIGKILL)
        time.sleep(0.02)


def _signal(pids: list[int], number: signal.Signals) -> None:
    for pid in pids:
        try:
            os.kill(pid, number)
        except ProcessLookupError:
            continue


def _descendants() -> list[int]:
    parents = _parents()
    found = _children(parents, os.getpid())
    for pid in found:  # the list grows while we walk it
        found.extend(_children(parents, pid))
    return found


def _children(parents: dict[int, int], pid: int) -> list[int]:
    return [child for child, parent in parents.items() if parent == pid]


def _parents() -> dict[int, int]:
    """Return the parent of every process that still runs.

    proc(5): the second field after the command, which ends with the last bracket.
    """
    parents = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                state, parent, *_ = (entry / "stat").read_text().rpartition(")")[2].split()
            except (FileNotFoundError, ProcessLookupError):
                continue
            if state != "Z":
                parents[int(entry.name)] = int(parent)
    return parents


def _remove_shared_memory(creators: set[int]) -> None:
    """Remove the System V segments of killed servers, as their next start would have done."""
    header, *rows = [line.split() for line in _SHARED_MEMORY.read_text().splitlines()]
    for row in rows:
        segment = dict(zip(header, row, strict=True))
        if int(segment["cpid"]) in creators and segment["nattch"] == "0":
            ctypes.CDLL(None).shmctl(int(segment["shmid"]), _IPC_RMID, None)


if __name__ == "__main__":
    main()
