"""Say which files of a data directory a copy has, whatever lists, sends or receives them.

The names of relation files decide that in the directories of databases (sendDir in basebackup.c),
and domain/data_directory.py everywhere else.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from typing import TypeGuard

from pgpool_recovery.domain.data_directory import LINKS, WORKSPACE, is_guard, is_never_sent

RELATION = re.compile(r"([0-9]+)(_fsm|_vm|_init)?(?:\.([0-9]+))?")
"""The name of a relation file: its number, the suffix of its fork, and its segment (relpath.c)."""
TEMPORARY = re.compile(r"t[0-9]+_[0-9]+(?:_(?:fsm|vm|init))?(?:\.[0-9]+)?")
"""The name of a file of a temporary relation (looks_like_temp_rel_name in reinit.c)."""
INIT = "_init"
"""The fork of an unlogged relation that is sent; a server that recovers makes the others of it."""
DATABASE = re.compile(rf"(?:base|{LINKS}/[0-9]+/PG_[0-9]+_[0-9]+)/[0-9]+")


def is_of_database(directory: str) -> bool:
    """Return whether a path in a data directory is the directory of a database.

    >>> is_of_database("base/5"), is_of_database("pg_tblspc/16400/PG_17_202406281/5")
    (True, True)
    >>> is_of_database("global"), is_of_database("pg_multixact/members")
    (False, False)
    """
    return DATABASE.fullmatch(directory) is not None


def is_of_relations(directory: str) -> bool:
    """Return whether a path in a data directory is that of a directory with relation files."""
    return directory == "global" or is_of_database(directory)


def is_sent(parts: Sequence[str]) -> bool:
    """Return whether the names in a path are those of a file that a copy may have.

    Of a relation that is unlogged, only its init fork tells that (`sent_of`).

    >>> is_sent(("base", "5", "1259")), is_sent(("base", "pgsql_tmp", "1")), is_sent(("log", "1"))
    (True, False, True)
    >>> is_sent(("global", "pgpool_recovery.marker")), is_sent(("base", "5", "t3_16390"))
    (False, False)
    """
    *above, name = parts
    directory = "/".join(above)
    return (
        not any(map(is_never_sent, parts))
        and parts[0] != WORKSPACE
        and not is_guard(directory, name)
        and not (TEMPORARY.fullmatch(name) and is_of_database(directory))
    )


def sent_of(directory: str, names: Iterable[str]) -> Iterator[str]:
    """Yield which of the entries of a directory a copy has, as sendDir() of basebackup.c does.

    `directory` is a path in the data directory, of which a copy has all above; "" is that itself,
    whose entries include the node's own.

    >>> list(sent_of("base/5", ["1259", "16384", "16384_init", "t3_16390", "pg_internal.init"]))
    ['1259', '16384_init']
    """
    names = [name for name in names if not is_never_sent(name)]
    if not is_of_database(directory):
        yield from (
            name
            for name in names
            if not is_guard(directory, name) and not (name == WORKSPACE and not directory)
        )
        return
    unlogged = {found[1] for found in map(RELATION.fullmatch, names) if _is_init(found)}
    for name in names:
        found = RELATION.fullmatch(name)
        is_left_out = found is not None and found[1] in unlogged and not _is_init(found)
        if not is_left_out and TEMPORARY.fullmatch(name) is None:
            yield name


def _is_init(found: re.Match[str] | None) -> TypeGuard[re.Match[str]]:
    return found is not None and found[2] == INIT
