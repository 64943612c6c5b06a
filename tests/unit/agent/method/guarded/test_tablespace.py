"""Where each tablespace goes, and what is refused before anything is touched."""

from pathlib import Path

import pytest

from pgpool_recovery.agent.method.guarded.tablespace import (
    linked_tablespaces,
    match_tablespaces,
)
from pgpool_recovery.domain.error import Refused
from pgpool_recovery.postgres.backup_stream import SentTablespace

VERSION = "PG_17_202406281"


def test_known_new_and_gone(tmp_path: Path) -> None:
    linked = {1: tmp_path / "kept", 2: tmp_path / "gone"}
    sent = [SentTablespace(1, "/primary/kept"), SentTablespace(3, "/primary/new")]
    found = match_tablespaces(linked, sent, {3: str(tmp_path / "new")}, VERSION)
    assert found.directories == {1: tmp_path / "kept", 3: tmp_path / "new"}
    assert (found.new, found.gone) == (frozenset({3}), frozenset({2}))


def test_a_new_one_without_a_place() -> None:
    with pytest.raises(Refused, match="tablespace 3 of the primary has no place"):
        match_tablespaces({}, [SentTablespace(3, "/primary/new")], {}, VERSION)


def test_a_new_one_whose_place_is_in_use(tmp_path: Path) -> None:
    (tmp_path / VERSION / "5").mkdir(parents=True)
    with pytest.raises(Refused, match="holds data that is not known to be the node's own"):
        match_tablespaces({}, [SentTablespace(3, "/p")], {3: str(tmp_path)}, VERSION)


def test_tablespaces_in_place(tmp_path: Path) -> None:
    with pytest.raises(Refused, match="created in place"):
        match_tablespaces({}, [SentTablespace(3, "pg_tblspc/3")], {3: "/x"}, VERSION)
    (tmp_path / "pg_tblspc" / "16400").mkdir(parents=True)
    with pytest.raises(Refused, match="tablespace 16400 was created in place"):
        linked_tablespaces(tmp_path)


def test_links_are_resolved(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "alias").symlink_to(tmp_path / "real")
    (tmp_path / "pg_tblspc").mkdir()
    (tmp_path / "pg_tblspc" / "16400").symlink_to(tmp_path / "alias")
    (tmp_path / "pg_tblspc" / "pgsql_tmp").mkdir()
    assert linked_tablespaces(tmp_path) == {16400: tmp_path / "real"}
