"""Rehearse failover_command as its user: try logins and privileges, and report the decision.

Nothing is changed. The observations and the decision are those of a failover, so a line that is
missing from a password file shows before the outage.
"""

from collections.abc import Iterator

from pgpool_recovery.check.finding import Severity
from pgpool_recovery.config.settings import Settings
from pgpool_recovery.control.check import Reported
from pgpool_recovery.control.cluster import Cluster, Node, cluster_of_parameters
from pgpool_recovery.control.pool_user import is_pool_user, name_of, pool_users
from pgpool_recovery.domain.error import RecoveryError
from pgpool_recovery.domain.node import NodeId
from pgpool_recovery.domain.record import replace
from pgpool_recovery.hooks.call import Call, CalledPlace
from pgpool_recovery.hooks.choice import PromoteNode, StopOldPrimary, decide
from pgpool_recovery.hooks.observe import Known, View, look
from pgpool_recovery.hooks.scene import Scene
from pgpool_recovery.hooks.stop import why_not_stoppable
from pgpool_recovery.pcp.pool import Pool

OWN = " failover "
"""In failover_command, what comes before this is our program and its options."""
NO_PASSWORD = "no password supplied"  # noqa: S105 - libpq's words
TAKEN_AWAY = "it is assumed to be gone"


def rehearse(pool: Pool, settings: Settings) -> list[Reported]:
    """Return what a failover would encounter now, on this host and as this user."""
    try:
        parameters = {row.name: row.value for row in pool.parameters()}
    except RecoveryError as error:
        return [
            Reported(
                Severity.ERROR,
                None,
                f"a failover could not get the nodes from Pgpool-II: {_said(error)}",
                error.hint
                or "Check pgpool.host, pcp_port and pcp_user in the settings, and "
                "~/.pcppass of the user that Pgpool-II runs as.",
            )
        ]
    return rehearse_with(cluster_of_parameters(parameters, settings), settings)


def rehearse_with(cluster: Cluster, settings: Settings) -> list[Reported]:
    """Return the same for a cluster that is known."""
    if not cluster.has_standbys:
        return [
            Reported(Severity.OK, None, "Pgpool-II writes to all nodes; a failover promotes none")
        ]
    known = Known(cluster)
    view = look(_call(None, None, None), known, connect_s=settings.failover.connect_s)
    view = replace(view, scene=replace(view.scene, attached=known.attached))
    findings = [found for node in cluster.nodes for found in _of_node(node, view)]
    return [*findings, *_outcomes(view, settings)]


def _of_node(node: Node, view: View) -> Iterator[Reported]:
    """Yield whether the hook can do with a node what a failover may require."""
    login = view.cluster.login
    whom = f'as "{login.user}"' if login.user else "with the default user name"
    silence = view.scene.silent.get(node.node_id)
    if silence is not None:
        is_down = view.cluster.parameters.get(f"backend_status{node.node_id}") == "down"
        yield Reported(
            Severity.WARNING if is_down else Severity.ERROR,
            node.node_id,
            f"a failover cannot log in to node {node.node_id} ({node.address}) {whom}: {silence}",
            _remedy(node, view, silence),
        )
        return
    standing = view.scene.standings[node.node_id]
    database = view.databases[node.node_id]
    yield Reported(
        Severity.OK, node.node_id, f"a failover can log in to it {whom}, in database {database}"
    )
    if not standing.may_promote:
        yield Reported(
            Severity.ERROR,
            node.node_id,
            f"the login {whom} may not call pg_promote() there",
            "GRANT EXECUTE ON FUNCTION pg_promote to it, or set pgpool.user to a superuser.",
        )
    if why := why_not_stoppable(node, view.cluster.login):
        yield Reported(
            Severity.WARNING,
            node.node_id,
            f"a failover could not stop its server, as a switchover must: {why}",
            'Run "pgpool-recovery install" there and CREATE EXTENSION pgpool_recovery.',
        )
    if not standing.is_primary and standing.required is None:
        yield Reported(
            Severity.WARNING,
            node.node_id,
            "a failover may not read its files, so it cannot determine whether a setting there is "
            "too low, nor whether the node has everything after a switchover",
            "Let it log in as a superuser, or GRANT pg_read_server_files and EXECUTE ON FUNCTION "
            "pg_read_binary_file(text, bigint, bigint), and on the one with four arguments.",
        )


def _remedy(node: Node, view: View, silence: str) -> str | None:
    if NO_PASSWORD not in silence:
        return None
    login = view.cluster.login
    databases = " or ".join(login.databases)
    line = f"{node.host or 'localhost'}:{node.port}:*:{login.user or '*'}:PASSWORD"
    return (
        f"Add to ~/.pgpass of this user, mode 0600: {line} (the login is to database {databases})."
    )


def _outcomes(view: View, settings: Settings) -> Iterator[Reported]:
    """Yield which node a failover would promote now if the primary were lost, or detached."""
    primaries = view.scene.primaries()
    if len(primaries) != 1:
        found = " and ".join(f"node {node}" for node in primaries) or "no node"
        yield Reported(
            Severity.ERROR, None, f"a rehearsal needs one node that accepts writes, not {found}"
        )
        return
    (old,) = primaries
    rest = sorted(view.scene.attached - {old})
    call = _call(old, rest[0] if rest else None, old)
    others = {node: one for node, one in view.scene.standings.items() if node != old}
    alone = Scene(others, {**view.scene.silent, old: TAKEN_AWAY}, view.scene.attached - {old})
    lost = decide(call, alone, settings.failover)
    if isinstance(lost, PromoteNode):
        next_ones = ", then ".join(f"node {node}" for node in lost.others)
        after = f"; should that fail, {next_ones}" if next_ones else ""
        said = "; ".join(lost.remarks[1:])
        yield Reported(
            Severity.OK,
            None,
            f"if node {old} were lost now, node {lost.node_id} would be promoted{after}",
            f"{said}.",
        )
    elif isinstance(lost, RecoveryError):
        yield Reported(
            Severity.ERROR,
            None,
            f"if node {old} were lost now, no node would be promoted: {_said(lost)}",
            lost.hint,
        )
    lives = replace(view.scene, attached=view.scene.attached - {old})
    detached = decide(call, lives, settings.failover)
    if isinstance(detached, StopOldPrimary):
        yield Reported(
            Severity.OK,
            None,
            f"if it were only detached, node {detached.successors[0]} could take its place",
        )
    elif isinstance(detached, RecoveryError):
        yield Reported(
            Severity.WARNING,
            None,
            f"if node {old} were only detached, it would stay primary: {_said(detached)}",
        )


def _call(down: NodeId | None, new: NodeId | None, old: NodeId | None) -> Call:
    node = NodeId(-1) if down is None else down
    return Call(node, CalledPlace(), new, CalledPlace(), old, old, CalledPlace())


def _said(error: RecoveryError) -> str:
    detail = f": {error.detail}" if error.detail else ""
    return f"{error.message}{detail}"


def hook_findings(cluster: Cluster, settings: Settings) -> list[Reported]:
    """Return what a check reports about the hooks: the rehearsal, or where to run it.

    Return nothing where failover_command is not ours.
    """
    command = cluster.parameters.get("failover_command", "")
    program, is_ours, _ = command.partition(OWN)
    if not is_ours or "pgpool-recovery" not in program:
        return []
    if is_pool_user():
        return rehearse_with(cluster, settings)
    users = " or ".join(name_of(uid) for uid in sorted(pool_users()))
    where = f"as {users}" if users else "on the host of Pgpool-II, as the user that it runs as"
    return [
        Reported(
            Severity.INFO,
            None,
            "the logins of failover_command were not tried, because they belong to another user",
            f"Run {where}: {program} failover --rehearse",
        )
    ]
