"""Carry frames over two pipes, and notice when the other end is gone, silent, or not wanted."""

import os
import select
import threading
import time
from collections.abc import Callable
from contextlib import suppress

from pgpool_recovery.blocks.frame import Beat, Decoder, Frame, encode, malformed
from pgpool_recovery.domain.error import RecoveryError, Unreachable

READ_BYTES = 1 << 18
FLUSHED_BYTES = 1 << 15
"""Small frames are collected up to this size, since a file may need only three of them."""
TICK_S = 0.2
BEAT_S = 5.0


class FrameLink:
    """Frames to and from another process; both descriptors stay the caller's.

    One thread receives. Others may send, and a thread of the link itself sends a sign of life when
    nothing else was sent for a while. `check` is called while waiting, and raises to end that.
    """

    def __init__(
        self,
        read_end: int,
        write_end: int,
        begun: bytes = b"",
        *,
        silence_s: float,
        check: Callable[[], None],
    ) -> None:
        """`begun` is what has been read already."""
        self._read_end = read_end
        self._write_end = write_end
        self._silence_s = silence_s
        self._check = check
        self._decoder = Decoder()
        self._decoder.feed(begun)
        self._writing = threading.Lock()
        self._unsent = bytearray()
        self._sent_at = time.monotonic()
        self._has_ended = threading.Event()
        self._heart = threading.Thread(target=self._beat, daemon=True)
        self.sent_bytes = 0
        """What was sent so far."""
        os.set_blocking(write_end, False)
        self._heart.start()

    def send(self, frame: Frame) -> None:
        """Send a frame, sooner or later; `flush` sends all."""
        data = encode(frame)
        with self._writing:
            self._unsent += data
            if len(self._unsent) >= FLUSHED_BYTES:
                self._flush()

    def flush(self) -> None:
        """Send what was collected."""
        with self._writing:
            self._flush()

    def receive(self, *, flushes: bool) -> Frame | None:
        """Return the next frame; None at the end, which is never in the middle of a frame.

        With `flushes` everything is sent before waiting, as the other end may be waiting for it.
        That may wait in turn until the other end receives, so only one end may do it.
        """
        while (frame := self._decoder.next()) is None or isinstance(frame, Beat):
            if frame is None and not self._read(flushes=flushes):
                if not self._decoder.is_between_frames:
                    raise malformed("It ended in the middle of a frame")
                return None
        return frame

    def end(self) -> None:
        """Send nothing more, not even signs of life."""
        self._has_ended.set()

    def _read(self, *, flushes: bool) -> bool:
        """Read what has arrived, or wait for it; return whether there will be more."""
        deadline = time.monotonic() + self._silence_s
        if not self._is_readable(0.0):
            if flushes:
                self.flush()
            while not self._is_readable(TICK_S):
                self._check()
                if time.monotonic() > deadline:
                    raise Unreachable(
                        f"nothing has come from the other host for {self._silence_s:g} s"
                    )
        self._check()
        data = os.read(self._read_end, READ_BYTES)
        self._decoder.feed(data)
        return bool(data)

    def _is_readable(self, within_s: float) -> bool:
        poll = select.poll()
        poll.register(self._read_end, select.POLLIN)
        return bool(poll.poll(1000 * within_s))

    def _flush(self) -> None:
        """Write everything, waiting as long as the other end is alive and slow."""
        self._sent_at = time.monotonic()
        poll = select.poll()
        poll.register(self._write_end, select.POLLOUT)
        with memoryview(bytes(self._unsent)) as data:
            self._unsent.clear()
            self.sent_bytes += len(data)
            at = 0
            while at < len(data):
                if self._has_ended.is_set():
                    return
                try:
                    at += os.write(self._write_end, data[at : at + READ_BYTES])
                except BlockingIOError:
                    self._check()
                    poll.poll(1000 * TICK_S)
                except OSError as error:  # A broken pipe, or a reset connection.
                    raise Unreachable("the other end of the channel is gone") from error

    def _beat(self) -> None:
        """Tell the other end that we are alive; that it is gone, another thread will notice."""
        with suppress(OSError, RecoveryError):
            while not self._has_ended.wait(BEAT_S):
                if time.monotonic() - self._sent_at > BEAT_S / 2 or self._unsent:
                    self.send(Beat())
                    self.flush()
