"""A recovery that Pgpool-II runs, requested over PCP in a thread while its record is followed."""

import queue
import threading
from dataclasses import dataclass, field

from pgpool_recovery.domain.error import RecoveryError
from pgpool_recovery.domain.node import NodeId
from pgpool_recovery.domain.text import with_detail
from pgpool_recovery.pcp.client.pcp_error import Notice
from pgpool_recovery.pcp.pool import Pool


@dataclass
class PcpRecovery:
    """One request to recover a node.

    The recovery continues when this process ends: PCP has no cancel, and Pgpool-II does not check
    whether its client is still there. The thread is a daemon, so leaving does not wait for it.
    """

    pool: Pool
    node_id: NodeId
    _lines: "queue.SimpleQueue[str]" = field(default_factory=queue.SimpleQueue)
    _ended: threading.Event = field(default_factory=threading.Event)
    _failure: BaseException | None = None

    def start(self) -> None:
        """Send the request."""
        threading.Thread(target=self._recover, daemon=True).start()

    def has_ended(self, *, within_s: float) -> bool:
        """Return whether it has ended; wait at most `within_s` for that."""
        return self._ended.wait(within_s)

    def lines(self) -> list[str]:
        """Return what Pgpool-II has reported since the last call."""
        return [self._lines.get_nowait() for _ in range(self._lines.qsize())]

    def result(self) -> None:
        """Raise why it failed, if it did."""
        if self._failure is not None:
            raise self._failure

    def _recover(self) -> None:
        try:
            self.pool.recover(self.node_id, self._take)  # no limit: whoever waits has one
        except RecoveryError as error:
            self._failure = error
        except Exception as error:  # noqa: BLE001 - raised by `result`
            self._failure = error
        finally:
            self._ended.set()

    def _take(self, notice: Notice) -> None:
        self._lines.put(with_detail(notice.message, notice.detail))
