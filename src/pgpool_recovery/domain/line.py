"""Split foreign text into lines."""


def lines_of(text: str) -> list[str]:
    r"""Return the lines of a text without their ends; only "\n" ends a line.

    PostgreSQL, Pgpool-II and the kernel end lines in this way. `str.splitlines` also splits at
    eight other characters, among them a form feed and U+0085. A value in postgresql.auto.conf that
    contains one would be split into two lines.

    >>> lines_of("a = 'x\fy'\nb = '\x85'\n")
    ["a = 'x\x0cy'", "b = '\x85'"]
    >>> lines_of("one\n\nlast"), lines_of("")
    (['one', '', 'last'], [])
    """
    lines = text.split("\n")
    return lines if lines[-1] else lines[:-1]
