"""Call pgpool_recovery_check on the primary, for the nodes that Pgpool-II names."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field

from pgpool_recovery.check.finding import Severity, in_order
from pgpool_recovery.control.cluster import Cluster
from pgpool_recovery.control.extension import Feature, Primary
from pgpool_recovery.control.record import about
from pgpool_recovery.control.release import release_line
from pgpool_recovery.domain.error import Refused

ASKED = (
    "recovery_user",
    "recovery_database",
    "recovery_1st_stage_command",
    "recovery_2nd_stage_command",
    "recovery_timeout",
    "follow_primary_command",
    "follow_master_command",
)
FOUND_ERRORS = Refused.exit_status


@dataclass(frozen=True)
class Reported:
    """A finding as it is shown, from the build on the primary or from a command itself."""

    severity: str = field(metadata={"about": "`error`, `warning`, `info` or `ok`"})
    node_id: int | None = about("the node; `null` for the cluster")
    fact: str = about("what was found", default="")
    advice: str | None = about("what to do about it")


def read_findings(primary: Primary, cluster: Cluster, *, within_s: float) -> tuple[Reported, ...]:
    """Ask the primary whether every node could be recovered; the worst findings come first.

    Raises Refused if the extension there has no such function.
    """
    nodes = [
        {
            "node_id": node.node_id,
            "host": node.told_host,
            "port": node.port,
            "data_directory": node.data_directory,
        }
        for node in cluster.nodes
    ]
    asked = json.dumps({"nodes": nodes, **pool_settings(cluster)})
    with primary.connect(Feature.CHECK, answer_s=within_s) as connection:
        rows = connection.call("check_nodes", lambda _line: None, nodes=asked)
    return in_order([Reported(**row) for row in rows])


def pool_settings(cluster: Cluster) -> dict[str, str]:
    """Return pgpool.conf's settings for recoveries and the release line; {} without Pgpool-II.

    Up to 4.6 there is no recovery_database: the functions are called in template1.
    """
    known = {name: cluster.parameters[name] for name in ASKED if name in cluster.parameters}
    line = release_line(cluster.parameters, cluster.infos)
    if line is not None:
        known["pgpool_version"] = ".".join(map(str, line))
    return {"recovery_database": "template1", **known} if known else {}


def status_of(findings: Sequence[Reported], *, strict: bool) -> int:
    """Return the exit status: 4 for an error, and with `strict` for a warning; else 0."""
    grave = {Severity.ERROR, Severity.WARNING} if strict else {Severity.ERROR}
    return FOUND_ERRORS if any(one.severity in grave for one in findings) else 0
