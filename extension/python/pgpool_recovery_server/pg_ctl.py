"""Control this server, and report whether a server of this host is ready: pgpool_pgctl()."""

import os
from typing import Callable, Optional

from pgpool_recovery.in_server.pid_file import (
    PID_FILE_MAX_BYTES,
    PID_FILE_NAME,
    PidFile,
    is_server_of,
    parse_pid_file,
)

from server_types import Memory, Plpy, Row

from .named_file import read_file
from .outcome import INSUFFICIENT_PRIVILEGE, INVALID_PARAMETER_VALUE, Failure, failed, success
from .run_script import how_it_ended, last_lines, told
from .server import Server
from .session import without_traceback
from .supervised_run import SupervisedRun

STOP_MODES = ("smart", "fast", "immediate")
LEAVING = ("stop", "restart")  # Accepted, then done: the caller's own session ends with it.
WAITED_FOR = ("reload", "promote", "logrotate")
DELAY_S = 0.5

READY_TIMEOUT_S = 5

PG_CTL_SETTING = "select pg_catalog.current_setting('pgpool.pg_ctl', true) as path"
IS_CONFIGURED = """
select exists (
           select from pg_catalog.pg_file_settings
            where pg_catalog.lower(name) = 'pgpool.pg_ctl' and setting = $1
       ) or exists (
           select from pg_catalog.pg_settings
            where pg_catalog.lower(name) = 'pgpool.pg_ctl' and source = 'command line'
       ) as is_configured
"""
BINARY_DIRECTORY = "select setting from pg_catalog.pg_config where name = 'BINDIR'"
ERRORS_IN_FILES = """
select pg_catalog.format('%s:%s: %s', f.sourcefile, f.sourceline, f.error) as error
  from pg_catalog.pg_file_settings f
  left join pg_catalog.pg_settings s on s.name = pg_catalog.lower(f.name)
 where f.error is not null and s.context is distinct from 'postmaster'
union all
select pg_catalog.format(
           '%s:%s: %s', pg_catalog.current_setting('hba_file'), line_number, error)
  from pg_catalog.pg_hba_file_rules where error is not null
"""


def pg_ctl(
    plpy: Plpy, session: Memory, supervisor_program: Callable[[], str], action: str, argument: str
) -> Row:
    """Do `action` and return the row of its outcome.

    `argument` is a stop mode, an empty text, or for ``status`` an absolute data directory.
    """
    return without_traceback(
        plpy, lambda: controlled(plpy, session, supervisor_program, action, argument)
    )


def controlled(
    plpy: Plpy, session: Memory, supervisor_program: Callable[[], str], action: str, argument: str
) -> Row:
    """Do it; an error that the server itself raises meanwhile, such as a cancel, is raised."""
    server = Server(plpy, session, is_direct=False)  # The caller makes no difference here.
    run = SupervisedRun(server, session, supervisor_program)
    try:
        check_arguments(action, argument)
    except Failure as refusal:
        return failed(refusal)
    try:
        if action == "status":
            return success(is_ready(server, run, argument))
        path = find_pg_ctl(server)
        if action in LEAVING:
            leave(server, run, path, action, argument)
        else:
            wait_for(server, run, path, action)
    except Failure as cause:
        return failed(told(server, "pgpool_pgctl", cause))
    return success(True)


def check_arguments(action: str, argument: str) -> None:
    """Raise Failure for an action, a mode or a directory that pgpool_pgctl() does not accept."""
    known = LEAVING + WAITED_FOR + ("status",)
    if action not in known:
        raise Failure(
            'unknown action "%s"' % action,
            detail="The actions are %s." % ", ".join(sorted(known)),
            sqlstate=INVALID_PARAMETER_VALUE,
        )
    if argument == "" or argument in STOP_MODES:
        return
    if action == "status" and os.path.isabs(argument):
        return
    raise Failure(
        'invalid second argument "%s" for the action "%s"' % (argument, action),
        detail="It must be a stop mode (%s) or empty%s."
        % (
            ", ".join(STOP_MODES),
            ", or the absolute path of a data directory" if action == "status" else "",
        ),
        sqlstate=INVALID_PARAMETER_VALUE,
    )


def find_pg_ctl(server: Server) -> str:
    """Return the path of pg_ctl: the setting pgpool.pg_ctl, or the one of this server's binaries.

    Any role may set such a setting in a session, even in that of a superuser who calls a function
    of that role, and it stays set. So it counts only where it can only have been written by someone
    who may choose programs: in the configuration files, and on the command line of the server.
    """
    path: str = server.query("pg_ctl setting", PG_CTL_SETTING)[0]["path"]
    if not path:
        return program(server, "pg_ctl")
    if not server.query("is configured", IS_CONFIGURED, ["text"], [path])[0]["is_configured"]:
        raise Failure(
            "permission denied to set the program that pgpool_pgctl() runs",
            detail='pgpool.pg_ctl is set to "%s", but not in the configuration files.' % path,
            hint="Set it in postgresql.conf, and nowhere else.",
            sqlstate=INSUFFICIENT_PRIVILEGE,
        )
    return path


def program(server: Server, name: str) -> str:
    """Return the path of a program of this server's installation."""
    row = server.query("binary directory", BINARY_DIRECTORY)[0]
    return os.path.join(row["setting"], name)


def leave(server: Server, run: SupervisedRun, path: str, action: str, mode: str) -> None:
    """Start pg_ctl in such a way that it goes on when this session ends.

    With the logging collector, the server's standard error is a pipe that ends with the server, so
    a restarted server must not inherit it.
    """
    argv = [path, action, "-D", server.facts["data_directory"]]
    if mode:
        argv += ["-m", mode]
    if not os.access(path, os.X_OK):
        raise Failure('program "%s" is not an executable file' % path)
    output = "nowhere" if server.facts["logging_collector"] else "log"
    run.leave(argv, dict(os.environ), DELAY_S, output)


def wait_for(server: Server, run: SupervisedRun, path: str, action: str) -> None:
    """Run pg_ctl to its end; raises Failure when it fails."""
    if action == "reload":
        check_files(server)
    ended = run.run([path, action, "-D", server.facts["data_directory"]], dict(os.environ))
    if ended.status != 0:
        raise Failure(
            '"%s %s" %s' % (path, action, how_it_ended(ended.status)),
            detail=last_lines(ended.lines),
        )


def check_files(server: Server) -> None:
    """Raise Failure when the server would reject its current configuration files."""
    errors = [row["error"] for row in server.query("errors in files", ERRORS_IN_FILES)]
    if errors:
        raise Failure(
            "the configuration files have errors",
            detail="\n".join(errors),
            hint="The server keeps its current settings.",
        )


def is_ready(server: Server, run: SupervisedRun, argument: str) -> bool:
    """Return whether the server of a data directory on this host accepts connections."""
    if not os.path.isabs(argument):
        return True  # This server: it accepted the connection of this call.
    found = read_pid_file(argument)
    directory = argument.encode("utf-8", "surrogateescape")
    if found is None or not found.is_ready or not is_server_of(found.pid, directory):
        return False
    argv = [program(server, "pg_isready"), "-q", "-t", str(READY_TIMEOUT_S)]
    argv += ["-p", str(found.port), "-h", found.host]
    return run.run(argv, dict(os.environ)).status == 0


def read_pid_file(data_directory: str) -> Optional[PidFile]:
    """Return the contents of postmaster.pid, or None when there is no such file."""
    content = read_file(os.path.join(data_directory, PID_FILE_NAME), PID_FILE_MAX_BYTES)
    return None if content is None else parse_pid_file(content.decode("utf-8", "surrogateescape"))
