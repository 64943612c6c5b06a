"""What belongs to the data of a server is said once, and all that ask get the same answer."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import pgpool_recovery
from pgpool_recovery.domain import data_directory
from pgpool_recovery.domain.data_directory import (
    CLUSTER_ENTRIES,
    EMPTIED,
    LINKS,
    LOG_DIRECTORIES,
    NO_DATA,
    REMOVED_FROM_CHANGED,
    REMOVED_FROM_MADE,
    REPLACED,
    STANDBY_FILES,
    UNSENT_DIRECTORIES,
    USUALLY_EMPTY,
    is_never_sent,
    is_of_node,
)
from pgpool_recovery.domain.sent_file import RELATION, TEMPORARY, is_sent, sent_of
from pgpool_recovery.in_server.pid_file import PID_FILE_NAME

SOURCES = Path(pgpool_recovery.__file__).parent
HOME = Path(data_directory.__file__)
PATTERNS = ("pgsql_tmp", "pg_internal.init", "current_logfiles.tmp", "postgresql.auto.conf.tmp")
KNOWN = {*CLUSTER_ENTRIES, *STANDBY_FILES, *REMOVED_FROM_MADE, *LOG_DIRECTORIES, *PATTERNS}


def lists_in(text: str) -> Iterator[tuple[int, list[str]]]:
    """Yield each collection, or pattern with alternatives, that has two known names: its line."""
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.List | ast.Tuple | ast.Set):
            names = [*map(text_of, node.elts)]
        elif isinstance(node, ast.Dict):
            names = [*map(text_of, node.keys)]
        elif isinstance(node, ast.Constant) and "|" in (pattern := text_of(node)):
            names = re.split(r"[|()]", pattern.replace("\\", ""))
        else:
            continue
        known = [name for name in names if name.rstrip(".*") in KNOWN]
        if len(known) > 1:
            yield node.lineno, known


def text_of(node: ast.expr | None) -> str:
    """Return the value of a literal text, and nothing for anything else."""
    is_text = isinstance(node, ast.Constant) and isinstance(node.value, str)
    return str(node.value) if is_text and isinstance(node, ast.Constant) else ""


def test_no_other_module_has_such_a_list() -> None:
    files = [file for file in SOURCES.rglob("*.py") if file != HOME]
    assert len(files) > 500
    found = [
        f"{file.relative_to(SOURCES)}:{line}: {', '.join(names)}"
        for file in files
        for line, names in lists_in(file.read_text())
    ]
    assert found == [], "ask domain/data_directory.py, or add a question there"
    assert len(list(lists_in(HOME.read_text()))) > 8


@pytest.mark.parametrize(
    "text",
    [
        'for name in ("pg_wal", "pg_replslot"): pass',
        'A = {"postmaster.pid", "x", "backup_label"}',
        'A = {"standby.signal": 1, "recovery.signal": 2}',
        r'A = re.compile(r"pgsql_tmp.*|postmaster\.pid")',
    ],
)
def test_such_a_list_is_found(text: str) -> None:
    assert list(lists_in(text))


@pytest.mark.parametrize("text", ['data / "pg_wal" / "x"', 'A = ("pg_wal", "b")', 'A = "a|pg_wal"'])
def test_a_single_name_is_no_list(text: str) -> None:
    assert not list(lists_in(text))


def test_every_entry_is_of_one_kind() -> None:
    assert not REPLACED & EMPTIED
    assert LINKS not in REPLACED | EMPTIED
    assert UNSENT_DIRECTORIES < EMPTIED
    assert set(USUALLY_EMPTY) <= REPLACED | EMPTIED | {LINKS}
    assert {*REPLACED, *EMPTIED, LINKS, *REMOVED_FROM_CHANGED, *NO_DATA} < CLUSTER_ENTRIES
    assert PID_FILE_NAME in {*REMOVED_FROM_CHANGED} & {*REMOVED_FROM_MADE}
    assert not any(map(is_of_node, CLUSTER_ENTRIES))


DIRECTORIES = ("", "base/5", "global", "pg_xact", "log", "pg_tblspc/16400/PG_15_202209061/5")
NUMBERS = st.integers(1, 3).map(str)
FORKS = st.sampled_from(["", "_fsm", "_vm", "_init"])
SEGMENTS = st.sampled_from(["", ".1"])
NAMES = st.one_of(
    st.builds("".join, st.tuples(NUMBERS, FORKS, SEGMENTS)),
    st.builds("".join, st.tuples(st.just("t3_"), NUMBERS, FORKS, SEGMENTS)),
    st.sampled_from(sorted({*KNOWN, "pg_internal.init.7", "pgsql_tmp7.0", "PG_VERSION", "x.conf"})),
    st.sampled_from(["pgpool_recovery.marker", ".DS_Store", "pg_filenode.map", "t3_", "1_", "1.x"]),
)


@given(directory=st.sampled_from(DIRECTORIES), names=st.lists(NAMES, unique=True))
def test_what_is_sent_may_be_sent(directory: str, names: list[str]) -> None:
    """What lists a directory and what takes a path from the wire agree; reinit.c has the rest."""
    sent = set(sent_of(directory, names))
    above = directory.split("/") if directory else []
    may_be = {name for name in names if is_sent((*above, name))}
    assert sent <= may_be
    for name in may_be - sent:
        found = RELATION.fullmatch(name)
        assert found is not None
        assert {f"{found[1]}_init", f"{found[1]}_init.1"} & {*names}, f"{name} is logged"
    assert not any(map(is_never_sent, sent))
    if "/" in directory:
        assert not any(map(TEMPORARY.fullmatch, sent))


def test_our_own_files_are_in_no_copy_but_settings_beside_the_data_are() -> None:
    names = ["pgpool_recovery.toml", "pgpool_recovery", "pg_hba.conf", "postmaster.pid"]
    assert list(sent_of("", names)) == ["pgpool_recovery.toml", "pg_hba.conf"]
    assert list(sent_of("global", ["pgpool_recovery.marker", "1262"])) == ["1262"]
