"""Run a stage script of the data directory: pgpool_recovery() and pgpool_remote_start()."""

import os
from typing import Callable, Dict, List, Optional

from server_types import Memory, Plpy, Record, Row

from .outcome import QUERY_CANCELED, Failure, failed, success, with_stock_message
from .script_file import Script, find_script
from .server import Server
from .session import without_traceback
from .supervised_run import Ended, SupervisedRun

INSTALL_SAME_BUILD = (
    "The stage commands here are from an earlier build of pgpool-recovery than this extension. As "
    "the owner of the data directory, run pgpool-recovery install of this build with "
    "--data-directory."
)
INSTALL_AGAIN = (
    "The pgpool-recovery that the stage commands here call has gone, or cannot be run. Install it "
    "again; or, if it is elsewhere now, run pgpool-recovery install with --data-directory as the "
    "owner of the data directory."
)
NOT_RUN = (126, 127)
"""The exit statuses of a shell that could not run a program."""
HANDED_ON = "PGPOOL_RECOVERY_HANDED_ON"
"""The environment variable that hands on what one of our scripts wrote to the script that is called
next in the same session, and to no other: from our first stage to our remote start."""
HANDS_ON = "PGPOOL_RECOVERY_HANDS_ON"
"""Set for a script of ours that this function runs itself. One that a foreign script calls does not
get it: what it did for the next script would come before the rest of that foreign script."""
MAX_HANDED_ON = 4096  # Characters.


def run_script(
    plpy: Plpy,
    session: Memory,
    supervisor_program: Callable[[], str],
    is_direct: bool,
    function_name: str,
    script_name: str,
    arguments: List[str],
) -> Row:
    """Run the script `script_name` with `arguments` and return the row of its outcome.

    `plpy` is PL/Python's module, `session` a dictionary that lives as long as the session, and
    `supervisor_program` returns the text of the supervisor. `is_direct` is described in Server.
    """

    def call() -> Row:
        server = Server(plpy, session, is_direct=is_direct)
        try:
            server.refuse_on_standby(function_name)
        except Failure as refusal:
            server.warn(refusal)
            return failed(refusal)
        try:
            handed_on = session.pop(HANDED_ON, None)
            script = find_script(server.facts["data_directory"], script_name)
            variables = environment(server, script)
            if handed_on is not None and script.is_ours:
                variables[HANDED_ON] = handed_on
            variables.pop(HANDS_ON, None)
            if script.is_ours:
                variables[HANDS_ON] = "on"
            ended = SupervisedRun(server, session, supervisor_program).run(
                [script.path] + arguments, variables, script.identity
            )
            if ended.status != 0:
                raise why(script_name, ended, is_ours=script.is_ours)
            if ended.document is not None:
                keep(session, ended.document)
        except Failure as cause:
            return failed(told(server, function_name, cause))
        return success(True)

    return without_traceback(plpy, call)


def keep(session: Memory, document: str) -> None:
    """Keep what a script hands on, unless it is too long.

    In ASCII: in a database of locale C, PL/Python could not put anything else into an environment.
    """
    import json

    text = json.dumps(json.loads(document))
    if len(text) <= MAX_HANDED_ON:
        session[HANDED_ON] = text


def told(server: Server, function_name: str, cause: Failure) -> Failure:
    """Send the cause as a warning and return the error to end with; for a cancel, the cause itself.

    The warning is sent even then, because Pgpool-II does not pass on errors of pgpool_recovery().
    """
    server.warn(cause)
    if cause.sqlstate == QUERY_CANCELED:
        return server.shown(cause)
    return with_stock_message(function_name, server.shown(cause))


def environment(server: Server, script: Script) -> Dict[str, str]:
    """Return the environment of a script: the server's own, and variables that bear our name.

    Only our stage commands get libpq's own variables, which lead back to this server. A program of
    another script that names only a host would take the rest from them, and a server that such a
    script starts would keep them.
    """
    variables = dict(os.environ)
    for name, value in server.connection_environment().items():
        variables["PGPOOL_RECOVERY_" + name] = value
        if script.is_ours:
            variables[name] = value
    variables["PGPOOL_RECOVERY_CALLER"] = server.caller()
    variables["PGPOOL_RECOVERY_BACKEND_PID"] = str(os.getpid())
    return variables


def why(script_name: str, ended: Ended, *, is_ours: bool = False) -> Failure:
    """Return the failure of a script that ended with a status other than 0.

    Our own stage commands report it in a record with the parts of an error. For any other script,
    the last lines are all there is. Texts in a record may also come from other hosts.
    """
    if ended.record is not None:
        return Failure(
            ended.record["message"],
            detail=detail_of_record(ended.record),
            hint=ended.record.get("hint"),
        )
    hint = "The whole output is in the server log."
    if any(map(is_record_of_another_build, ended.lines)):
        hint = INSTALL_SAME_BUILD
    elif is_ours and ended.status in NOT_RUN:
        hint = INSTALL_AGAIN
    return Failure(
        'script "%s" %s' % (script_name, how_it_ended(ended.status)),
        detail=last_lines(ended.lines) + without_last_word(ended.status),
        hint=hint,
    )


def is_record_of_another_build(line: str) -> bool:
    r"""Return whether a line is a failure record of our stage commands from before the secret.

    Nothing in it is trusted; all that a forged one can achieve is a hint.

    >>> is_record_of_another_build('\x1e{"error": "Busy", "message": "x", "sqlstate": "55006"}')
    True
    """
    return line.startswith(("\x1e{", "\\x1e{")) and '"sqlstate": ' in line


def without_last_word(status: Optional[int]) -> str:
    """Return what a script that was killed could not report: the state that it left behind.

    >>> without_last_word(3)
    ''
    """
    if status is not None and status >= 0:
        return ""
    return "\nIt did not report the state of the target."


def detail_of_record(record: Record) -> str:
    """Return the record's detail, followed by the state of the target."""
    parts = [record.get("detail"), "The target is %s." % record["target"]]
    return "\n".join(part for part in parts if part)


def how_it_ended(status: Optional[int]) -> str:
    """Return how a program ended, in the words of PostgreSQL's wait_result_to_str().

    >>> how_it_ended(3)
    'exited with status 3'
    >>> how_it_ended(-9)
    'was terminated by signal 9: SIGKILL'
    """
    if status is None:
        return "could not be ended"
    if status >= 0:
        return "exited with status %d" % status
    import signal  # Imported here because it takes 5 ms of each new session.

    return "was terminated by signal %d: %s" % (-status, signal.Signals(-status).name)


def last_lines(lines: List[str]) -> str:
    """Return the last lines of a script's output as a detail."""
    if not lines:
        return "It wrote nothing."
    return "Its last lines were:\n" + "\n".join(lines)
