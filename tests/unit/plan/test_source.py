"""From which server a copy is read, beyond what the cases show."""

from dataclasses import replace

import pytest

from pgpool_recovery.domain.node import NodeId
from pgpool_recovery.domain.standby import StandbyFacts
from pgpool_recovery.facts.policy import CopySource, Method, Policy
from pgpool_recovery.facts.source import Source, SourceServer
from pgpool_recovery.facts.step.transfer import CopyBaseBackup, Delta, SourceNode
from pgpool_recovery.plan.ladder import make_plan
from pgpool_recovery.plan.plan import Plan
from pgpool_recovery.plan.situation import Situation
from pgpool_recovery.plan.source import MAX_LAG_BYTES, SAME_LAG_BYTES, choose_source
from tests.unit.plan.situation import CONNINFO, TARGET, facts

AUTO = CopySource("auto")
SERVER = SourceServer(StandbyFacts(is_in_recovery=True), 150007, 5432, 10, 1, 0, {})


def standby(node_id: int, *, lag_bytes: int = 0, backups: int = 0) -> Source:
    return Source(
        NodeId(node_id),
        host=f"server{node_id}",
        data_directory="/data",
        slot_name=f"pgpool_node_{node_id}",
        application_name=f"server{node_id}",
        lag_bytes=lag_bytes,
        server=replace(SERVER, backups=backups),
        conninfo={**CONNINFO, "host": f"server{node_id}"},
    )


def chosen(*sources: Source, target: int = 1, source: CopySource = AUTO) -> int | None:
    situation = Situation(
        replace(TARGET, node_id=NodeId(target)), facts(sources=sources), Policy(source=source)
    )
    return choose_source(situation).node_id


def test_two_recoveries_at_once_read_from_two_standbys() -> None:
    found = {chosen(standby(3), standby(4), target=target) for target in (1, 2)}
    assert found == {3, 4}


@pytest.mark.parametrize("target", [1, 2])
def test_one_that_is_read_by_nobody_comes_first(target: int) -> None:
    assert chosen(standby(3, backups=1), standby(4, lag_bytes=MAX_LAG_BYTES), target=target) == 4


@pytest.mark.parametrize("target", [1, 2])
def test_then_the_one_that_lags_least(target: int) -> None:
    assert chosen(standby(3), standby(4, lag_bytes=SAME_LAG_BYTES), target=target) == 3


def test_lag_has_a_limit() -> None:
    assert chosen(standby(3, lag_bytes=MAX_LAG_BYTES)) == 3
    assert chosen(standby(3, lag_bytes=MAX_LAG_BYTES + 1)) is None


def test_without_the_setting_no_standby_is_read() -> None:
    assert chosen(standby(3), source=CopySource("primary")) is None


@pytest.mark.parametrize("method", [Method.BASEBACKUP, Method.DELTA])
def test_step_leads_to_the_standby_and_its_wal_to_the_primary(method: Method) -> None:
    policy = Policy(methods=(method,), source=AUTO)
    plan = make_plan(TARGET, facts(sources=(standby(3),)), policy)
    assert isinstance(plan, Plan)
    assert plan.source == 3
    assert "read from node 3" in plan.summary
    [step] = [one for one in plan.steps if isinstance(one, CopyBaseBackup | Delta)]
    assert step.source == SourceNode(NodeId(3), "pgpool_node_3", "server3", "server3", "/data")
    if isinstance(step, CopyBaseBackup):
        assert step.conninfo["host"] == "server3"
        assert step.wal_conninfo == CONNINFO
    configured = next(one for one in plan.steps if type(one).__name__ == "ConfigureStandby")
    assert configured.conninfo["host"] == "server1"  # type: ignore[union-attr]
