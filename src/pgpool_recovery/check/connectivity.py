"""The connections between the nodes: after a failover, the new primary needs all of them."""

from collections.abc import Iterator

from pgpool_recovery.check.estimates import on, sentence
from pgpool_recovery.check.finding import Finding, Kind
from pgpool_recovery.check.report import Report
from pgpool_recovery.domain.node import Target
from pgpool_recovery.facts.facts import Login
from pgpool_recovery.facts.node import NodeFacts, PeerFacts


def ways(report: Report) -> Iterator[Finding]:
    """Report the nodes that could not be reached, and the connections that the others lack."""
    for place, reason in sorted(report.unreached.items()):
        detail = "" if reason.detail is None else f": {sentence(reason.detail)}"
        target = report.target(place)
        yield Finding(
            Kind.NOT_REACHED, target.node_id, f"{sentence(reason.message)}{detail}", reason.hint
        )
    if not report.checks_host_keys:
        yield Finding(
            Kind.HOST_KEYS,
            None,
            "check_host_keys is false in the settings, so any host that answers in place of a node "
            "is trusted, unless ssh_config forbids it",
            "Add the hosts' keys to ~/.ssh/known_hosts of the user that runs PostgreSQL, on each "
            "node, and remove check_host_keys from [ssh].",
        )
    for own, source, node in report.reached():
        untried = [place for place in sorted(report.nodes) if place not in {own, *node.peers}]
        if untried:
            yield _not_tried(report, source, untried)
        for place, peer in sorted(node.peers.items()):
            if place in report.nodes:
                yield from _between(report, source, node, place, peer)


def _not_tried(report: Report, source: Target, untried: list[int]) -> Finding:
    names = ", ".join(report.name(place) for place in untried)
    return Finding(
        Kind.CONNECTIONS_NOT_TRIED,
        source.node_id,
        f"there was no time left for {source.name} to try its connections to {names}",
        "See to the other findings first, since connections that fail take the most time, or raise "
        "check_s in [timeout] of the settings.",
    )


def _between(
    report: Report, source: Target, node: NodeFacts, place: int, peer: PeerFacts
) -> Iterator[Finding]:
    other = report.target(place)
    if peer.problem is not None:
        detail = "" if peer.problem.detail is None else f": {sentence(peer.problem.detail)}"
        yield Finding(
            Kind.NO_SSH,
            source.node_id,
            f"{source.name} cannot start an agent on {other.name}, so {other.name} could not "
            f"be recovered if {source.name} were the primary{detail}",
            f"{on(source)}, as {node.facts.target.user}: ssh -o BatchMode=yes "
            f"-o StrictHostKeyChecking=yes {other.host} pgpool-recovery --version",
        )
    if report.server(place) is None:
        return  # No login works on a server that is not running, or accepts none.
    if peer.untried is not None:
        yield Finding(
            Kind.LOGIN_NOT_TRIED,
            source.node_id,
            f"{source.name} did not try to log in to {other.name}: "
            f"{sentence(peer.untried.message)}",
            f'Write host = "{other.host}" and port = {other.port} into [node.{other.node_id}] of '
            "the settings on the primary, or let a superuser run the check, not from a function or "
            "DO block.",
        )
        return
    system = report.primary.system_identifier
    if not _leads(peer.logins, system):
        yield Finding(
            Kind.NO_REPLICATION_LOGIN,
            source.node_id,
            f"{source.name} cannot open a replication connection to {other.name}, so it could "
            f"not be recovered if {other.name} were the primary: {_told(peer.logins)}",
            f"Check pg_hba.conf of {other.name} (database replication), and the password file of "
            f"{node.facts.target.user} on {source.host}.",
        )
    elif not _leads(peer.sql_logins, system) and _may_be_rewound(node):
        yield Finding(
            Kind.NO_REWIND_LOGIN,
            source.node_id,
            f"{source.name} cannot open the SQL connection to {other.name} that pg_rewind needs: "
            f"{_told(peer.sql_logins)}",
            "Let a role with the privileges for pg_rewind log in: check pg_hba.conf of "
            f"{other.name}, and the password file of {node.facts.target.user} on {source.host}.",
        )


def _leads(logins: tuple[Login, ...], system_identifier: str) -> bool:
    return any(login.system_identifier == system_identifier for login in logins)


def _told(logins: tuple[Login, ...]) -> str:
    """Return the problem of each login that was tried, without repetitions."""
    problems = [
        sentence(
            login.problem
            or f"it belongs to another cluster (system identifier {login.system_identifier})"
        )
        for login in logins
    ]
    return "; ".join(dict.fromkeys(problems)) or "no role has the privileges"


def _may_be_rewound(node: NodeFacts) -> bool:
    control = node.facts.target.control
    return control is not None and (control.has_checksums or control.has_wal_log_hints)
