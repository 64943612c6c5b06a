"""Read the settings of pgpool_adm, which any user can set for a session, role or database."""

import re

from pgpool_recovery_server.outcome import INVALID_PARAMETER_VALUE, Failure
from pgpool_recovery_server.session import Session

SETTING = "select pg_catalog.current_setting($1, true) as value"
UNITS_S = {"": 1.0, "ms": 0.001, "s": 1.0, "min": 60.0, "h": 3600.0, "d": 86400.0}


def seconds_of(caller: Session, name: str, default_s: float) -> float:
    """Return a setting in seconds, or the default when it is not set; raises Failure."""
    text = caller.query("setting", SETTING, ["text"], [name])[0]["value"]
    if not text:
        return default_s
    match = re.match(r"\s*([0-9]+(?:\.[0-9]+)?)\s*(|ms|s|min|h|d)\s*\Z", text)
    if match is None:
        raise Failure(
            'invalid value for parameter "%s": "%s"' % (name, text),
            hint="Give seconds, or a number and a unit such as 5min.",
            sqlstate=INVALID_PARAMETER_VALUE,
        )
    return float(match.group(1)) * UNITS_S[match.group(2)]
