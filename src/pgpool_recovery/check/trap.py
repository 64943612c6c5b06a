"""Pgpool-II's own traps: settings and states that do not do what they seem to do.

The facts come from PCP, and from the servers as the host of Pgpool-II sees them. So
`pgpool-recovery check` finds these traps, and the function pgpool_recovery_check does not.
"""

from collections.abc import Iterator, Mapping

from pgpool_recovery.check.finding import Finding, Kind
from pgpool_recovery.domain.record import field, record

KINDS = frozenset(
    {
        Kind.TWO_PRIMARIES,
        Kind.NOT_IN_FORCE,
        Kind.APPLICATION_NAME,
        Kind.FALSE_PRIMARY,
        Kind.WARNING_AT_LOGIN,
    }
)
ON = frozenset({"1", "on", "true", "yes"})
WARNS_AT_LOGIN = 19
"""The first major version that warns at login about an MD5 password or one that expires soon."""
TAKES_WARNINGS = {(4, 3): 21, (4, 4): 18, (4, 5): 13, (4, 6): 8, (4, 7): 3}
"""For each major version of Pgpool-II, the first minor release that accepts a warning at login."""


@record
class SeenNode:
    """A node: what Pgpool-II says about it, and what its server does; None if that is not known.

    `address` is the host and port as pgpool.conf spells them, `sender` those in the node's
    primary_conninfo, and `application_name` its name in pg_stat_replication.
    """

    node_id: int
    address: str
    is_attached: bool = True
    is_primary: bool | None = None
    sender: str | None = None
    application_name: str | None = None

    @property
    def name(self) -> str:
        """The name of the node in findings."""
        return f"node {self.node_id}"


@record
class Written:
    """A parameter of a node whose value in force differs from the one in pgpool.conf."""

    node_id: int
    fact: str
    advice: str


@record
class SeenPool:
    """All facts; `version` is Pgpool-II's, often just the major one, `major` is the primary's."""

    nodes: tuple[SeenNode, ...]
    parameters: Mapping[str, str] = field(default_factory=dict)
    written: tuple[Written, ...] = ()
    version: tuple[int, ...] | None = None
    major: int | None = None

    def is_on(self, name: str) -> bool:
        """Return whether a parameter is on, in any spelling."""
        return self.parameters.get(name, "").lower() in ON


def traps(seen: SeenPool) -> Iterator[Finding]:
    """Report the traps that are present."""
    yield from _two_primaries(seen)
    for one in seen.written:
        yield Finding(Kind.NOT_IN_FORCE, one.node_id, one.fact, one.advice)
    yield from _application_names(seen)
    yield from _false_primary(seen)
    yield from _warning_at_login(seen)


def _two_primaries(seen: SeenPool) -> Iterator[Finding]:
    """Report two primaries: Pgpool-II queries its nodes in order and keeps the last one it finds.

    See find_primary_node.
    """
    writing = [node for node in seen.nodes if node.is_primary]
    if len(writing) < 2:
        return
    names = " and ".join(node.name for node in writing)
    used = [node for node in writing if node.is_attached]
    wins = max(used or writing, key=lambda node: node.node_id)
    fate = "takes" if used else "would, if they were attached, take"
    yield Finding(
        Kind.TWO_PRIMARIES,
        None,
        f"{names} accept writes; Pgpool-II {fate} {wins.name}, which has the highest id, for the "
        "primary",
        "Find out which one has the data, stop the other, and recover it.",
    )


def _application_names(seen: SeenPool) -> Iterator[Finding]:
    """Report standbys that Pgpool-II does not find in pg_stat_replication by their name."""
    needs = seen.is_on("auto_failback")
    for node in seen.nodes:
        setting = f"backend_application_name{node.node_id}"
        wanted, found = seen.parameters.get(setting, ""), node.application_name
        if found is None or found == wanted or not (wanted or needs):
            continue
        effect = "auto_failback never attaches it" if needs else "Pgpool-II never sees it stream"
        yield Finding(
            Kind.APPLICATION_NAME,
            node.node_id,
            f"{node.name} streams as '{found}', but {setting} is '{wanted}': {effect}",
            f"Set {setting} = '{found}' in pgpool.conf and reload Pgpool-II, or put "
            f"application_name={wanted or node.name.replace(' ', '')} into primary_conninfo of "
            f"{node.name}.",
        )


def _false_primary(seen: SeenPool) -> Iterator[Finding]:
    """Report different spellings: detach_false_primary compares the words of both files."""
    primaries = [node for node in seen.nodes if node.is_primary]
    if not seen.is_on("detach_false_primary") or len(primaries) != 1:
        return
    [primary] = primaries
    for node in seen.nodes:
        if node.sender is not None and node.sender != primary.address:
            yield Finding(
                Kind.FALSE_PRIMARY,
                node.node_id,
                f"{node.name} names its primary {node.sender}, which is {primary.address} in "
                "pgpool.conf, so detach_false_primary detaches no node",
                "Spell host and port in primary_conninfo like backend_hostname and backend_port.",
            )


def _warning_at_login(seen: SeenPool) -> Iterator[Finding]:
    """Report a Pgpool-II that is so old that it takes a warning at login for a failed login."""
    if seen.major is None or seen.major < WARNS_AT_LOGIN or not seen.version:
        return
    line, minor = seen.version[:2], seen.version[2:]
    first = TAKES_WARNINGS.get((line[0], line[1]))
    if line > max(TAKES_WARNINGS) or (first is not None and minor and minor[0] >= first):
        return
    version = ".".join(map(str, seen.version))
    fixed = f"{line[0]}.{line[1]}.{first}" if first is not None else "4.7.3"
    unless = "" if minor or first is None else f", before {fixed},"
    yield Finding(
        Kind.WARNING_AT_LOGIN,
        None,
        f"where PostgreSQL {seen.major} warns at login, about an MD5 password or one that expires "
        f"within days, Pgpool-II {version}{unless} rejects the login",
        f"Install Pgpool-II {fixed} or later, or give the roles SCRAM passwords that do not expire "
        "soon.",
    )
