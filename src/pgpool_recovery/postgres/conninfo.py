"""Connection strings of libpq as keywords and values."""

from collections.abc import Mapping

from pgpool_recovery.domain.error import Refused


def parse_conninfo(text: str) -> dict[str, str]:
    """Return the keywords and values of a connection string; Refused when libpq cannot read it."""
    import psycopg
    from psycopg.conninfo import conninfo_to_dict

    try:
        return {name: str(value) for name, value in conninfo_to_dict(text).items()}
    except psycopg.ProgrammingError as error:
        raise Refused("a connection string cannot be read", detail=str(error).strip()) from error


def format_conninfo(values: Mapping[str, str]) -> str:
    """Return a connection string of keywords and values, each quoted where it has to be.

    >>> format_conninfo({"host": "server 1", "port": "5432"})
    "host='server 1' port=5432"
    """
    from psycopg.conninfo import make_conninfo

    return make_conninfo(**values)
