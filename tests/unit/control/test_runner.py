"""Who runs a recovery: Pgpool-II only where it can handle the next failure meanwhile."""

from dataclasses import replace
from typing import Self

import pytest

from pgpool_recovery.control.extension import Extension, Feature, Primary
from pgpool_recovery.control.runner import BY_SQL, HELD_UP, Runner, choose_runner
from tests.unit.cli import facts

OLD = {"backend_clustering_mode": "streaming_replication"}
NEW = OLD | {"log_pcp_processes": "1"}
RECOVERS = Extension("postgres", "2.0", frozenset({Feature.RECOVERY}))
BARE = Extension("postgres", "1.3", frozenset())


def choose(
    parameters: dict[str, str],
    *extensions: Extension,
    has_standbys: bool = True,
) -> Runner:
    cluster = replace(facts.cluster(), parameters=parameters, has_standbys=has_standbys)
    return choose_runner(cluster, Primary(facts.NODES[0], cluster.login, extensions))


def test_pgpool_that_goes_on_meanwhile() -> None:
    assert choose(NEW, RECOVERS) == Runner(by_sql=False)
    assert choose({}, RECOVERS) == Runner(by_sql=False)


def test_two_stages_need_pgpool() -> None:
    found = choose(OLD, RECOVERS, has_standbys=False)
    assert not found.by_sql
    assert found.remark == f"{HELD_UP}it has to hold back the clients during the second stage"


def test_extension_that_cannot_be_called_by_us() -> None:
    found = choose(OLD, BARE)
    assert not found.by_sql
    assert str(found.remark).startswith(HELD_UP)
    assert "no function pgpool_recovery with seven arguments" in str(found.remark)


class Connection:
    """Answers whether we may call the functions."""

    def __init__(self, *, may_recover: bool) -> None:
        self._row = {"role": "looks", "may_recover": may_recover}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """Nothing was opened."""

    def row(self, query: str) -> dict[str, object]:
        assert query == "may_recover"
        return self._row


@pytest.mark.parametrize("may_recover", [True, False])
def test_our_own_rights_decide(monkeypatch: pytest.MonkeyPatch, *, may_recover: bool) -> None:
    connection = Connection(may_recover=may_recover)
    monkeypatch.setattr(Primary, "connect", lambda *_: connection)
    found = choose(OLD, RECOVERS)
    assert found.by_sql is may_recover
    refused = f"{HELD_UP}looks may not call the functions on the primary (node 0)"
    assert found.remark == (BY_SQL if may_recover else refused)
