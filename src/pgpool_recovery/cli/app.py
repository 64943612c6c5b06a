"""The commands for people."""

from collections.abc import Sequence

from cyclopts import App, CycloptsError, Parameter

from pgpool_recovery import __version__
from pgpool_recovery.cli.commands.install import install, uninstall
from pgpool_recovery.cli.commands.recover import recover
from pgpool_recovery.cli.commands.status import status
from pgpool_recovery.cli.output import tell_failure
from pgpool_recovery.domain.error import RecoveryError, UsageError

app = App(
    name="pgpool-recovery",
    version=__version__,
    help="Online recovery of PostgreSQL nodes behind Pgpool-II.",
    help_format="markdown",
    default_parameter=Parameter(negative=(), show_default=False),
)
app.command(recover)
app.command(status)
app.command(install)
app.command(uninstall)


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
    return result if isinstance(result, int) else 0
