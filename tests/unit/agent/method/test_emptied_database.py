"""Which databases replay would empty is read from what pg_waldump prints, and from nothing else."""

import struct
from pathlib import Path

import pytest

from pgpool_recovery.agent.method.emptied_database import Database, emptied, emptied_databases
from pgpool_recovery.domain.wal import TimelineId, file_of_segment
from pgpool_recovery.domain.wal_page import HAS_LONG_HEADER, MAGICS
from pgpool_recovery.host.stop import Stop

UP_TO_14 = """\
rmgr: Database    len (rec/tot):     42/    42, tx:        733, lsn: 0/01679F28, prev 0/01679EB0, \
desc: CREATE copy dir 1663/1 to 1663/12973
rmgr: Database    len (rec/tot):     42/    42, tx:          0, lsn: 0/0167A458, prev 0/0167A3E0, \
desc: CREATE copy dir 1663/12973 to 12974/12973
rmgr: Database    len (rec/tot):     38/    38, tx:          0, lsn: 0/0167AB70, prev 0/0167AB28, \
desc: DROP dir 1663/12973
pg_waldump: fatal: error in WAL record at 0/167BE60: invalid record length at 0/167BED8: wanted 24\
, got 0"""
FROM_15 = """\
rmgr: Database    len (rec/tot):     34/    34, tx:        662, lsn: 0/01750460, prev 0/017503B0, \
desc: CREATE_WAL_LOG create dir 1663/12973
rmgr: Database    len (rec/tot):     42/    42, tx:          0, lsn: 0/01B8FC10, prev 0/01B8FB90, \
desc: CREATE_FILE_COPY copy dir 1663/12973 to 12974/12973
rmgr: Database    len (rec/tot):     38/    38, tx:          0, lsn: 0/01B90130, prev 0/01B900E8, \
desc: DROP dir 1663/12973
pg_waldump: error: error in WAL record at 0/01FCDD20: invalid record length at 0/01FCDDA0: expected\
 at least 24, got 0"""
"""What pg_waldump of 14.23, and of 19rc1, prints of CREATE DATABASE and ALTER DATABASE … SET
TABLESPACE; 15 to 18 print the records like 19. OIDs are changed to be the same in both."""
on_each_wording = pytest.mark.parametrize("text", [UP_TO_14, FROM_15], ids=["14", "15 to 19"])
SIZE = 2**24
TEMPLATE, OLD, NEW = (1663, 1), (1663, 12973), (12974, 12973)
HEAD = "rmgr: Database    len (rec/tot):     42/    42, tx:          0, lsn: 0/0167A458, desc: "


def copied(original: Database, copy: Database) -> str:
    (space, oid), (other_space, other_oid) = original, copy
    return f"{HEAD}CREATE_FILE_COPY copy dir {space}/{oid} to {other_space}/{other_oid}"


@on_each_wording
def test_move_after_the_start_of_replay(text: str) -> None:
    _made, *rest = text.splitlines()
    assert emptied(rest, [TEMPLATE, NEW]) == [NEW]


@on_each_wording
def test_whole_life_in_the_wal(text: str) -> None:
    """The database is made first, so its original is there when it is copied."""
    assert emptied(text.splitlines(), [TEMPLATE, NEW]) == []


@on_each_wording
def test_database_that_is_no_longer_there_is_not_named(text: str) -> None:
    _made, *rest = text.splitlines()
    assert emptied(rest, [TEMPLATE]) == []
    gone, other = (1663, 7), (1663, 8)
    lines = [copied(TEMPLATE, other), copied(gone, other)]
    assert emptied(lines, [TEMPLATE]) == []
    assert emptied(lines, [TEMPLATE, other]) == [other]


def test_database_that_is_made_again_is_not_lost() -> None:
    lost = copied(OLD, NEW)
    assert emptied([lost, copied(TEMPLATE, NEW)], [TEMPLATE, NEW]) == []
    assert emptied([lost, f"{HEAD}CREATE_WAL_LOG create dir 12974/12973"], [NEW]) == []


def test_copy_of_a_lost_one_is_lost() -> None:
    other = (12975, 12973)
    lines = [copied(OLD, NEW), copied(NEW, other)]
    assert emptied(lines, [NEW, other]) == [NEW, other]


@pytest.mark.parametrize(
    "line",
    [
        "",
        'pg_waldump: error: could not open "/x, desc: CREATE copy dir 1/2 to 12974/12973"',
        'pg_waldump: error: "rmgr: Database , desc: CREATE copy dir 1663/2 to 12974/12973"',
        f"{HEAD}CREATE copy dir 1663/2 to 12974/12973.1",
        f"{HEAD}CREATE copy dir 1663/2 to 12974/",
        f"{HEAD}CREATE copy dir -1/2 to 12974/12973",
        f"{HEAD}DROP dir 12974/12973",
        "rmgr: Heap    len (rec/tot):     42/    42, desc: CREATE copy dir 1663/2 to 12974/12973",
        "desc: CREATE copy dir 1663/2 to 12974/12973",
    ],
)
def test_other_lines_mean_nothing(line: str) -> None:
    assert emptied([line], [NEW]) == []
    assert emptied([copied(OLD, NEW), line], [NEW]) == [NEW]


DUMP = f"""#!/bin/sh
case $* in *000000010000000000000009*) echo '{copied(OLD, NEW)}';; esac
"""


@pytest.fixture
def rewound(tmp_path: Path) -> Path:
    """A directory in whose WAL the segment of the fork is missing, as it comes from an archive."""
    for place in ("base/1", "pg_tblspc/12974/PG_15_202209061/12973", "pg_wal"):
        (tmp_path / place).mkdir(parents=True)
    for place in ("", "base/1", "pg_tblspc/12974/PG_15_202209061/12973"):
        (tmp_path / place / "PG_VERSION").write_text("15\n")
    label = "START WAL LOCATION: 0/5000028 (file 000000010000000000000005)\nSTART TIMELINE: 1\n"
    (tmp_path / "backup_label").write_text(label + "CHECKPOINT LOCATION: 0/5000060\n")
    (tmp_path / "pg_waldump").write_text(DUMP)
    (tmp_path / "pg_waldump").chmod(0o755)
    for number in (7, 9):
        begins = number * SIZE
        header = struct.pack(
            "<HHIQI4xQII", MAGICS[15], HAS_LONG_HEADER, 1, begins, 0, 1, SIZE, 8192
        )
        (tmp_path / "pg_wal" / file_of_segment(TimelineId(1), number, SIZE)).write_bytes(header)
    return tmp_path


def lost(data: Path) -> list[str]:
    return emptied_databases(data, str(data), [TimelineId(1)], Stop())


def test_wal_after_a_gap_is_read(rewound: Path) -> None:
    assert lost(rewound) == ["pg_tblspc/12974/PG_15_202209061/12973"]


def test_directory_of_an_older_major_is_no_original(rewound: Path) -> None:
    """pg_upgrade leaves it beside the new one, with the same OID."""
    left = rewound / "pg_tblspc/1663/PG_13_202007201/12973"
    left.mkdir(parents=True)
    (left / "PG_VERSION").write_text("13\n")
    assert lost(rewound) == ["pg_tblspc/12974/PG_15_202209061/12973"]


def test_nothing_is_lost_when_there_was_nothing_to_rewind(rewound: Path) -> None:
    (rewound / "backup_label").unlink()
    assert lost(rewound) == []
