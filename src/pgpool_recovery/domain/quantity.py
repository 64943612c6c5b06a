"""Format sizes, rates and durations: whatever a plan, an event or a message says is said here.

Limits that are settings keep the unit of the setting instead: a person compares the two.
"""

FEW_SECONDS, MINUTES_FROM_S, HOURS_FROM_S = 10, 90, 5400
MINUTE_S, HOUR_S, DAY_S = 60, 3600, 86400


def pretty_size(count: int) -> str:
    """Return a number of bytes as text for a person, in the units of pg_size_pretty().

    >>> pretty_size(10 * 2**30 + 1)
    '10 GB'
    """
    units = ["bytes", "kB", "MB", "GB", "TB"]
    value = float(count)
    while value >= 10240 and len(units) > 1:
        value /= 1024
        units.pop(0)
    return f"{value:.0f} {units[0]}"


def pretty_rate(bytes_per_s: float) -> str:
    """Return how fast bytes move.

    >>> [pretty_rate(rate) for rate in (0.0, 300e3, 126.5 * 2**20)]
    ['0 bytes/s', '293 kB/s', '126 MB/s']
    """
    return f"{pretty_size(int(bytes_per_s))}/s"


def pretty_duration(seconds: float) -> str:
    """Return a duration with two units at most.

    >>> [pretty_duration(s) for s in (0.04, 4.24, 42.4, 75, 7325, 200000)]
    ['0.0 s', '4.2 s', '42 s', '1 min 15 s', '2 h 2 min', '2 d 7 h']
    """
    if seconds < MINUTE_S:
        return f"{seconds:.1f} s" if seconds < FEW_SECONDS else f"{seconds:.0f} s"
    whole = round(seconds)
    if whole < HOUR_S:
        return f"{whole // MINUTE_S} min {whole % MINUTE_S} s"
    if whole < DAY_S:
        return f"{whole // HOUR_S} h {whole % HOUR_S // MINUTE_S} min"
    return f"{whole // DAY_S} d {whole % DAY_S // HOUR_S} h"


def rough_duration(seconds: float) -> str:
    """Return a duration as it is said if it is not known exactly.

    >>> [rough_duration(s) for s in (0.3, 42, 150, 7200)]
    ['10 s', '42 s', '2 min', '2 h']
    """
    if seconds < FEW_SECONDS:
        return f"{FEW_SECONDS} s"
    if seconds < MINUTES_FROM_S:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < HOURS_FROM_S else f"{seconds / 3600:.0f} h"
