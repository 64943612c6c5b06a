"""Answer the requests that carry out the steps of a plan (talk/request/steps.py)."""

from pathlib import Path
from typing import Any

from pgpool_recovery.agent.steps.steps import Steps
from pgpool_recovery.talk.protocol import Limits
from pgpool_recovery.talk.request.steps import (
    AbortIncremental,
    ApplyIncremental,
    AskMade,
    BeginDelta,
    BeginIncremental,
    CommitDelta,
    Expect,
    Finish,
    StepRequest,
    TakeStep,
    Undo,
    WriteLabel,
)


def answer(  # noqa: C901 - one case for each request
    request: StepRequest, steps: Steps, limits: Limits
) -> Any:
    """Return the result of a request."""
    match request:
        case TakeStep(step, stall_s):
            return steps.take(step, stall_s, limits.connect_s)
        case AskMade(wanted):
            return steps.see_made(wanted)
        case WriteLabel(directory, label):
            from pgpool_recovery.agent.method.made_directory import write_label

            return write_label(Path(directory), label)
        case BeginIncremental():
            return steps.incremental.begin(request, steps.reserved(), limits)
        case ApplyIncremental(step):
            return steps.incremental.apply(step, steps.reserved())
        case AbortIncremental():
            return steps.incremental.abort()
        case BeginDelta():
            return steps.delta.begin(request, steps.reserved())
        case Expect():
            return steps.delta.expect(request)
        case CommitDelta():
            return steps.delta.commit(request, steps.reserved())
        case Undo():
            return steps.undo()
        case Finish():
            return steps.finish()
