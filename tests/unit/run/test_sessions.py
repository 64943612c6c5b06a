"""Promise 8 around a run: every failure names the node, and the state that is known."""

from types import SimpleNamespace
from typing import Any, cast

import pytest

from pgpool_recovery.config.settings import Settings, TimeoutSettings
from pgpool_recovery.domain.error import Bug, Cancelled, RecoveryError, Refused, Undone, Unreachable
from pgpool_recovery.domain.event import Event, Said
from pgpool_recovery.domain.node import NodeId, Target
from pgpool_recovery.domain.target_state import TargetState
from pgpool_recovery.run.sessions import leaving, limits_of, naming
from pgpool_recovery.run.target_server import TargetServer

TARGET = Target("server2", "/data", NodeId(1))


def test_promise_8_unexpected_failure_names_the_node_and_the_state() -> None:
    with pytest.raises(Bug) as bug, naming(TARGET), leaving(TargetState.STARTED):
        raise KeyError("x")
    assert bug.value.message == "node 1: bug in pgpool-recovery: KeyError"
    assert bug.value.target is TargetState.STARTED
    assert "run/sessions.py:" in str(bug.value.detail)


def test_promise_8_known_state_is_kept() -> None:
    """A failure after a start does not leave the target untouched, even if it changed nothing."""
    with pytest.raises(Unreachable) as lost, naming(TARGET), leaving(TargetState.STARTED):
        raise Unreachable("the primary is gone")
    assert lost.value.target is TargetState.STARTED
    with pytest.raises(Undone) as undone, leaving(TargetState.STARTED):
        raise Undone("no", target=TargetState.RESTORED)
    assert undone.value.target is TargetState.RESTORED


def test_interrupt_is_no_failure() -> None:
    with pytest.raises(KeyboardInterrupt), naming(TARGET), leaving(TargetState.STARTED):
        raise KeyboardInterrupt


def test_promise_9_agent_waits_as_long_as_the_settings_say() -> None:
    settings = Settings(
        timeout=TimeoutSettings(connect_s=1, stall_s=3, backup_start_s=99, silence_s=2, undo_s=4)
    )
    limits = limits_of(settings)
    assert (limits.connect_s, limits.silence_s, limits.undo_s) == (1, 2, 4)
    assert limits.backup_start_s == 3, "no start takes longer than a transfer that stands still"


class StoppedServer(TargetServer):
    """A server that was stopped for the recovery, and that can be started or not."""

    def __init__(self, failure: Exception | None) -> None:
        self.events: list[Event] = []
        agent = cast("Any", SimpleNamespace(is_busy=False))
        super().__init__(agent, TARGET, Settings(), self.events.append)
        self._was_stopped = True
        self._failure = failure
        self.starts = 0

    def start(
        self, _bin_directories: tuple[str, ...] = (), _guarded: Any = None, _ahead: Any = None
    ) -> Any:
        self.starts += 1
        if self._failure is not None:
            raise self._failure


@pytest.mark.parametrize(
    "failure", [Refused("no"), Bug("a bug"), Undone("no", target=TargetState.RESTORED)]
)
def test_server_that_was_stopped_is_started_whatever_failed(failure: RecoveryError) -> None:
    server = StoppedServer(None)
    with pytest.raises(type(failure)), server.running_again():
        raise failure
    assert server.starts == 1
    assert [event for event in server.events if isinstance(event, Said)]


def test_first_failure_is_reported_if_the_server_does_not_start_again() -> None:
    server = StoppedServer(Undone("no room"))
    with pytest.raises(Refused, match="no method") as refused, server.running_again():
        raise Refused("no method", detail="Because.")
    assert refused.value.detail == (
        "Because.\nIts server, which was stopped, could not be started: no room."
    )


def test_half_changed_directory_is_not_started() -> None:
    server = StoppedServer(None)
    with pytest.raises(Cancelled), server.running_again():
        raise Cancelled("cancelled", target=TargetState.INCOMPLETE)
    assert server.starts == 0
