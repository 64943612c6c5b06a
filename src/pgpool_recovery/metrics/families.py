"""The metrics of the last recovery of each node, and of the last check."""

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Protocol

from pgpool_recovery.check.finding import Severity
from pgpool_recovery.domain.record import record
from pgpool_recovery.metrics.family import Family, Sample

GOES_ON = ("running", "copied", "starting")
NO_NODE = ""
"""The label of a finding that is not about a particular node."""


@record
class LastRun:
    """The last recovery of a node, as recorded."""

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
        """The labels that identify the node: its id or else its location, and its host."""
        place = f"{self.host}:{self.data_directory}"
        return {"node": place if self.node_id is None else str(self.node_id), "host": self.host}

    @property
    def goes_on(self) -> bool:
        """Whether it has not ended."""
        return self.state in GOES_ON


def recovery_families(runs: Sequence[LastRun]) -> tuple[Family, ...]:
    """Return the metrics of the last recoveries."""

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
            "Whether the last recovery of a node succeeded, if it has ended.",
            tuple((run.labels, float(run.state == "recovered")) for run in ended),
        ),
        Family(
            "pgpool_recovery_running",
            "Whether a recovery of a node is running, or was interrupted without a recorded end.",
            tuple((run.labels, float(run.goes_on)) for run in runs),
        ),
        each(
            "last_start_timestamp_seconds", "When the last recovery of a node began.", "started_s"
        ),
        each(
            "last_duration_seconds",
            "The duration of the last recovery of a node, if it has ended.",
            "duration_s",
        ),
        each("last_moved_bytes", "The bytes moved by the last recovery of a node.", "moved_bytes"),
        each("last_done_bytes", "How far the transfer of the last recovery got.", "done_bytes"),
        each("last_total_bytes", "The expected size of that transfer.", "total_bytes"),
        each(
            "last_exit_status",
            "The exit status of the last recovery of a node, if it has ended.",
            "exit_status",
        ),
    )


class Counted(Protocol):
    """A finding, as the stage command has it, or as a command for people has read it."""

    @property
    def severity(self) -> str:
        """One of the values of Severity."""

    @property
    def node_id(self) -> int | None:
        """The node, or None for the cluster."""


def check_families(
    findings: Iterable[Counted], node_ids: Iterable[int | None], now_s: float
) -> tuple[Family, ...]:
    """Return the metrics of a check; a severity without findings has a sample of 0."""
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
            "pgpool_recovery_check_findings",
            "The findings of the last check of all nodes.",
            samples,
        ),
        Family(
            "pgpool_recovery_check_timestamp_seconds",
            "When the last check was done.",
            (({}, now_s),),
        ),
    )


def outcome_families(exit_status: int) -> tuple[Family, ...]:
    """Return the metric that a check has even if it could not be made."""
    return (
        Family(
            "pgpool_recovery_check_exit_status",
            "The exit status of the last check on this host.",
            (({}, float(exit_status)),),
        ),
    )
