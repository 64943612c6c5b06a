"""Whether all nodes run the same minor release, since each may have to replay another one's WAL."""

from collections.abc import Iterator

from pgpool_recovery.check.finding import Finding, Kind
from pgpool_recovery.check.report import Report
from pgpool_recovery.facts.facts import PrimaryFacts
from pgpool_recovery.facts.node import ServerFacts


def releases(report: Report) -> Iterator[Finding]:
    """Report each standby whose minor release differs from the primary's.

    That usually works, and it has to while nodes are updated one after another. But it has failed:
    standbys of 14.21, 15.16, 16.12, 17.8 and 18.2 ended on multixid records of older primaries
    (release-18-3.html). A server of another major version cannot follow at all, which the plan
    reports.
    """
    primary = report.primary
    for place, target, node in report.reached():
        server = node.surroundings.server
        if server is None or place == report.primary_place or not _differs(server, primary):
            continue
        yield Finding(
            Kind.MINOR_RELEASE,
            target.node_id,
            f"{target.name} runs PostgreSQL {release(server.version)}, but the primary runs "
            f"{release(primary.version)}; a standby may fail on WAL of another minor release",
            "Install the same minor release on all nodes, on the standbys first.",
        )


def _differs(server: ServerFacts, primary: PrimaryFacts) -> bool:
    is_same_major = server.version // 10000 == primary.version // 10000
    return is_same_major and server.version != primary.version


def release(version: int) -> str:
    """Return the usual name of a release.

    >>> release(180004)
    '18.4'
    """
    return f"{version // 10000}.{version % 10000}"
