"""Try connections from this host as the standby and pg_rewind will open them."""

from pgpool_recovery.agent.directory.own_login import OwnLogin
from pgpool_recovery.domain.error import Unreachable
from pgpool_recovery.facts.facts import Conninfo, Login
from pgpool_recovery.host.stop import Stop
from pgpool_recovery.postgres.connection import connect, identify_system
from pgpool_recovery.talk.request.host import TryLogins

ANSWER_S = 30.0


def try_logins(
    request: TryLogins, stop: Stop, own_login: OwnLogin, connect_s: float
) -> tuple[Login, ...]:
    """Try the connection strings in order until one reaches a cluster, whichever it is."""
    logins = []
    for conninfo in request.candidates:
        stop.check()
        logins.append(_try(conninfo, own_login, connect_s, is_replication=request.is_replication))
        if logins[-1].system_identifier is not None:
            break
    return tuple(logins)


def _try(
    conninfo: Conninfo, own_login: OwnLogin, connect_s: float, *, is_replication: bool
) -> Login:
    whole = own_login.whole(conninfo)
    try:
        if is_replication:
            found = identify_system(whole, timeout_s=connect_s)
        else:
            with connect(whole, timeout_s=connect_s, answer_s=ANSWER_S) as connection:
                found = connection.row("identity")["system_identifier"]
    except Unreachable as error:
        return Login(conninfo, system_identifier=None, problem=error.detail)
    return Login(conninfo, system_identifier=found, problem=None)
