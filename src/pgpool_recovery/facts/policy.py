"""The policy: what the settings allow a plan to do."""

from enum import StrEnum
from typing import NewType

from pgpool_recovery.domain.node import NodeId
from pgpool_recovery.domain.record import record

Rate = NewType("Rate", str)
"""A limit for what is read or sent: kilobytes per second, or with a suffix k or M."""


def kilobytes(rate: Rate) -> int:
    """Return a limit in kilobytes per second.

    >>> kilobytes(Rate("2M"))
    2048
    """
    number = int(rate.rstrip("kM"))
    return number * 1024 if rate.endswith("M") else number


class Method(StrEnum):
    """The rungs of the ladder, the cheapest first."""

    ATTACH = "attach"
    REPOINT = "repoint"
    CATCH_UP = "catch-up"
    REWIND = "rewind"
    INCREMENTAL = "incremental"
    RESTORE = "restore"
    COMMAND = "command"
    DELTA = "delta"
    BASEBACKUP = "basebackup"


class KeepOld(StrEnum):
    """Whether a full copy leaves the old data alone until the new one runs."""

    ALWAYS = "always"
    WHEN_SPACE_ALLOWS = "when-space-allows"
    NEVER = "never"


class StopRunning(StrEnum):
    """Whether a target's server that is still running may be stopped for its recovery."""

    NEVER = "never"
    STANDBY = "standby"
    ALWAYS = "always"


class Unattended(StrEnum):
    """What a recovery may do if no person agreed to its plan, as with pcp_recovery_node."""

    ANYTHING = "anything"
    KEEP_OLD = "keep-old"
    REPLACE_NOTHING = "replace-nothing"
    NOTHING = "nothing"


class Compress(StrEnum):
    """How a full copy is compressed in transit; auto depends on the speed of the link."""

    AUTO = "auto"
    NONE = "none"
    LZ4 = "lz4"
    ZSTD = "zstd"


class Verify(StrEnum):
    """What is checked in addition to what each method always checks."""

    STANDARD = "standard"
    PAGES = "pages"


class BlockHash(StrEnum):
    """By which hash a delta compares blocks; auto: the fastest one that both hosts can compute."""

    AUTO = "auto"
    SHA256 = "sha256"


CopySource = NewType("CopySource", str)
"""From which server a copy is read: one of the two below, or a node id."""
FROM_PRIMARY, FROM_ANY = CopySource("primary"), CopySource("auto")


@record
class Policy:
    """The decisions that the operator makes in the settings.

    `methods` are those that may be used, in the order in which they are tried. `fall_down`: when a
    method fails, the same run goes on with the next one that is possible. `max_rate` limits copies,
    and what a delta reads on its source. `workers` is how many files a delta compares at the same
    time; None: as many as suit both hosts. `source` is the server from which a full copy or a delta
    is read. `block_hash` is for a delta.
    """

    methods: tuple[Method, ...] = tuple(Method)
    fall_down: bool = True
    keep_old: KeepOld = KeepOld.WHEN_SPACE_ALLOWS
    max_rate: Rate | None = None
    workers: int | None = None
    compress: Compress = Compress.AUTO
    stop_running: StopRunning = StopRunning.NEVER
    verify: Verify = Verify.STANDARD
    unattended: Unattended = Unattended.ANYTHING
    source: CopySource = FROM_PRIMARY
    block_hash: BlockHash = BlockHash.AUTO

    @property
    def source_node(self) -> NodeId | None:
        """The node from which copies are to be read, if the settings name one."""
        return None if self.source in (FROM_PRIMARY, FROM_ANY) else NodeId(int(self.source))
