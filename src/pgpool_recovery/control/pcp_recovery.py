"""A recovery that Pgpool-II runs: asked for over PCP, in a thread, while the record is watched."""

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

    When this process ends the recovery goes on: PCP knows no cancel, and Pgpool-II does not look
    whether its client is still there. The thread is a daemon, so leaving does not wait for it.
    """

    pool: Pool
    node_id: NodeId
    within_s: float
    _lines: "queue.SimpleQueue[str]" = field(default_factory=queue.SimpleQueue)
    _ended: threading.Event = field(default_factory=threading.Event)
    _failure: BaseException | None = None

    def start(self) -> None:
        """Send the request."""
        threading.Thread(target=self._recover, daemon=True).start()

    def has_ended(self, *, within_s: float) -> bool:
        """Wait for the end, but not longer."""
        return self._ended.wait(within_s)

    def lines(self) -> list[str]:
        """Return what Pgpool-II has said since it was last asked."""
        return [self._lines.get_nowait() for _ in range(self._lines.qsize())]

    def result(self) -> None:
        """Raise why it failed, when it did."""
        if self._failure is not None:
            raise self._failure

    def _recover(self) -> None:
        try:
            self.pool.recover(self.node_id, self._take, within_s=self.within_s)
        except RecoveryError as error:
            self._failure = error
        except Exception as error:  # noqa: BLE001 - a bug is raised where the result is asked for
            self._failure = error
        finally:
            self._ended.set()

    def _take(self, notice: Notice) -> None:
        self._lines.put(with_detail(notice.message, notice.detail))
