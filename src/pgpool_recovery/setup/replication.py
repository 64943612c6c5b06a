"""Decide which nodes lack a replication login to which others, and give them a role of ours.

Where any role that the servers know can log in, nothing is changed. Otherwise a role of our own is
made, with its lines in pg_hba.conf and in the password files: no line of the user's is edited, and
ours are before all others, since the first one that fits counts.
"""

import ipaddress
from collections.abc import Iterator

from pgpool_recovery.setup.facts import ClusterState, HostState, NodeState
from pgpool_recovery.setup.need import Advice, Item, Need, There, made, words
from pgpool_recovery.setup.statement import answers, on_primary, run_sql

NAME = "replication"
ROLE = "pgpool_recovery_replication"
PASSWORD, VERIFIER = f"password of {ROLE}", f"verifier of {ROLE}"
WHY = "A node is copied, and then streams, over a replication connection to the primary."
NO_ANSWER = ("refused", "timeout", "o route to host", "not translate")
IN_USE = (
    "SELECT count(*) FROM pg_catalog.pg_stat_replication "
    "WHERE usename OPERATOR(pg_catalog.=) 'pgpool_recovery_replication'"
)
EXISTS = (
    "SELECT count(*) FROM pg_catalog.pg_roles "
    "WHERE rolname OPERATOR(pg_catalog.=) 'pgpool_recovery_replication'"
)


def replication(around: ClusterState) -> Iterator[Item]:
    """Yield which nodes can log in to which others for replication, and what they lack."""
    refused = list[str]()
    for host in around.hosts:
        for node in host.nodes:
            for item in _logins(host, node, around):
                if isinstance(item, str):
                    refused.append(item)
                else:
                    yield item
    if refused:
        yield from _own_role(around, refused[0])


def _logins(host: HostState, node: NodeState, around: ClusterState) -> Iterator[Item | str]:
    """Yield what is there, what the user has to do, and the reason of each refused login."""
    roles: dict[str, list[str]] = {}
    for peer, said in sorted(node.replication.items()):
        answer, _, rest = said.partition(" ")
        other = around.node(peer)
        if answer == "ok":
            roles.setdefault(rest, []).append(str(peer))
        elif other.state != "running":
            yield There(host.name, NAME, f"not tried: {other.backend.name} is {other.state}")
        elif any(text in rest for text in NO_ANSWER):
            yield Advice(
                host.name,
                NAME,
                f"{node.backend.name} does not reach the server of {other.backend.name}: {rest}",
                f"Check listen_addresses of {other.backend.name}, and the firewall.",
                is_needed=True,
            )
        else:
            yield f"{node.backend.name} to {other.backend.name}: {rest}"
    for role, peers in roles.items():
        yield There(host.name, NAME, f"as {role} to node {', '.join(peers)}")


def _own_role(around: ClusterState, why: str) -> Iterator[Need]:
    primary = around.primary
    if primary is None:
        return
    yield _role(around.host_of(primary), primary, why)
    for host in around.hosts:
        for node in host.nodes:
            if node.state == "running" and node.settings.get("hba_file"):
                yield _hba(host, node, around)
            if node.home is not None:
                yield _pass_file(host, node, around)


def _role(host: HostState, primary: NodeState, why: str) -> Need:
    attributes = f"LOGIN REPLICATION PASSWORD '{made(VERIFIER)}'"
    return Need(
        host.name,
        "40-replication-role",
        f"no role can log in for replication everywhere ({why}), so {ROLE} is made",
        WHY,
        test="false",
        commands=(
            f"if {answers(primary, 'postgres', EXISTS, '0')}; then",
            run_sql(primary, "postgres", f"CREATE ROLE {ROLE} {attributes}"),
            "else",
            run_sql(primary, "postgres", f"ALTER ROLE {ROLE} {attributes}"),
            "fi",
        ),
        undo=(on_primary("postgres", f"DROP ROLE IF EXISTS {ROLE}"),),
        on_primary=True,
    )


def _hba(host: HostState, node: NodeState, around: ClusterState) -> Need:
    file = node.settings["hba_file"]
    addresses = sorted(
        {
            address
            for peer, found in node.addresses.items()
            if around.host_of(around.node(peer)).name != host.name
            for address in found
        }
    )
    lines = [
        f"host replication {ROLE} {address}/{_bits(address)} scram-sha-256" for address in addresses
    ]
    reload = run_sql(node, "postgres", "SELECT FROM pg_catalog.pg_reload_conf()")
    return Need(
        host.name,
        f"41-hba-{node.backend.node_id}",
        f"{file} does not admit {ROLE}",
        WHY,
        test="false",  # If it was interrupted before the reload, the lines alone do not help.
        commands=(*(words("first_line", node.owner, file, line) for line in lines), reload),
        undo=(*(words("remove_lines", node.owner, file, line) for line in lines), reload),
    )


def _pass_file(host: HostState, node: NodeState, around: ClusterState) -> Need:
    file = f"{node.home}/.pgpass"
    others = [one for one in around.nodes if one is not node]
    begins = [
        f"{_escaped(one.backend.host)}:{one.backend.port}:replication:{ROLE}:" for one in others
    ]
    clear = [words("remove_lines", node.owner, file, begin) for begin in begins]
    add = [words("first_line", node.owner, file, begin + made(PASSWORD)) for begin in begins]
    return Need(
        host.name,
        f"42-password-file-{node.backend.node_id}",
        f"{file} does not have the password of {ROLE}",
        WHY,
        test="false",
        commands=(*clear, *add),
        undo=tuple(clear),
    )


def _escaped(host: str) -> str:
    """Return a host as a password file has it, where a colon ends a field."""
    return host.replace(":", "\\:")


def _bits(address: str) -> int:
    return ipaddress.ip_address(address.partition("%")[0]).max_prefixlen
