"""Run the commands that Pgpool-II calls on its own host: failover and follow_primary."""

import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from pgpool_recovery.cli.log import log_failure, log_if_wanted
from pgpool_recovery.cli.own_user import own_name, use_own_home
from pgpool_recovery.cli.psql import as_psql
from pgpool_recovery.cli.say import complain, say, say_json
from pgpool_recovery.domain.error import RecoveryError, as_failure
from pgpool_recovery.domain.record import replace
from pgpool_recovery.domain.target_state import TargetState

if TYPE_CHECKING:
    from pgpool_recovery.config.settings import PgpoolSettings, Settings

FAILOVER, FOLLOW_PRIMARY = "failover", "follow_primary"


def run_hook(name: str, words: Sequence[str]) -> int:
    """Run a hook and return its exit status; its whole output goes to pgpool.log."""
    try:
        use_own_home()
        _run(name, words)
    except RecoveryError as error:
        return _fail(name, error)
    except Exception as error:  # noqa: BLE001 - reported as a bug
        return _fail(name, as_failure(error))
    return 0


def _fail(name: str, error: RecoveryError) -> int:
    log_failure(error)
    told = as_psql(error, with_target=error.target is not TargetState.UNTOUCHED)
    complain(*(f"{name}: {line}" for line in told))
    return error.exit_status


def _run(name: str, words: Sequence[str]) -> None:
    from pgpool_recovery.hooks.call import parse_call

    call = parse_call(name, words)
    from pgpool_recovery.config.load import load_settings, settings_file
    from pgpool_recovery.control.cluster import pool_of

    settings = load_settings(settings_file(None))
    log_if_wanted(settings.log, name)
    tell = _saying(name)
    if name == FAILOVER:
        from pgpool_recovery.hooks.fail_over import fail_over

        fail_over(call, pool_of(_hurried(settings), own_name()), settings, tell)
    else:
        from pgpool_recovery.cli.screen import PlainLines
        from pgpool_recovery.hooks.follow import follow_primary

        pool = pool_of(settings.pgpool, own_name())
        screen = PlainLines(tell, clock=time.monotonic)
        follow_primary(call, pool, settings, screen.tell, tell)


def run_rehearsal(*, as_json: bool) -> int:
    """Test what a failover needs, with its logins and short timeouts; return the exit status."""
    from pgpool_recovery.check.finding import in_order
    from pgpool_recovery.cli.render.check import check_lines
    from pgpool_recovery.cli.render.document import document
    from pgpool_recovery.config.load import load_settings, settings_file
    from pgpool_recovery.control.check import status_of
    from pgpool_recovery.control.cluster import pool_of
    from pgpool_recovery.hooks.rehearsal import rehearse

    use_own_home()
    settings = load_settings(settings_file(None))
    findings = in_order(rehearse(pool_of(_hurried(settings), own_name()), settings))
    status = status_of(findings, strict=False)
    if as_json:
        say_json(document(findings=findings, exit_status=status))
    else:
        say(*check_lines(findings))
    return status


def _hurried(settings: "Settings") -> "PgpoolSettings":
    """Return the settings for PCP with the short timeouts of a failover, for which writes wait."""
    within_s = settings.failover.connect_s
    return replace(settings.pgpool, connect_s=within_s, answer_s=within_s)


def _saying(name: str) -> Callable[[str], None]:
    """Return a function that prints a line prefixed with the command, as the log is shared."""
    return lambda line: say(f"{name}: {line}")
