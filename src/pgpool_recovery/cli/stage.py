"""Run the stage commands, which Pgpool-II has the primary call, and the plan and the check.

Each of them imports what it needs only after its arguments were found to be valid.
"""

import io
import json
import os
import signal
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pgpool_recovery.cli.log import RECORD_SECRET, log_failure, log_if_wanted
from pgpool_recovery.cli.own_user import use_own_home
from pgpool_recovery.cli.psql import as_psql
from pgpool_recovery.cli.say import complain, say, say_json, say_record
from pgpool_recovery.config.load import load_settings, settings_file, sound_part
from pgpool_recovery.config.settings import Settings
from pgpool_recovery.domain.error import (
    Cancelled,
    RecoveryError,
    SettingsError,
    UsageError,
    as_failure,
)
from pgpool_recovery.domain.event import Event, Finished, Progress, Said, saying
from pgpool_recovery.domain.node import (
    RecoveryRequest,
    Target,
    parse_first_stage,
    parse_port,
    parse_remote_start,
)
from pgpool_recovery.domain.record import replace
from pgpool_recovery.domain.target_state import TargetState
from pgpool_recovery.domain.text import shown
from pgpool_recovery.files.process_table import process_of
from pgpool_recovery.log.note import note
from pgpool_recovery.run.called_agent import CalledAgent, calling_agent
from pgpool_recovery.run.shield import CANCELLING

if TYPE_CHECKING:
    from pgpool_recovery.facts.facts import PrimaryFacts
    from pgpool_recovery.history.record import RecordedTarget, Stage
    from pgpool_recovery.plan.plan import Plan
    from pgpool_recovery.postgres.connection import Connection
    from pgpool_recovery.run.proven_stream import ProvenStream
    from pgpool_recovery.talk.conversation import Conversation

DEFAULT_PORT = "5432"
TOLD_EVERY_S = 5.0
"""How often progress is reported."""
CALLED_BY_SERVER = "PGPOOL_RECOVERY_ID"
FIRST_STAGE, SECOND_STAGE = "recovery_1st_stage", "recovery_2nd_stage"
REMOTE_START, PLAN, CHECK = "pgpool_remote_start", "pgpool_recovery_plan", "pgpool_recovery_check"
BACKEND_PID = "PGPOOL_RECOVERY_BACKEND_PID"
CALLING_SERVER = ("PGHOST", "PGPORT", "PGDATABASE")
HANDED_ON = "PGPOOL_RECOVERY_HANDED_ON"
"""Holds what our previous script in this session handed on (extension: run_script.py)."""
HANDS_ON = "PGPOOL_RECOVERY_HANDS_ON"
"""Set if the extension itself runs this stage, rather than a foreign script that it runs."""
CALLER, SUPERUSER = "PGPOOL_RECOVERY_CALLER", "superuser"


def run_stage(name: str, words: Sequence[str]) -> int:
    """Run a stage and return its exit status; report a failure to the server or the user."""
    _take_any_text()
    _cancel_by_signal()
    try:
        use_own_home()
        use_calling_server()
        if name == FIRST_STAGE:
            _first_stage(words)
        elif name == REMOTE_START:
            _remote_start(words)
        elif name == PLAN:
            _plan(words)
        elif name == CHECK:
            _check(words)
        else:
            _second_stage(words)
    except RecoveryError as error:
        return fail(error)
    except Exception as error:  # noqa: BLE001 - a bug is reported as such
        return fail(as_failure(error))
    return 0


def _first_stage(words: Sequence[str]) -> None:
    request = _request(words)
    target = request.target

    def stage() -> "Stage":
        from pgpool_recovery.history.record import Stage

        host, port = request.primary_host, request.primary_port
        return Stage(target, leads_to="copied", primary_host=host, primary_port=port)

    settings = _settings(stage, FIRST_STAGE, target)
    with _calling(target, settings, stage) as called:
        from pgpool_recovery.history.record import on_record
        from pgpool_recovery.metrics.publish import publishing
        from pgpool_recovery.recovery import recover

        with publishing(settings, say) as publish, on_record(stage(), settings, _telling) as told:
            publish()
            proceed = StartAtOnce(request.target, Path(words[0]), settings, told)
            plan = recover(request, settings, told.emit, _caller(), called, proceed)
            if not settings.pgpool.backend_clustering_mode.has_second_stage:
                from pgpool_recovery.cli.foreign_start import left_to_foreign_start

                for line in left_to_foreign_start(Path(words[0]), plan):
                    told.emit(Said("runner", line))
            if proceed.proven is not None:
                _hand_on(proceed.proven.as_document())
    if settings.pgpool.backend_clustering_mode.has_second_stage:
        # So that little is left for the second stage, during which clients wait.
        _start(target, settings, _continuing(target, leads_to="copied"))


class StartAtOnce:
    """Starts the server within the first stage if that saves a second login on its host.

    If the data is left as it is and only WAL is missing, that login takes longer than everything
    else. If data was moved, the order stays as it was: first all of it is put into place, then the
    server is started. This is only for calls by the extension, which calls our remote start next:
    that gets the proof found here, and only asks the primary whether it still holds.
    """

    def __init__(
        self, target: Target, own_data: Path, settings: Settings, told: "RecordedTarget"
    ) -> None:
        self._target = target
        self._own_data = own_data
        self._settings = settings
        self._told = told
        self.proven: ProvenStream | None = None
        """What is handed on to the remote start; None if it must examine the node itself."""

    def __call__(
        self,
        plan: "Plan",
        connection: "Connection",
        agent: "Conversation",
        observe: "Callable[[], PrimaryFacts]",
    ) -> None:
        """Start the server of a target that is ready, unless that is left to another script."""
        if not self._is_ours_to_start(plan):
            return
        from pgpool_recovery.remote_start import report_started, start_prepared
        from pgpool_recovery.run.proven_stream import proven_stream

        began = time.monotonic()
        # From here on, a cancel finds a target that is no longer untouched.
        self._told.goes_on(TargetState.COPIED, "start the server")
        ahead, emit = plan.fetch_ahead, self._told.emit
        started, stream = start_prepared(
            self._target, self._settings, emit, connection, agent, observe, ahead
        )
        self._told.goes_on(TargetState.STARTED, "start the server")
        if stream is not None:
            self.proven = proven_stream(self._target, stream, started.slot_name)
        report_started(started, began, self._told.emit)

    def _is_ours_to_start(self, plan: "Plan") -> bool:
        from pgpool_recovery.cli.foreign_start import is_our_start
        from pgpool_recovery.facts.policy import Method

        if self._settings.pgpool.backend_clustering_mode.has_second_stage:
            return False  # There it is started after the record of this stage has ended (_start).
        # Only the whole script of the first stage may be followed by the start.
        is_whole = RECORD_SECRET in os.environ and HANDS_ON in os.environ
        return plan.method is Method.CATCH_UP and is_whole and is_our_start(self._own_data)


def _second_stage(words: Sequence[str]) -> None:
    target = parse_first_stage(words, own_port=_own_port()).target
    settings, stage = _read(SECOND_STAGE, target), _continuing(target, leads_to="copied")
    with _calling(target, settings, stage) as called:
        from pgpool_recovery.history.record import on_record
        from pgpool_recovery.metrics.publish import publishing
        from pgpool_recovery.second_stage import finish

        with publishing(settings, say), on_record(stage(), settings, _telling) as recorded:
            finish(target, settings, recorded.emit, called)


def _remote_start(words: Sequence[str]) -> None:
    target = parse_remote_start(words)
    stage = _continuing(target, leads_to="recovered")
    settings = _settings(stage, REMOTE_START, target)
    if HANDED_ON not in os.environ:
        _start(target, settings, stage)
        return
    with _after_earlier(target, stage):
        _go_on(target, settings, stage, os.environ[HANDED_ON])


def _go_on(
    target: Target, settings: Settings, stage: Callable[[], "Stage"], handed_on: str
) -> None:
    """Finish a remote start if what the first stage proved still holds; otherwise carry it out.

    The former needs neither a login on the target's host nor the modules that talk to an agent.
    """
    from pgpool_recovery.history.record import on_record
    from pgpool_recovery.metrics.publish import publishing
    from pgpool_recovery.run.proven_stream import read_proven, still_streams

    with publishing(settings, say), on_record(stage(), settings, _telling) as recorded:
        began, proven = time.monotonic(), read_proven(handed_on, target)
        if proven is not None and still_streams(proven, settings):
            recorded.emit(Finished("it still streams", time.monotonic() - began))
        else:
            from pgpool_recovery.remote_start import start

            start(recorded.target, settings, recorded.emit)


def _start(target: Target, settings: Settings, stage: Callable[[], "Stage"]) -> None:
    with _calling(target, settings, stage) as called:
        from pgpool_recovery.history.record import on_record
        from pgpool_recovery.metrics.publish import publishing
        from pgpool_recovery.remote_start import start

        with publishing(settings, say), on_record(stage(), settings, _telling) as recorded:
            start(recorded.target, settings, recorded.emit, called)


def _continuing(target: Target, *, leads_to: str) -> Callable[[], "Stage"]:
    def stage() -> "Stage":
        from pgpool_recovery.history.record import Stage

        return Stage(target, leads_to=leads_to, continues=True)

    return stage


@contextmanager
def _calling(
    target: Target, settings: Settings, stage: Callable[[], "Stage"] | None = None
) -> Iterator[CalledAgent]:
    """Start the target's agent before everything that is imported within the context.

    A failure to start it, or a cancel during that, names the node and is recorded like a later one.
    It can take a while, because the name server may be slow.
    """
    with _after_earlier(target, stage), ExitStack() as stack:
        try:
            called = stack.enter_context(calling_agent(target, settings))
        except Exception as error:
            failure = as_failure(error).about(target.name)
            if stage is not None:
                stack.enter_context(_recording(stage(), settings))
            raise failure from error
        yield called


@contextmanager
def _after_earlier(target: Target, stage: Callable[[], "Stage"] | None) -> Iterator[None]:
    """Let no failure report that the target is untouched if an earlier stage has changed it.

    Before the stage is on record, the state in which the earlier one left the target is unknown.
    """
    try:
        yield
    except RecoveryError as error:
        if error.target is not TargetState.UNTOUCHED or stage is None or not stage().continues:
            raise
        raise error.about(target.name).with_target(TargetState.UNKNOWN) from error


@contextmanager
def _recording(stage: "Stage", settings: Settings) -> Iterator[None]:
    """Record a failure that ends a stage before it does anything."""
    from pgpool_recovery.history.record import on_record
    from pgpool_recovery.metrics.publish import publishing

    with publishing(settings, say), on_record(stage, settings, _telling):
        yield


def _settings(stage: Callable[[], "Stage"], name: str, target: Target) -> Settings:
    """Return the settings; an error in them is recorded as well, using the valid settings."""
    try:
        return _read(name, target)
    except SettingsError:
        with _recording(stage(), sound_part(settings_file(None))):
            raise


def _read(name: str, target: Target | None = None) -> Settings:
    """Return the settings, and begin to log if they say so."""
    settings = load_settings(settings_file(None))
    log_if_wanted(settings.log, name, None if target is None else target.name)
    return settings


def _plan(words: Sequence[str]) -> None:
    request = _request(words)
    settings = _read(PLAN, request.target)
    with _calling(request.target, settings) as called:
        from pgpool_recovery.dry_run import foresee
        from pgpool_recovery.install.stage_commands import is_ours

        is_own = is_ours(Path(words[0], FIRST_STAGE))
        document = foresee(request, settings, is_own_stage=is_own, called=called)
    answer(document)


def _check(words: Sequence[str]) -> None:
    if len(words) != 1:
        raise UsageError(f"pgpool_recovery_check takes 1 argument, not {len(words)}")
    from pgpool_recovery.check.finding import as_json
    from pgpool_recovery.check.question import parse_question
    from pgpool_recovery.cluster_check import check
    from pgpool_recovery.metrics.publish import publish_check

    question = replace(parse_question(words[0]), may_name_hosts=_may_name_hosts())
    settings = _read(CHECK)
    findings = check(question, settings, _own_port())
    publish_check(settings, findings, [node.node_id for node in question.nodes], say)
    answer(as_json(findings))


def _request(words: Sequence[str]) -> RecoveryRequest:
    request = parse_first_stage(words, own_port=_own_port())
    return replace(request, may_name_hosts=_may_name_hosts())


def _may_name_hosts() -> bool:
    """Return whether the caller could have read the passwords in any case.

    This is true of a superuser who calls directly, as the extension determines (invoker.py), and of
    a user who runs the command by hand as the server's OS user. If an extension does not say who
    calls, the caller may be any role.
    """
    return CALLED_BY_SERVER not in os.environ or os.environ.get(CALLER) == SUPERUSER


def _caller() -> int | None:
    """Return the process id of the calling session's backend; None if run by hand."""
    pid = os.environ.get(BACKEND_PID, "")
    return int(pid) if pid.isdigit() else None


def _own_port() -> int:
    """Return the port of the server that called, as libpq determines it."""
    return parse_port(os.environ.get("PGPORT") or DEFAULT_PORT)


def _telling(name: str) -> Callable[[Event], None]:
    told, told_lines = -TOLD_EVERY_S, saying(lambda line: say(f"{name}: {line}"))

    def tell(event: Event) -> None:
        nonlocal told
        if isinstance(event, Progress):
            if time.monotonic() - told < TOLD_EVERY_S:
                return
            told = time.monotonic()
        note("tells {}", event)
        told_lines(event)

    return tell


def _hand_on(document: dict[str, Any]) -> None:
    """Hand on through the extension what the script that it calls next in this session must know.

    An older extension ignores it.
    """
    secret = os.environ.get(RECORD_SECRET)
    if secret is not None:
        say_record(secret, json.dumps({"answer": document}))


def answer(document: dict[str, Any]) -> None:
    """Write the answer: as a record for the server that called, otherwise as JSON text."""
    if RECORD_SECRET in os.environ:
        say_record(os.environ[RECORD_SECRET], json.dumps({"answer": shown(document)}))
    else:
        say_json(json.dumps(document, indent=2))


def fail(error: RecoveryError) -> int:
    """Report a failure: as a record to the server that called, otherwise as psql shows an error."""
    log_failure(error)
    if RECORD_SECRET in os.environ:
        say_record(os.environ[RECORD_SECRET], json.dumps(error.as_record()))
    else:
        complain(*as_psql(error))
    return error.exit_status


def _take_any_text() -> None:
    """Escape characters that the encoding of the environment, which the server chose, lacks."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def use_calling_server() -> None:
    """Point libpq at the server that called.

    The extension sets libpq's own variables for our scripts only, but these for all scripts, so
    also for a foreign script that calls ours.
    """
    for name in CALLING_SERVER:
        value = os.environ.pop(f"PGPOOL_RECOVERY_{name}", None)
        if value is not None:
            os.environ[name] = value


def cause_of_cancel(number: int) -> str:
    """Return by which signal, and whether the session that called had ended before.

    Only the server knows why that session was ended, and its client may never be told.
    """
    by = f"By {signal.Signals(number).name}"
    backend = os.environ.get(BACKEND_PID, "")
    if not backend.isdigit() or _is_alive(int(backend)):
        return f"{by}."
    return (
        f"{by}, because the session that called it has ended. The server's log shows whether its "
        "client, pg_terminate_backend(), a limit such as transaction_timeout or a shutdown of the "
        "server ended it."
    )


def _is_alive(pid: int) -> bool:
    """Return whether a process exists and has not ended (proc(5))."""
    return not process_of(pid).has_ended


def _cancel_by_signal() -> None:
    """Turn the first signal that ends a command into Cancelled; ignore any later one.

    They are ignored by a handler that does nothing. If a signal is set to be ignored while another
    one is pending, Python writes a traceback to standard error, which is the server's log
    (trip_signal in signalmodule.c).
    """

    def cancel(number: int, _frame: object) -> None:
        for cancelling in CANCELLING:
            signal.signal(cancelling, lambda *_: None)
        raise Cancelled("the recovery was cancelled", detail=cause_of_cancel(number))

    for cancelling in CANCELLING:
        signal.signal(cancelling, cancel)
