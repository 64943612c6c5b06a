"""Render numbers and times for people."""

from datetime import datetime

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


def progress(done: int | None, total: int | None, rate: float | None, left: float | None) -> str:
    """Return how far a step has come; empty if it moves no data.

    `done` and `total` are in bytes, `rate` in bytes per second, `left` in seconds.

    >>> progress(512 * 2**20, 2**30, 64 * 2**20, 8)
    '512 MB of 1024 MB (50 %), 64 MB/s, 8.0 s left'
    >>> progress(2**20, None, None, None)
    '1024 kB'
    """
    if done is None:
        return ""
    text = pretty_size(done)
    if total:
        text += f" of {pretty_size(total)} ({min(100, 100 * done // total)} %)"
    if rate:
        text += f", {pretty_rate(rate)}"
    if left is not None:
        text += f", {duration(left)} left"
    return text
