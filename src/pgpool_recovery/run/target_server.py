"""The target's server: stopped before a recovery, started after it."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from pgpool_recovery.agent.conversation import Conversation
from pgpool_recovery.agent.protocol import Start, Started, StopServer
from pgpool_recovery.config.settings import Settings
from pgpool_recovery.domain.error import Cancelled, RecoveryError, Unreachable
from pgpool_recovery.domain.event import Event, Said
from pgpool_recovery.domain.node import Target
from pgpool_recovery.domain.target_state import TargetState
from pgpool_recovery.plan.facts import Facts
from pgpool_recovery.plan.ladder import make_plan
from pgpool_recovery.plan.plan import PassedOver, Plan
from pgpool_recovery.plan.rejection import as_error
from pgpool_recovery.plan.stop import may_stop, once_stopped

Emit = Callable[[Event], None]

MARGIN_S = 60.0
"""What an agent may take longer than it was told, before it is given up."""


class TargetServer:
    """The server of one target, as its host starts and stops it."""

    def __init__(self, agent: Conversation, target: Target, settings: Settings, emit: Emit) -> None:
        self._agent = agent
        self._target = target
        self._settings = settings
        self._emit = emit
        self._was_stopped = False

    def start(self, bin_directories: tuple[str, ...] = ()) -> Started:
        """Start it and wait until it accepts connections; one that does is left alone."""
        node = self._settings.of_target(self._target)
        request = Start(
            data_directory=self._target.data_directory,
            bin_directories=tuple(filter(None, [node.bin_directory, *bin_directories])),
            start_command=node.start_command,
            timeout_s=self._settings.timeout.start_s,
        )
        try:
            return self._agent.ask(request, Started, timeout_s=request.timeout_s + MARGIN_S)
        except (Cancelled, Unreachable) as error:  # Nobody can know how far it came.
            if error.target is TargetState.UNTOUCHED:
                raise error.with_target(TargetState.UNKNOWN) from error
            raise

    def stop_if_allowed(self, facts: Facts, failed: tuple[PassedOver, ...]) -> bool:
        """Stop a server that runs and does not stream, when the policy allows; say whether.

        Only when nothing else stands in the way: it may be the server of another cluster, or the
        primary itself. And once only: somebody who starts it again means to keep it running.
        """
        if self._was_stopped or not may_stop(facts, self._settings.policy):
            return False
        plan = make_plan(self._target, once_stopped(facts), self._settings.policy, failed)
        if not isinstance(plan, Plan):
            raise as_error(plan)
        self._emit(Said("agent", "stop the server of the target, as the policy allows"))
        request = StopServer(
            data_directory=self._target.data_directory,
            bin_directories=tuple(filter(None, [facts.target.bin_directory])),
            timeout_s=self._settings.timeout.stop_s,
        )
        self._agent.ask(request, type(None), timeout_s=request.timeout_s + MARGIN_S)
        self._was_stopped = True
        return True

    @contextmanager
    def running_again(self) -> Iterator[None]:
        """Start it again when it was stopped and nothing came of the recovery."""
        try:
            yield
        except RecoveryError as error:
            is_whole = error.target in (TargetState.UNTOUCHED, TargetState.RESTORED)
            if self._was_stopped and is_whole and not self._agent.is_busy:
                self._emit(Said("agent", "start the server again that was stopped"))
                self.start()
            raise
