"""Zip files have the same bytes whenever, wherever and by whomever they are made."""

import io
import os
import time
import zipfile
from collections.abc import Iterator

import pytest

from packages.archive import archive_of, members
from packages.tree import File, Link

TREE = {"b/run": File(b"#!/bin/sh\n", 0o755), "a": File(b"text\n" * 99)}
WHEN = 1700000000


@pytest.fixture
def elsewhere(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Another umask and time zone."""
    monkeypatch.setenv("TZ", "Asia/Kathmandu")
    time.tzset()
    before = os.umask(0o077)
    yield
    os.umask(before)
    monkeypatch.undo()
    time.tzset()


HERE = archive_of(TREE, WHEN)


@pytest.mark.usefixtures("elsewhere")
def test_same_bytes_elsewhere() -> None:
    assert archive_of(TREE, WHEN) == HERE


def test_time_is_in_utc_and_the_order_and_modes_are_those_of_the_tree() -> None:
    with zipfile.ZipFile(io.BytesIO(HERE)) as opened:
        listed = [(each.filename, each.external_attr >> 16) for each in opened.infolist()]
        assert listed == [("b/run", 0o100755), ("a", 0o100644)]
        assert {each.date_time for each in opened.infolist()} == {(2023, 11, 14, 22, 13, 20)}


def test_earliest_time_is_that_of_the_format() -> None:
    with zipfile.ZipFile(io.BytesIO(archive_of(TREE, 0))) as opened:
        assert {each.date_time for each in opened.infolist()} == {(1980, 1, 1, 0, 0, 0)}


def test_script_before_it_does_not_hide_its_files() -> None:
    whole = archive_of(TREE, WHEN, b"#!/bin/sh\nexit\n")
    assert whole.startswith(b"#!/bin/sh\nexit\nPK")
    assert members(whole) == {"b/run": b"#!/bin/sh\n", "a": b"text\n" * 99}


def test_link_is_no_file() -> None:
    with pytest.raises(TypeError, match="usr/link is a link"):
        archive_of({"usr/link": Link("a")}, WHEN)
