"""Report the state of a target after a failure from what was observed there, never by guessing."""

from collections.abc import Iterator
from contextlib import contextmanager

from pgpool_recovery.config.settings import Settings
from pgpool_recovery.domain.error import Cancelled, RecoveryError, as_failure
from pgpool_recovery.domain.node import Target
from pgpool_recovery.domain.target_state import TargetState, with_next_step
from pgpool_recovery.run.sessions import agent_of
from pgpool_recovery.talk.conversation import Conversation
from pgpool_recovery.talk.request.directory import AskState, StateSeen


def state_by_new_agent(target: Target, settings: Settings) -> StateSeen | None:
    """Start a new agent for the target, and return what it observes; None without an answer."""
    try:
        with agent_of(target, settings, lambda _event: None) as agent:
            return _ask(agent, target, settings)
    except Exception:  # noqa: BLE001 - the first failure is the one to report
        return None


@contextmanager
def learning_state(target: Target, settings: Settings) -> Iterator[None]:
    """Let a failure that leaves the target in an unknown state report what is observed there."""
    try:
        yield
    except Exception as error:
        failure = as_failure(error)
        if failure.target is not TargetState.UNKNOWN:
            raise
        raise knowing(failure, target, settings) from error


def knowing(
    error: RecoveryError,
    target: Target,
    settings: Settings,
    agent: Conversation | None = None,
    *,
    otherwise: TargetState = TargetState.UNKNOWN,
) -> RecoveryError:
    """Return a failure with the state that is observed on the target, and the observation itself.

    `agent` is asked if it still takes requests, otherwise a new one. After a cancel no new one is
    started, because the cancel ends every program that is started from then on. `otherwise` is the
    state if the observation is not conclusive. Without an answer the state is unknown.
    """
    seen = None
    if agent is not None and not agent.is_busy:
        try:
            seen = _ask(agent, target, settings)
        except Exception:  # noqa: BLE001 - this agent is lost, too
            seen = None
    if seen is None and not isinstance(error, Cancelled):
        seen = state_by_new_agent(target, settings)
    if seen is None:
        return in_state(error, TargetState.UNKNOWN)
    return in_state(error, seen.state if seen.is_certain else otherwise, seen.what)


def in_state(error: RecoveryError, state: TargetState, what: str | None = None) -> RecoveryError:
    """Return a failure that leaves the target in this state, with a hint what to do next."""
    found = error if what is None else error.with_more(what)
    return found.changed(hint=with_next_step(found.hint, state), target=state)


def _ask(agent: Conversation, target: Target, settings: Settings) -> StateSeen:
    asked = AskState(target.data_directory)
    return agent.ask(asked, timeout_s=settings.agent.answer_s)
