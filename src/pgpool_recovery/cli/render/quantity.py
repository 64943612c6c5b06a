"""Render numbers and times for people."""

from datetime import datetime

from pgpool_recovery.control.record import RunProgress
from pgpool_recovery.domain.quantity import pretty_duration, pretty_rate, pretty_size


def size(count: int | None) -> str:
    """Return a number of bytes as PostgreSQL's pg_size_pretty does, or a dash for None.

    >>> size(5 * 2**30), size(None)
    ('5120 MB', '-')
    """
    return "-" if count is None else pretty_size(count)


def duration(seconds: float | None) -> str:
    """Return a duration with two units at most, or a dash for None.

    >>> duration(4.24), duration(None)
    ('4.2 s', '-')
    """
    return "-" if seconds is None else pretty_duration(seconds)


def moment(at: datetime | None) -> str:
    """Return a date and time with its zone, as psql shows it, or a dash for None."""
    return "-" if at is None else at.strftime("%Y-%m-%d %H:%M:%S%z")


def progress(running: RunProgress) -> str:
    """Return how far a recovery has come: the bytes of its step, and the time left.

    That is the time left for the whole recovery, or for the step if only that is known. Empty if
    nothing is known, as in a step that moves no data.

    >>> from dataclasses import replace
    >>> step = RunProgress(1, done_bytes=2**29, total_bytes=2**30, bytes_per_s=2**26)
    >>> progress(replace(step, seconds_left=8))
    '512 MB of 1024 MB (50 %), 64 MB/s, 8.0 s left'
    >>> progress(replace(step, seconds_left=8, run_seconds_left=75))
    '512 MB of 1024 MB (50 %), 64 MB/s, 1 min 15 s left in all'
    >>> progress(RunProgress(1, done_bytes=2**20))
    '1024 kB'
    >>> progress(RunProgress(1, run_seconds_left=20))
    '20 s left in all'
    """
    done, total = running.done_bytes, running.total_bytes
    parts: list[str] = []
    if done is not None:
        of = f" of {pretty_size(total)} ({min(100, 100 * done // total)} %)" if total else ""
        parts.append(pretty_size(done) + of)
        if running.bytes_per_s:
            parts.append(pretty_rate(running.bytes_per_s))
    if running.run_seconds_left is not None:
        parts.append(f"{duration(running.run_seconds_left)} left in all")
    elif done is not None and running.seconds_left is not None:
        parts.append(f"{duration(running.seconds_left)} left")
    return ", ".join(parts)
