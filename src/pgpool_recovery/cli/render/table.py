"""Render a table as plain text, as wide as its contents."""

from collections.abc import Sequence


def table(header: Sequence[str], rows: Sequence[Sequence[str]], *, right: str = "") -> list[str]:
    """Return the lines of a table; `right` names the columns that are aligned to the right.

    >>> table(["node", "lag"], [["0", "12 kB"], ["1", "3 MB"]], right="lag")
    ['node    lag', '0     12 kB', '1      3 MB']
    """
    widths = [max(len(cell) for cell in column) for column in zip(header, *rows, strict=True)]
    is_right = [name in right.split() for name in header]

    def line(cells: Sequence[str]) -> str:
        padded = [
            cell.rjust(width) if to_right else cell.ljust(width)
            for cell, width, to_right in zip(cells, widths, is_right, strict=True)
        ]
        return "  ".join(padded).rstrip()

    return [line(header), *map(line, rows)]
