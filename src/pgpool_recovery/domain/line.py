"""Where a line of somebody else's text ends."""


def lines_of(text: str) -> list[str]:
    r"""Return the lines of a text, each without its end, which is "\n" and nothing else.

    PostgreSQL, Pgpool-II and the kernel end a line so. `str.splitlines` sees an end in eight other
    characters, too, among them a form feed and U+0085: within a value of postgresql.auto.conf it
    would make a line of its own of the rest.

    >>> lines_of("a = 'x\fy'\nb = '\x85'\n")
    ["a = 'x\x0cy'", "b = '\x85'"]
    >>> lines_of("one\n\nlast"), lines_of("")
    (['one', '', 'last'], [])
    """
    lines = text.split("\n")
    return lines if lines[-1] else lines[:-1]
