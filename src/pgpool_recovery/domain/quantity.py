"""Format numbers for messages."""


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


FEW_SECONDS, MINUTES_FROM_S, HOURS_FROM_S = 10, 90, 5400


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
