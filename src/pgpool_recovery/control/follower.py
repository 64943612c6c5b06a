"""Follow a recovery by its record, and reconnect when the connection is lost."""

import time
from contextlib import ExitStack
from types import TracebackType
from typing import Any, Self

from pgpool_recovery.control.cluster import Node
from pgpool_recovery.control.event import Happened, Remarked, StepMoved, Tell
from pgpool_recovery.control.extension import Feature, Primary
from pgpool_recovery.control.record import RecordedRun, RecordReader, RunProgress
from pgpool_recovery.domain.error import RecoveryError, Refused, Unreachable
from pgpool_recovery.domain.node import NodeId
from pgpool_recovery.log.note import waits

TRY_AGAIN_EVERY_S = 5.0
ENDS_WITHIN_S = 5.0
"""The end of a run is recorded before its caller learns of it; that of a killed run a bit later."""
ASK_EVERY_S = 0.2
FAILED = "failed"


class Follower:
    """Follows the record of the next recovery of a node, or of a run that is already known."""

    def __init__(
        self,
        primary: Primary,
        tell: Tell,
        *,
        node: Node | None = None,
        run_id: int | None = None,
        node_id: int | None = None,
    ) -> None:
        self._primary = primary
        self._tell = tell
        self._node = node
        known = node_id if node is None else node.node_id
        self._node_id = None if known is None else NodeId(known)
        self.run_id = run_id
        self.needed: dict[str, Any] | None = None
        """What the run would have had to do beyond what was agreed, if that ended it."""
        self._number = -1
        self._after = 0
        self._told_progress: RunProgress | None = None
        self.got_on_at = time.monotonic()
        """When there was something new last: however long a recovery takes, it is waited for."""
        self._stack = ExitStack()
        self._record: RecordReader | None = None
        self._try_at = 0.0

    def __enter__(self) -> Self:
        """Connect, and remember which recoveries are older than the one to come."""
        try:
            self._after = self._connected().last_id()
        except BaseException:
            self._stack.close()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Close the connection, which has to know whether an error is the reason."""
        self._stack.__exit__(kind, error, traceback)

    def look(self) -> None:
        """Report what is new; without a connection, report that once and try again later."""
        if self._record is None and time.monotonic() < self._try_at:
            return
        try:
            self._look(self._connected())
        except (Unreachable, Refused) as error:
            self._lost(error)

    def run(self) -> RecordedRun | None:
        """Return the run as it is on record now; None if there is none, or no connection."""
        if self.run_id is None:
            return None
        try:
            return self._connected().run(self.run_id)
        except (Unreachable, Refused) as error:
            self._lost(error)
            return None

    @waits("the end to be recorded")
    def ended_run(self) -> RecordedRun | None:
        """Return the run once it has ended, or as it is after a few seconds."""
        deadline = time.monotonic() + ENDS_WITHIN_S
        while True:
            self.look()
            run = self.run()
            if (run is not None and run.has_ended) or time.monotonic() > deadline:
                return run
            time.sleep(ASK_EVERY_S)

    def _look(self, record: RecordReader) -> None:
        if self.run_id is None and self._node is not None:
            self.run_id = record.run_of(self._node, after=self._after)
        if self.run_id is None:
            return
        for event in record.all_events(self.run_id, after=self._number):
            self._number = event.number
            self.got_on_at = time.monotonic()
            if event.kind == FAILED:
                self.needed = (event.data or {}).get("needed")
            self._tell(Happened(self._node_id, self.run_id, event))
        for progress in record.progress():
            if progress.id == self.run_id and progress != self._told_progress:
                before, self._told_progress = self._told_progress, progress
                if before is None or before.place != progress.place:
                    self.got_on_at = time.monotonic()
                self._tell(StepMoved(progress))

    def _connected(self) -> RecordReader:
        if self._record is None:
            connection = self._stack.enter_context(self._primary.connect(Feature.HISTORY))
            self._record = RecordReader(connection)
        return self._record

    def _lost(self, error: RecoveryError) -> None:
        if self._record is not None or self._try_at == 0:
            sentence = f"the progress cannot be read at the moment: {error.message}"
            self._tell(Remarked(sentence, self._node_id))
        self._stack.close()
        self._record = None
        self._try_at = time.monotonic() + TRY_AGAIN_EVERY_S
