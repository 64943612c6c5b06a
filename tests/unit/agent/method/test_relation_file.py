"""Which files a manifest may vouch for (C1 in docs/explanation/methods.md), and which are found."""

from pathlib import Path

import pytest

from pgpool_recovery.agent.method.relation_file import (
    parse_name,
    parse_path,
    path_of,
    vouched_paths,
)
from pgpool_recovery.domain.error import Refused
from pgpool_recovery.facts.facts import RelationSegment

VERSION = "PG_17_202406281"
FILES = {
    "global/1260": True,
    "global/1260_vm": False,
    "global/1260_fsm": False,
    "global/pg_control": False,
    "global/pg_filenode.map": False,
    "base/5/16384": True,
    "base/5/16384.1": True,
    "base/5/16384_init": True,
    "base/5/16384_init.1": True,
    "base/5/16384_vm": False,
    "base/5/16384_vm.1": False,
    "base/5/16384_fsm": False,
    "base/5/t3_16385": False,
    "base/5/PG_VERSION": False,
    "base/5/pg_internal.init": False,
    "base/pgsql_tmp/pgsql_tmp1.0": False,
    "base/16384": False,
    "pg_xact/0000": False,
    f"pg_tblspc/16400/{VERSION}/5/16500": True,
    f"pg_tblspc/16400/{VERSION}/5/16500_vm": False,
    "pg_tblspc/16400/PG_16_202307071/5/16500": False,
}


@pytest.fixture
def data(tmp_path: Path) -> Path:
    (tmp_path / "data" / "pg_tblspc").mkdir(parents=True)
    (tmp_path / "fast").mkdir()
    (tmp_path / "data" / "pg_tblspc" / "16400").symlink_to(tmp_path / "fast")
    for name in FILES:
        file = tmp_path / "data" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.touch()
    return tmp_path / "data"


def test_only_main_and_init_forks_are_vouched_for(data: Path) -> None:
    found = list(vouched_paths(data, {16400: data.parent / "fast"}, VERSION))
    assert sorted(found) == sorted(name for name, is_vouched in FILES.items() if is_vouched)


@pytest.mark.parametrize("name", ["base/5/99", "base/9", "global/99"])
def test_links_in_the_way_are_refused(data: Path, name: str) -> None:
    (data / name).symlink_to("/somewhere")
    with pytest.raises(Refused, match=r"is a symbolic link"):
        list(vouched_paths(data, {}, VERSION))


@pytest.mark.parametrize(
    ("segment", "path"),
    [
        (RelationSegment(1664, 0, 1260, fork=0, segment=0), "global/1260"),
        (RelationSegment(1663, 5, 16384, fork=3, segment=1), "base/5/16384_init.1"),
        (
            RelationSegment(16400, 5, 16384, fork=0, segment=12),
            f"pg_tblspc/16400/{VERSION}/5/16384.12",
        ),
    ],
)
def test_the_path_of_a_segment_is_the_one_that_a_manifest_has(
    segment: RelationSegment, path: str
) -> None:
    assert path_of(segment, VERSION) == path
    file = parse_path(path)
    assert file is not None
    assert (file.relfilenode, file.number) == (segment.relfilenode, segment.segment)


@pytest.mark.parametrize(
    "name",
    ["1_", "_vm", "1.", "1_vm.", "1_init_vm", "x1", "1.2.3", "-1", "\N{DEVANAGARI DIGIT ONE}"],
)
def test_names_of_other_files(name: str) -> None:
    assert parse_name(name) is None
