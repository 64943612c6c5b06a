"""The connection strings by which the target may reach the primary, in the order of the tries."""

from collections.abc import Collection, Iterable, Mapping, Sequence

from pgpool_recovery.domain.node import RecoveryRequest
from pgpool_recovery.facts.facts import Conninfo, Facts, Login, PrimaryFacts, TargetFacts
from pgpool_recovery.facts.rejection import Rejection
from pgpool_recovery.plan.inherited import inherited
from pgpool_recovery.plan.named_host import is_address, leads_astray, names_every_host
from pgpool_recovery.plan.standby_name import standby_name

MAX_USERS = 5
VERIFIES_NAME = "verify-full"
ANY_METHOD = {"require_auth": ""}
"""The server may ask for any authentication method.

Without this keyword the agent refuses to send a password in clear text.
"""


def login_candidates(
    request: RecoveryRequest,
    primary: PrimaryFacts,
    target: TargetFacts,
    *,
    own_hosts: Sequence[str],
    user: str | None,
    is_local: bool,
    named: Sequence[Conninfo] | None = None,
    words: Mapping[str, str] | None = None,
    own_addresses: Collection[str] = (),
) -> tuple[Conninfo, ...]:
    """Return the connection strings to try from the target, best first.

    The host is the one that Pgpool-II names for the primary, or those in `named` when the caller is
    not trusted (plan/named_host.py). If it is missing, or would lead the target to itself, the
    hosts are `own_hosts` (names, addresses and socket directories of the primary's host). The user
    is the one in the settings, or else the one in the target's last primary_conninfo, then those of
    the other standbys, then any role that may replicate. `words` are the connection keywords of the
    settings; what else the target's own primary_conninfo contains (plan/inherited.py) is kept.

    A password file lists the primary under the name that the node uses for it, and so does a
    certificate. If the node uses another name, or another one of `own_addresses`, that is tried as
    well.
    """
    own = {} if target.configuration is None else target.configuration.primary_conninfo
    any_method = ANY_METHOD if primary.asks_clear_text else {}
    kept = {**any_method, **inherited(own), **(words or {})}
    own_places: list[Conninfo] = [{"host": host} for host in own_hosts]
    places = _named_places(request, named, is_local=is_local)
    if not places or is_local:
        places += [place for place in own_places if place not in places]
    else:
        places += _as_the_node_calls_it(places, own, own_addresses)
        names = _names(own)
        if names or kept.get("sslmode") == VERIFIES_NAME:
            places += _with_names(places, _distinct([*own_hosts, *names]))
    users = [user] if user else _distinct([own.get("user"), *primary.replication_users])[:MAX_USERS]
    name = standby_name(request.target, target.configuration, primary)
    return tuple(
        {
            **place,
            "port": str(request.primary_port),
            "user": candidate,
            "application_name": name,
            **{word: text for word, text in kept.items() if word != "application_name"},
        }
        for place in places
        for candidate in users
    )


def _named_places(
    request: RecoveryRequest, named: Sequence[Conninfo] | None, *, is_local: bool
) -> list[Conninfo]:
    host = request.primary_host
    if host is None or leads_astray(host, is_local=is_local):
        return []
    return [{"host": host}] if named is None else list(named)


def _as_the_node_calls_it(
    places: Sequence[Conninfo], own: Mapping[str, str], own_addresses: Collection[str]
) -> list[Conninfo]:
    """Return the address at which the node has followed this same host, if it differs."""
    host = own.get("host", "")
    is_known = {"host": host} in places or not (is_address(host) and host in own_addresses)
    return [] if is_known or names_every_host(host) else [{"host": host}]


def _names(own: Mapping[str, str]) -> list[str]:
    """Return the host names, as opposed to addresses, that the node has followed."""
    hosts = own.get("host", "").split(",")
    return [host for host in hosts if host and not (is_address(host) or names_every_host(host))]


def _with_names(places: Sequence[Conninfo], names: Sequence[str]) -> list[Conninfo]:
    """Return the addresses with the names of the primary's host: a certificate contains a name."""
    return [
        {"host": name, "hostaddr": place["host"]}
        for place in places
        if is_address(place["host"]) and not names_every_host(place["host"])
        for name in names
    ]


def rewind_candidates(facts: Facts, *, user: str | None, dbname: str) -> tuple[Conninfo, ...]:
    """Return the connection strings to try for pg_rewind: those of the replication login, for SQL.

    The user is the one in the settings, or else the one that replicates if it has the privileges,
    then any role that has them.
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
    """Report why no connection from the target leads to the primary."""
    if choose_login(logins, primary) is not None:
        return
    yield Rejection(
        f"{name} cannot open a replication connection to the primary",
        detail="\n".join(_login_text(login) for login in logins)
        or "No role with LOGIN and REPLICATION exists on the primary.",
        hint="Check pg_hba.conf of the primary (database replication), the role, the password file "
        "of the target's user, and the address.",
    )


def _login_text(login: Login) -> str:
    where = f"host {login.conninfo['host']} port {login.conninfo['port']}"
    problem = login.problem or (
        f"it belongs to another cluster (system identifier {login.system_identifier})"
    )
    return f"{login.conninfo['user']} at {where}: {problem}"


def _distinct(words: Iterable[str | None]) -> list[str]:
    return list(dict.fromkeys(word for word in words if word))
