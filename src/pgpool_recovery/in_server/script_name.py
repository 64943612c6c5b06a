"""Check the names by which Pgpool-II can call a stage script."""


def is_inside(name: str) -> bool:
    """Return whether a name stands for a file inside the data directory, at any depth.

    >>> is_inside("stage"), is_inside("scripts/stage"), is_inside("scripts/../stage")
    (True, True, False)
    >>> is_inside("/bin/true"), is_inside(""), is_inside("scripts/")
    (False, False, False)
    """
    return not {"", ".", ".."}.intersection(name.split("/"))
