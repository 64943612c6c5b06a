"""What goes into psql and what comes out of it."""

import csv
import io

# Rows alone, as CSV, and an exit status other than 0 after the first statement that fails.
OUTPUT_OPTIONS = ("-X", "-q", "-t", "--csv", "-v", "ON_ERROR_STOP=1")


def rows_of(csv_text: str) -> list[tuple[str, ...]]:
    """Return the rows that psql wrote with `OUTPUT_OPTIONS`, each value as text.

    NULL is the empty string. A row of one empty value is an empty line.

    >>> rows_of('1,"two\\nlines"\\n\\n')
    [('1', 'two\\nlines'), ('',)]
    """
    return [tuple(row) or ("",) for row in csv.reader(io.StringIO(csv_text, newline=""))]


def conninfo(**parameters: str) -> str:
    """Return a libpq connection string.

    >>> conninfo(host="node1", port="5432")
    'host=node1 port=5432'
    """
    return " ".join(f"{key}={value}" for key, value in parameters.items())


def quoted(value: str) -> str:
    """Quote a literal, for SQL and for postgresql.conf alike.

    >>> quoted("it's")
    "'it''s'"
    """
    return "'" + value.replace("'", "''") + "'"
