"""Which numbers there are: of the last recovery of each node, and of the last check."""

from collections import Counter
from collections.abc import Iterable, Sequence

from pgpool_recovery.check.finding import Finding, Severity
from pgpool_recovery.domain.record import record
from pgpool_recovery.metrics.family import Family, Sample

GOES_ON = ("running", "copied", "starting")
NO_NODE = ""
"""The label of a finding that is about no node in particular."""


@record
class LastRun:
    """The last recovery of a node, as it is on record."""

    node_id: int | None
    host: str
    data_directory: str
    state: str
    method: str | None
    started_s: float
    duration_s: float | None
    moved_bytes: int | None
    done_bytes: int | None
    total_bytes: int | None
    exit_status: int | None

    @property
    def labels(self) -> dict[str, str]:
        """What tells the node from the others: its id, or where it is; and its host."""
        place = f"{self.host}:{self.data_directory}"
        return {"node": place if self.node_id is None else str(self.node_id), "host": self.host}

    @property
    def goes_on(self) -> bool:
        """Whether it has not ended."""
        return self.state in GOES_ON


def recovery_families(runs: Sequence[LastRun]) -> tuple[Family, ...]:
    """Return what there is to say of the last recoveries."""

    def each(name: str, text: str, value: str) -> Family:
        found = ((run.labels, getattr(run, value)) for run in runs)
        samples = tuple((labels, float(one)) for labels, one in found if one is not None)
        return Family(f"pgpool_recovery_{name}", text, samples)

    ended = [run for run in runs if not run.goes_on]
    states: tuple[Sample, ...] = tuple(
        ({**run.labels, "method": run.method or "", "state": run.state}, 1.0) for run in runs
    )
    return (
        Family(
            "pgpool_recovery_last",
            "The last recovery of a node, by method and state; always 1.",
            states,
        ),
        Family(
            "pgpool_recovery_last_succeeded",
            "Whether the last recovery of a node, which has ended, has recovered it.",
            tuple((run.labels, float(run.state == "recovered")) for run in ended),
        ),
        Family(
            "pgpool_recovery_running",
            "Whether a recovery of a node goes on, or was interrupted and has no end.",
            tuple((run.labels, float(run.goes_on)) for run in runs),
        ),
        each(
            "last_start_timestamp_seconds", "When the last recovery of a node began.", "started_s"
        ),
        each("last_duration_seconds", "How long the last recovery that ended took.", "duration_s"),
        each("last_moved_bytes", "What the last recovery of a node has moved.", "moved_bytes"),
        each("last_done_bytes", "How far the transfer of the last recovery came.", "done_bytes"),
        each("last_total_bytes", "How far that transfer had to come.", "total_bytes"),
        each("last_exit_status", "The exit status of the last recovery that ended.", "exit_status"),
    )


def check_families(
    findings: Iterable[Finding], node_ids: Iterable[int | None], now_s: float
) -> tuple[Family, ...]:
    """Return what a check has found; a severity without findings is a sample of 0."""
    nodes = [NO_NODE, *(str(node_id) for node_id in node_ids if node_id is not None)]
    counted = Counter(
        (str(one.severity), NO_NODE if one.node_id is None else str(one.node_id))
        for one in findings
    )
    samples = tuple(
        ({"node": node, "severity": str(severity)}, float(counted[str(severity), node]))
        for node in nodes
        for severity in Severity
    )
    return (
        Family(
            "pgpool_recovery_check_findings", "What the last check of all nodes has found.", samples
        ),
        Family(
            "pgpool_recovery_check_timestamp_seconds",
            "When the last check was made.",
            (({}, now_s),),
        ),
    )
