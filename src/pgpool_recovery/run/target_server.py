"""Stop the target's server before a recovery, and start it after."""

from collections.abc import Iterator
from contextlib import contextmanager

from pgpool_recovery.config.settings import Settings
from pgpool_recovery.domain.error import (
    Cancelled,
    PlanChanged,
    RecoveryError,
    Unreachable,
    as_failure,
)
from pgpool_recovery.domain.event import Emit, Said
from pgpool_recovery.domain.node import Target
from pgpool_recovery.domain.target_state import TargetState
from pgpool_recovery.facts.archived_wal import FetchAhead
from pgpool_recovery.facts.facts import Facts
from pgpool_recovery.facts.policy import Method
from pgpool_recovery.facts.rejection import Rejection, as_error
from pgpool_recovery.plan.agreement import Agreement
from pgpool_recovery.plan.ladder import make_plan
from pgpool_recovery.plan.plan import PassedOver, Plan
from pgpool_recovery.plan.stop import may_stop, once_stopped
from pgpool_recovery.talk.conversation import Conversation
from pgpool_recovery.talk.request.server import Guarded, Start, Started, StopServer

NOT_AGREED_TO = PassedOver(
    Method.DELTA, (Rejection("it changes the only copy of the data, which was not agreed to"),)
)


class TargetServer:
    """The server of one target, started and stopped as is usual on its host."""

    def __init__(
        self,
        agent: Conversation,
        target: Target,
        settings: Settings,
        emit: Emit,
        bound: Agreement | None = None,
    ) -> None:
        self._agent = agent
        self._target = target
        self._settings = settings
        self._emit = emit
        self._bound = bound
        self._was_stopped = False

    def refuse_excess(
        self, plan: Plan, failed: tuple[PassedOver, ...], *, stops: bool = False
    ) -> None:
        """Raise PlanChanged if a plan does more harm than was agreed to."""
        refusal = self._refusal(plan, failed, stops=stops)
        if refusal is not None:
            raise refusal

    def plan(
        self, facts: Facts, failed: tuple[PassedOver, ...], *, stops: bool = False
    ) -> tuple[Plan | tuple[Rejection, ...], tuple[PassedOver, ...]]:
        """Return the plan, or why there is none, and the methods that were passed over for that.

        A full copy moves more than a delta, but may leave the old data alone until the new server
        runs. So it is chosen if that was agreed to, and a change of the only copy was not.
        """
        plan = make_plan(self._target, facts, self._settings.policy, failed)
        if isinstance(plan, Plan) and plan.method is Method.DELTA and self._exceeds(plan, stops):
            passed = (*failed, NOT_AGREED_TO)
            other = make_plan(self._target, facts, self._settings.policy, passed)
            if isinstance(other, Plan) and not self._exceeds(other, stops):
                return other, passed
        return plan, failed

    def _exceeds(self, plan: Plan, stops: bool) -> bool:  # noqa: FBT001 - handed on by plan alone
        return self._refusal(plan, (), stops=stops) is not None

    def _refusal(
        self, plan: Plan, failed: tuple[PassedOver, ...], *, stops: bool
    ) -> PlanChanged | None:
        if self._bound is None:
            return None
        return self._bound.refusal(plan, failed, stops=stops or self._was_stopped)

    def start(
        self,
        bin_directories: tuple[str, ...] = (),
        guarded: Guarded | None = None,
        ahead: FetchAhead | None = None,
    ) -> Started:
        """Start it and wait until it accepts connections; one that already does is left alone.

        `ahead`: what the agent fetches from an archive for it, before it asks for that.
        """
        node = self._settings.of_target(self._target)
        request = Start(
            data_directory=self._target.data_directory,
            bin_directories=tuple(filter(None, [node.bin_directory, *bin_directories])),
            start_command=node.start_command,
            timeout_s=self._settings.timeout.start_s,
            guarded=guarded,
            ahead=ahead,
        )
        try:
            # The agent reports progress of the start, and gives up when there is none.
            return self._agent.ask(
                request,
                timeout_s=self._patience(request.timeout_s),
                is_renewed_by_events=True,
            )
        except Exception as error:
            said = self._agent.last_word() if self._agent.is_busy else None
            if said is not None:
                raise as_failure(error).with_target(said) from error
            raise self._unknown_if_lost(error) from error

    def stop_if_allowed(self, facts: Facts, failed: tuple[PassedOver, ...]) -> bool:
        """Stop a server that runs but does not stream, if the policy allows; return whether it was.

        Only if nothing else stands in the way, since it may be the server of another cluster, or
        the primary itself. And only once: if it is running again, somebody wants it to run.
        """
        if self._was_stopped or not may_stop(facts, self._settings.policy):
            return False
        plan, _ = self.plan(once_stopped(facts), failed, stops=True)
        if not isinstance(plan, Plan):
            raise as_error(plan)
        self.refuse_excess(plan, failed, stops=True)
        self._emit(Said("agent", "stop the server of the target, as the policy allows"))
        request = StopServer(
            data_directory=self._target.data_directory,
            bin_directories=tuple(filter(None, [facts.target.bin_directory])),
            timeout_s=self._settings.timeout.stop_s,
        )
        try:
            self._agent.ask(
                request,
                timeout_s=self._patience(request.timeout_s),
                is_renewed_by_events=True,
            )
        except Exception as error:
            raise self._unknown_if_lost(error) from error
        self._was_stopped = True
        return True

    @contextmanager
    def running_again(self) -> Iterator[None]:
        """Start it again if it was stopped and the recovery fails with its data as it was."""
        try:
            yield
        except RecoveryError as error:
            is_whole = error.target in (TargetState.UNTOUCHED, TargetState.RESTORED)
            if self._was_stopped and is_whole and not self._agent.is_busy:
                raise self._started_again(error) from error
            raise

    def _started_again(self, error: RecoveryError) -> RecoveryError:
        """Start it, and return the failure, which also reports it if that could not be done."""
        try:
            self._emit(Said("agent", "start the stopped server again"))
            self.start()
        except Exception as failed:  # noqa: BLE001 - the first failure is the one to report
            why = as_failure(failed).message
            return error.with_more(f"Its server, which was stopped, could not be started: {why}.")
        return error

    def _unknown_if_lost(self, error: Exception) -> RecoveryError:
        """Return the failure; without an answer, what became of the server is unknown."""
        failure = as_failure(error)
        is_lost = self._agent.is_busy or isinstance(failure, Cancelled | Unreachable)
        if is_lost and failure.target is TargetState.UNTOUCHED:
            return failure.with_target(TargetState.UNKNOWN)
        return failure

    def _patience(self, within_s: float) -> float:
        """Return after how many seconds to give up on an agent that exceeds its own limit."""
        return within_s + self._settings.agent.answer_s
