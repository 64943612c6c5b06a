"""By which names Pgpool-II can call a stage script."""


def is_inside(name: str) -> bool:
    """Say whether a name leads to a file of the data directory, be it in a directory there.

    >>> is_inside("stage"), is_inside("scripts/stage"), is_inside("scripts/../stage")
    (True, True, False)
    >>> is_inside("/bin/true"), is_inside(""), is_inside("scripts/")
    (False, False, False)
    """
    return not {"", ".", ".."}.intersection(name.split("/"))
