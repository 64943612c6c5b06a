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
