"""By which connection strings the target may reach the primary: what is tried, in which order."""

from collections.abc import Iterable, Sequence

from pgpool_recovery.domain.node import RecoveryRequest
from pgpool_recovery.plan.facts import Conninfo, Facts, Login, PrimaryFacts, TargetFacts
from pgpool_recovery.plan.rejection import Rejection

LOCAL_HOSTS = ("localhost", "127.0.0.1", "::1")
MAX_USERS = 5
NOT_INHERITED = ("host", "hostaddr", "port", "user", "replication", "password")


def login_candidates(
    request: RecoveryRequest,
    primary: PrimaryFacts,
    target: TargetFacts,
    *,
    own_hosts: Sequence[str],
    user: str | None,
    is_local: bool,
) -> tuple[Conninfo, ...]:
    """Return the connection strings to try from the target, best first.

    The host is what Pgpool-II calls the primary. Where that is missing or leads the target to
    itself, it is one of `own_hosts` (names, addresses and socket directories of the primary's
    host). The user is the one of the settings, of the target's last primary_conninfo, of the other
    standbys, or any role that may replicate. What else the target's own primary_conninfo says (TLS,
    the password file) is kept.
    """
    own = {} if target.configuration is None else target.configuration.primary_conninfo
    inherited = {key: text for key, text in own.items() if key not in NOT_INHERITED}
    named = request.primary_host
    leads_astray = named is None or (named in LOCAL_HOSTS and not is_local)
    hosts = _distinct([*([] if leads_astray or named is None else [named]), *own_hosts])
    if named is not None and not leads_astray and not is_local:
        hosts = [named]
    users = [user] if user else _distinct([own.get("user"), *primary.replication_users])[:MAX_USERS]
    name = own.get("application_name") or _application_name(request)
    return tuple(
        {
            "host": host,
            "port": str(request.primary_port),
            "user": candidate,
            "application_name": name,
            **{key: text for key, text in inherited.items() if key != "application_name"},
        }
        for host in hosts
        for candidate in users
    )


def rewind_candidates(facts: Facts, *, user: str | None, dbname: str) -> tuple[Conninfo, ...]:
    """Return the connection strings for pg_rewind to try: where replication works, for SQL.

    The user is the one of the settings, the one that replicates when it may, or any that may.
    """
    login = choose_login(facts.logins, facts.primary)
    if login is None:
        return ()
    may = facts.primary.rewind_users
    own = login.conninfo["user"]
    users = [user] if user else _distinct([*([own] if own in may else []), *may])[:MAX_USERS]
    return tuple({**login.conninfo, "user": name, "dbname": dbname} for name in users)


def choose_login(logins: Sequence[Login], primary: PrimaryFacts) -> Login | None:
    """Return the first connection that leads to this primary."""
    for login in logins:
        if login.system_identifier == primary.system_identifier:
            return login
    return None


def reject_logins(name: str, logins: Sequence[Login], primary: PrimaryFacts) -> Iterable[Rejection]:
    """Say why no connection from the target leads to the primary."""
    if choose_login(logins, primary) is not None:
        return
    yield Rejection(
        f"{name} cannot open a replication connection to the primary",
        detail="\n".join(_login_text(login) for login in logins) or "No role may replicate.",
        hint="Check pg_hba.conf of the primary (database replication), the role, the password file "
        "of the target's user, and the address.",
    )


def _login_text(login: Login) -> str:
    where = f"host {login.conninfo['host']} port {login.conninfo['port']}"
    problem = login.problem or f"it is another cluster, {login.system_identifier}"
    return f"{login.conninfo['user']} at {where}: {problem}"


def _application_name(request: RecoveryRequest) -> str:
    target = request.target
    is_name = target.host not in LOCAL_HOSTS and not target.host.startswith("/")
    return target.host if is_name else target.slot_name


def _distinct(words: Iterable[str | None]) -> list[str]:
    return list(dict.fromkeys(word for word in words if word))
