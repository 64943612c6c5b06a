"""Measure a channel for blocks: ``python -m bench.blocks [--directory DIR] [--mb SIZE]``.

A sender in this process, which is what a source agent is, works with a receiver in a process of its
own. Files are in the page cache of both, unless DIR is on a filesystem without one. Printed are the
rate at which the source is read, the processor time of both ends, also for each GB, the bytes sent
for each changed byte, and the memory of both.

With ``--files COUNT`` there are that many files of one block instead, as in a cluster with many
small tables.
"""

import argparse
import os
import random
import resource
import secrets
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pgpool_recovery.blocks.digest import digests_with
from pgpool_recovery.blocks.link import FrameLink
from pgpool_recovery.blocks.send import Sender
from pgpool_recovery.blocks.source import SourceFiles
from pgpool_recovery.blocks.throttle import Throttle
from pgpool_recovery.domain.record import replace
from pgpool_recovery.facts.blocks import BlockSource, BlockTarget, Hash, SentBlocks
from pgpool_recovery.host import xxh3, zstd
from pgpool_recovery.host.permit import PERMIT_NAME, issue_permit
from pgpool_recovery.host.stop import Stop
from pgpool_recovery.talk.conversation import converse
from pgpool_recovery.talk.request.blocks import ReceiveBlocks
from tests.unit.agent.channel.agents import AGENT
from tests.unit.blocks.ends import FORMAT, make_cluster, target_of

BLOCK_BYTES = 8192
SEGMENT_BYTES = 64 * 2**20
BATCH_FILES = 256
SHARE = 0.02
WITHIN_S = 60.0


def main() -> None:
    """Print a line for each situation."""
    parser = argparse.ArgumentParser(prog="python -m bench.blocks")
    parser.add_argument("--directory", default=None, help="where the files are made")
    parser.add_argument("--mb", type=int, default=512, help="how much there is to compare")
    parser.add_argument("--files", type=int, default=0, help="how many files of one block")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=options.directory) as directory:
        source, target = (make_cluster(Path(directory) / name) for name in ("source", "target"))
        if options.files:
            make_small(source, options.files)
        else:
            make_large(source, options.mb * 2**20)
        for chosen in Hash:
            if chosen is Hash.SHA_256 or xxh3.is_available():
                measure_all(source, target, chosen)
                for file in (target / "base/5").iterdir():
                    file.unlink()


def measure_all(source: Path, target: Path, chosen: Hash) -> None:
    """Print a line for each situation, with this hash."""
    print(f"with {chosen}")
    secret = secrets.token_hex(xxh3.SECRET_BYTES) if chosen is Hash.XXH3 else None
    measure("everything is missing", source, target, secret, compresses=False)
    measure("nothing differs", source, target, secret, compresses=False)
    measure("nothing differs", source, target, secret, compresses=False)
    change(target, SHARE)
    measure(f"{SHARE:.0%} differ", source, target, secret, compresses=False)
    change(target, SHARE)
    measure(f"{SHARE:.0%} differ, compressed", source, target, secret, compresses=True)


def make_large(source: Path, size_bytes: int) -> None:
    """Make files as long as small segments; half of each block is random."""
    page = os.urandom(BLOCK_BYTES // 2) * 2
    for number in range(max(1, size_bytes // SEGMENT_BYTES)):
        with (source / f"base/5/{number + 1}").open("wb") as file:
            for block in range(SEGMENT_BYTES // BLOCK_BYTES):
                file.write(block.to_bytes(8, "big") + page[8:])


def make_small(source: Path, count: int) -> None:
    """Make files of one block."""
    for number in range(count):
        (source / f"base/5/{number + 1}").write_bytes(number.to_bytes(8, "big") * 1024)


def change(target: Path, share: float) -> None:
    """Change blocks here and there."""
    chance = random.Random(1)  # noqa: S311 - it is no secret
    for file in sorted((target / "base/5").iterdir()):
        with file.open("r+b") as opened:
            for block in range(file.stat().st_size // BLOCK_BYTES):
                if chance.random() < share:
                    opened.seek(block * BLOCK_BYTES + 16)
                    opened.write(b"another")


def measure(what: str, source: Path, target: Path, secret: str | None, *, compresses: bool) -> None:
    """Make the target's files equal, and print how long that took."""
    with receiver_of(target_with_permit(target), secret) as (read_end, write_end, pid):
        stop = Stop()
        link = FrameLink(read_end, write_end, silence_s=WITHIN_S, check=stop.check)
        files = SourceFiles(BlockSource(str(source), (), replace(FORMAT, block_bytes=BLOCK_BYTES)))
        compresses = compresses and zstd.is_available()
        digests_of = digests_with(secret)
        sender = Sender(
            link, files, BLOCK_BYTES, stop, digests_of=digests_of, compresses=compresses
        )
        paths = [path for path, size in files.entries(None) if size is not None]
        began, used, used_there = time.perf_counter(), os.times(), cpu_s_of(pid)
        sent = [
            sender.send(paths[at : at + BATCH_FILES], Throttle(None, stop.wait))
            for at in range(0, len(paths), BATCH_FILES)
        ]
        took_s, spent = time.perf_counter() - began, os.times()
        ends = (spent.user + spent.system - used.user - used.system, cpu_s_of(pid) - used_there)
        link.end()
        print_line(what, sent, len(paths), took_s, ends, memory_kb_of(pid))


def print_line(
    what: str,
    sent: list[SentBlocks],
    files: int,
    took_s: float,
    ends_cpu_s: tuple[float, float],
    receiver_kb: int,
) -> None:
    read = sum(one.read_bytes for one in sent)
    sent_bytes, blocks = sum(one.sent_bytes for one in sent), sum(one.blocks for one in sent)
    per_byte = f", {sent_bytes / (blocks * BLOCK_BYTES):.3f} bytes sent for each" if blocks else ""
    sender_kb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    print(
        f"{what}: {took_s:.2f} s, {read / took_s / 1e9:.2f} GB/s, {files / took_s:.0f} files/s, "
        f"{ends_cpu_s[0]:.2f} and {ends_cpu_s[1]:.2f} s of processors, "
        f"{sum(ends_cpu_s) / read * 1e9:.2f} s for each GB{per_byte}, "
        f"memory {sender_kb // 1024} and {receiver_kb // 1024} MB"
    )


def target_with_permit(target: Path) -> BlockTarget:
    """Return a target that a receiver may write into."""
    workspace = target.parent
    token = issue_permit(workspace, within_s=WITHIN_S, check=lambda: None)
    named = target_of(target)
    return replace(
        named,
        permit=str(workspace / PERMIT_NAME),
        token=token,
        format=replace(named.format, block_bytes=BLOCK_BYTES),
    )


@contextmanager
def receiver_of(target: BlockTarget, secret: str | None) -> Iterator[tuple[int, int, int]]:
    """Start a receiver; yield its pipes and its process id."""
    with converse(AGENT, "the target", lambda _: None, timeout_s=WITHIN_S) as agent:
        agent.hand_over(ReceiveBlocks(target, WITHIN_S, secret), timeout_s=WITHIN_S)
        read_end, write_end, _ = agent.pipes
        yield read_end, write_end, agent._process._process.pid  # noqa: SLF001 - nothing else asks


def memory_kb_of(pid: int) -> int:
    """Return the peak of the memory of a process."""
    status = Path(f"/proc/{pid}/status").read_text()
    line = next(line for line in status.splitlines() if line.startswith("VmHWM"))
    return int(line.split()[1])


def cpu_s_of(pid: int) -> float:
    """Return the processor time of a process, from utime and stime (proc_pid_stat(5))."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


if __name__ == "__main__":
    main()
