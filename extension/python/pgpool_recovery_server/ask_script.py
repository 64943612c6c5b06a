"""Run pgpool_recovery_plan() and pgpool_recovery_check(), scripts that give an answer."""

from typing import Callable, List

from server_types import Memory, Plpy, Row

from .outcome import INTERNAL_ERROR, Failure, failed, success
from .run_script import environment, why
from .script_file import find_script
from .server import Server
from .session import without_traceback
from .supervised_run import Ended, SupervisedRun


def ask_script(
    plpy: Plpy,
    session: Memory,
    supervisor_program: Callable[[], str],
    is_direct: bool,
    script_name: str,
    arguments: List[str],
) -> Row:
    """Run the script with the function's own name and return the row with its answer.

    The parameters are those of run_script(). The result is only read by a person, so a failure is
    the error itself and not sent as a warning first.
    """

    def call() -> Row:
        server = Server(plpy, session, is_direct=is_direct)
        try:
            server.refuse_on_standby(script_name)
            script = find_script(server.facts["data_directory"], script_name)
            ended = SupervisedRun(server, session, supervisor_program).run(
                [script.path] + arguments, environment(server, script), script.identity
            )
            answer = answer_of(script_name, ended, is_ours=script.is_ours)
            return success(True, server.in_encoding(answer))
        except Failure as cause:
            return failed(server.shown(cause))

    return without_traceback(plpy, call)


def answer_of(script_name: str, ended: Ended, *, is_ours: bool) -> str:
    """Return the answer; raises Failure when the script failed or gave none."""
    if ended.record is not None:
        raise Failure(
            ended.record["message"],
            detail=ended.record.get("detail"),
            hint=ended.record.get("hint"),
            sqlstate=ended.record.get("sqlstate") or INTERNAL_ERROR,
        )
    if ended.status != 0:
        raise why(script_name, ended, is_ours=is_ours)
    if ended.document is None:
        raise Failure(
            'script "%s" gave no answer' % script_name,
            hint="As the owner of the data directory, run pgpool-recovery install with "
            "--data-directory.",
        )
    return ended.document
