"""The commands for people."""

import os
import signal
import sys
from collections.abc import Callable, Sequence

from cyclopts import App, CycloptsError, Group, Parameter

from pgpool_recovery import __version__
from pgpool_recovery.cli.commands.cancel import cancel
from pgpool_recovery.cli.commands.change import attach, detach, promote
from pgpool_recovery.cli.commands.check import check
from pgpool_recovery.cli.commands.history import history
from pgpool_recovery.cli.commands.hook import failover, follow_primary
from pgpool_recovery.cli.commands.install import install, uninstall
from pgpool_recovery.cli.commands.plan import plan
from pgpool_recovery.cli.commands.recover import recover
from pgpool_recovery.cli.commands.status import status
from pgpool_recovery.cli.commands.watch import watch
from pgpool_recovery.cli.leave import BY_SIGNAL
from pgpool_recovery.cli.output import tell_failure
from pgpool_recovery.domain.error import RecoveryError, UsageError, as_failure

app = App(
    name="pgpool-recovery",
    version=__version__,
    help="Online recovery of PostgreSQL nodes behind Pgpool-II.",
    help_format="markdown",
    default_parameter=Parameter(negative=(), show_default=False),
)
RECOVERY = Group.create_ordered("Recovery")
NODES = Group.create_ordered("Nodes in Pgpool-II")
HOOKS = Group.create_ordered("Called by Pgpool-II")
HOST = Group.create_ordered("This host")

COMMANDS: dict[Group, tuple[Callable[..., object], ...]] = {
    RECOVERY: (recover, plan, check, watch, cancel, history),
    NODES: (status, attach, detach, promote),
    HOOKS: (failover, follow_primary),
    HOST: (install, uninstall),
}
for group, commands in COMMANDS.items():
    for place, command in enumerate(commands):
        app.command(command, name=command.__name__, group=group, sort_key=place)
app.register_install_completion_command(group=HOST)


def run_app(words: Sequence[str]) -> int:
    """Run a command and return its exit status; a failure is shown as psql shows one."""
    given = list(words)
    try:
        result = app(given, exit_on_error=False, print_error=False, result_action="return_value")
    except CycloptsError as error:
        usage = UsageError(str(error), hint='Try "pgpool-recovery --help".')
        return tell_failure(usage, given)
    except RecoveryError as error:
        return tell_failure(error, given)
    except KeyboardInterrupt:
        return BY_SIGNAL + signal.SIGINT
    except BrokenPipeError:  # Whoever read our output has left.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return BY_SIGNAL + signal.SIGPIPE
    except Exception as error:  # noqa: BLE001 - a bug is told as such
        return tell_failure(as_failure(error), given)
    return result if isinstance(result, int) else 0
