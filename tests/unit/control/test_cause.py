"""Why a recovery failed, by what PCP says and what is on record."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

from pgpool_recovery.config.settings import Settings
from pgpool_recovery.control.cause import cause
from pgpool_recovery.control.extension import Primary
from pgpool_recovery.control.job import Job
from pgpool_recovery.control.record import RecordedRun
from pgpool_recovery.domain.error import (
    Busy,
    Incomplete,
    RecoveryError,
    Undone,
    Unreachable,
    Unverified,
)
from pgpool_recovery.domain.target_state import TargetState
from pgpool_recovery.pcp.client.address import PcpAddress
from pgpool_recovery.pcp.client.commands import PcpServer
from pgpool_recovery.pcp.pool import Pool
from tests.unit.cli import facts

if TYPE_CHECKING:
    from pgpool_recovery.control.follower import Follower

BY_PCP = Incomplete(
    'executing recovery, execution of command failed at "1st stage"', target=TargetState.UNKNOWN
)


@dataclass
class OnRecord:
    """A follower that knows the end."""

    known: RecordedRun | None
    has_begun: bool = False

    @property
    def run_id(self) -> int | None:
        return 7 if self.has_begun or self.known is not None else None

    def run(self) -> RecordedRun | None:
        return self.known

    def ended_run(self) -> RecordedRun | None:
        return self.known


def of(
    error: RecoveryError,
    run: RecordedRun | None,
    *,
    has_record: bool = True,
    has_begun: bool = False,
) -> RecoveryError:
    cluster = facts.cluster()
    job = Job(
        facts.NODES[2],
        cluster,
        Primary(facts.NODES[0], cluster.login, ()),
        Pool(PcpServer(PcpAddress(), "pgpool")),
        Settings(),
    )
    follower = cast("Follower", OnRecord(run, has_begun)) if has_record else None
    return cause(error, follower, job)


def test_record_has_the_cause() -> None:
    found = of(BY_PCP, facts.FAILED)
    assert isinstance(found, Undone)
    assert found.message == facts.FAILED.message
    assert found.target is TargetState.RESTORED


def test_nothing_began() -> None:
    busy = Busy("process recovery request failed")
    assert of(busy, None) is busy


def test_no_record() -> None:
    """The message stays, and a hint says where to look."""
    for found in (of(BY_PCP, None), of(BY_PCP, None, has_record=False)):
        assert found.message == BY_PCP.message
        assert "server log of the primary (node 0)" in str(found.hint)


def test_record_is_lost_with_the_primary() -> None:
    found = of(BY_PCP, None, has_begun=True)
    assert found.message == "the primary (node 0) was lost while it was recovering node 2"
    assert BY_PCP.message in str(found.detail)
    assert isinstance(found, Incomplete)
    assert found.target is TargetState.UNKNOWN


def test_pgpool_fails_after_the_start() -> None:
    """For example when it cannot log in: the recovery itself was complete."""
    error = Incomplete("recovery is checking if postmaster is started", target=TargetState.UNKNOWN)
    found = of(error, facts.run())
    assert isinstance(found, Unverified)
    assert found.target is TargetState.STARTED


def test_pgpool_fails_between_the_stages() -> None:
    found = of(BY_PCP, facts.run(state="copied", ended_at=None, target_state=None))
    assert found.message == BY_PCP.message
    assert found.target is TargetState.COPIED


def test_pgpool_fails_after_the_first_stage_has_started_the_server() -> None:
    run = facts.run(state="copied", ended_at=None, target_state=str(TargetState.STARTED))
    assert of(BY_PCP, run).target is TargetState.STARTED
    failure = run.failure()
    assert failure is not None
    assert failure.message.startswith("pgpool_remote_start was not called for")
    assert failure.target is TargetState.STARTED


def test_pgpool_is_lost_and_the_recovery_goes_on() -> None:
    lost = Unreachable("lost the connection to Pgpool-II")
    found = of(lost, facts.run(state="running", ended_at=None))
    assert isinstance(found, Unreachable)
    assert "watch 2" in str(found.hint)
    assert found.target is TargetState.UNKNOWN
    assert of(lost, facts.FAILED).message == facts.FAILED.message
