"""Dispatch the commands that people call."""

import os
import signal
import sys
from collections.abc import Sequence

from pgpool_recovery import __version__
from pgpool_recovery.cli.grammar.common import HELP, INSTALL_COMPLETION, VERSION
from pgpool_recovery.cli.interrupt import BY_SIGNAL
from pgpool_recovery.cli.say import say


def run_app(words: Sequence[str]) -> int:
    """Run a command and return its exit status; a failure is shown as psql shows an error.

    Modules that only a command or a failure needs are imported there, so help starts quickly.
    """
    try:
        return _run(words)
    except KeyboardInterrupt:
        return BY_SIGNAL + signal.SIGINT
    except BrokenPipeError:  # The reader of our output is gone.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return BY_SIGNAL + signal.SIGPIPE
    except Exception as error:  # noqa: BLE001 - reported as a bug
        from pgpool_recovery.cli.output import tell_failure
        from pgpool_recovery.domain.error import as_failure

        return tell_failure(as_failure(error), words)


def _run(words: Sequence[str]) -> int:
    first, *rest = words or HELP.names
    if first in HELP.names:
        from pgpool_recovery.cli.help import own_width, program_help

        say(*program_help(own_width()).split("\n"))
        return 0
    if first in VERSION.names:
        say(__version__)
        return 0
    if first in INSTALL_COMPLETION.names:
        from pgpool_recovery.cli.install_completion import install_completion

        return install_completion(rest)
    from pgpool_recovery.cli.parse import asks_for_help, command_named, parse

    command = command_named(first)
    if asks_for_help(rest):
        from pgpool_recovery.cli.help import command_help, own_width

        say(*command_help(command, own_width()).split("\n"))
        return 0
    from pgpool_recovery.cli.call import run_call

    return run_call(parse(command, rest))
