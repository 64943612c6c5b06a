"""The first database that lets us in is queried; otherwise the first failure is reported."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

import pytest

from pgpool_recovery.control import cluster
from pgpool_recovery.control.cluster import Node, SqlLogin, ask_databases, ask_first_database
from pgpool_recovery.domain.error import Unreachable
from tests.unit.cli import facts

NODE = facts.NODES[0]
LOGIN = replace(facts.cluster().login, databases=("a", "b", "c"))


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Return the databases that were connected to; only c lets us in."""
    seen: list[str] = []

    @contextmanager
    def connect_to(_node: Node, _login: SqlLogin, database: str) -> Iterator[str]:
        seen.append(database)
        if database != "c":
            raise Unreachable(f"no {database}")
        yield database

    monkeypatch.setattr(cluster, "connect_to", connect_to)
    return seen


def test_next_database_is_queried_after_one_that_refuses_the_login(asked: list[str]) -> None:
    assert ask_first_database(NODE, LOGIN, str, lambda _why: True) == ("c", "c")
    assert asked == ["a", "b", "c"]


def test_no_other_database_is_queried_after_a_failure_they_share(asked: list[str]) -> None:
    with pytest.raises(Unreachable, match="no a"):
        ask_first_database(NODE, LOGIN, str, lambda why: why.message != "no b")
    assert asked == ["a", "b"]


def test_each_database_answers_or_says_why_not(asked: list[str]) -> None:
    said = dict(ask_databases(NODE, LOGIN, str))
    assert [*said] == asked == ["a", "b", "c"]
    assert said["c"] == "c"
    assert isinstance(said["b"], Unreachable)


def test_without_a_database_there_is_a_reason(asked: list[str]) -> None:
    with pytest.raises(Unreachable, match="no database of node 0 is known"):
        ask_first_database(NODE, replace(LOGIN, databases=()), str, lambda _why: True)
    assert asked == []
