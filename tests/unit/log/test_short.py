"""How values appear in the log: shortened, on one line, and without passwords."""

from collections import deque
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path
from typing import NamedTuple

import pytest

from pgpool_recovery.domain.error import Undone
from pgpool_recovery.domain.record import record
from pgpool_recovery.domain.wal import Lsn, Point, TimelineId
from pgpool_recovery.log.short import MAX_CHARACTERS, MAX_ITEMS, name_of, short


class Colour(Enum):
    BLUE = "blue"


@record
class Inner:
    begin: Lsn | None
    count: int = 3


@dataclass(frozen=True)
class Outer:
    inner: Inner
    name: str = "same"
    password: str = "none"
    others: dict[str, str] = field(default_factory=dict)


class Pair(NamedTuple):
    left: int
    right: int = 2


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("a sentence", "a sentence"),
        (["a sentence"], "['a sentence']"),
        (["it's"], "['it'\\''s']"),
        (None, "None"),
        (0.25, "0.25"),
        (b"abc", "<3 bytes>"),
        (Path("/data"), "/data"),
        (Colour.BLUE, "blue"),
        ({"a": [1, 2]}, "{a: [1, 2]}"),
        (deque([1]), "[1]"),
        (frozenset([1]), "[1]"),
        (Point(TimelineId(1), Lsn(68522712)), "0/41592D8@1"),
        (Outer(Inner(Lsn(68522712))), "Outer(inner: Inner(begin: 0/41592D8))"),
        (Outer(Inner(None, 4), "b"), "Outer(inner: Inner(begin: None, count: 4), name: b)"),
        (Pair(1), "Pair(left: 1)"),
        (Undone("it failed", detail="Why."), "Undone: it failed: Why."),
        (KeyError("a value"), "KeyError"),
        ("one\ntwo\x1b[2J \udce9", "one\\ntwo\\x1b[2J \\xe9"),
    ],
)
def test_value(value: object, expected: str) -> None:
    assert short(value) == expected


def test_what_was_shown_before_is_named() -> None:
    assert name_of(Inner(None)) == "Inner"
    assert name_of(("/usr/bin/pg_rewind", "-D", "/data")) == "pg_rewind"
    assert name_of("node 1") == "node 1"
    assert name_of(3) == "3"


def test_everything_has_a_limit() -> None:
    many = short(list(range(1000)))
    assert many.endswith(f", {1000 - MAX_ITEMS} more]")
    deep: object = "x"
    for _ in range(1000):
        deep = [deep, 1]
    for value in ("x" * 10**7, ["x" * 10**6] * 1000, {str(n): "x" * 999 for n in range(99)}, deep):
        assert len(short(value)) <= MAX_CHARACTERS + len("...(10000000 characters)")


@pytest.mark.parametrize(
    "value",
    [
        {"password": "s3cr3t", "host": "a"},
        {"sslpassword": "s3cr3t"},
        {"scram_client_key": "s3cr3t"},
        {"oauth_client_secret": "s3cr3t"},
        Outer(Inner(None), password="s3cr3t"),
        ["psql", "host=a password='x s3cr3t' user=b"],
        ["psql", "--password", "it's s3cr3t"],
        ["sh", "-c", "PGPASSWORD='x s3cr3t' false"],
        ["sshpass", "-p", "s3cr3t", "ssh"],
        ["gpg", "--passphrase", "it's s3cr3t"],
        ["tool", "--secret-key", "s3cr3t"],
        ["pgbackrest", "--repo1-cipher-pass", "x s3cr3t"],
        ["openssl", "-pass", "pass:x s3cr3t"],
        {"restore_command": "AWS_SECRET_ACCESS_KEY=s3cr3t aws s3 cp s3://b/%f %p"},
        ["curl", "-u", "me:s3cr3t", "https://h"],
        "postgres://me:s3cr3t@host/db",
        "server1:5432:*:repl:s3cr3t",
        "x" * 990 + " password=" + "s3cr3t" * 3,
        {"restore_command": "PGPASSWORD=s3cr3t cp a b"},
        Undone("it said", detail="connection string: password=s3cr3t"),
        KeyError("s3cr3t"),
    ],
)
def test_no_password_is_told(value: object) -> None:
    assert "s3cr3t" not in short(value)
    assert "s3cr3t" not in short([value, [value]])
