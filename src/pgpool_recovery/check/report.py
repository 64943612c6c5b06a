"""Everything that was learnt about all nodes, and the names for it in findings."""

from collections.abc import Iterator

from pgpool_recovery.check.question import CheckQuestion
from pgpool_recovery.domain.node import Target
from pgpool_recovery.domain.record import record
from pgpool_recovery.facts.facts import PrimaryFacts
from pgpool_recovery.facts.node import NodeFacts, Problem, ServerFacts
from pgpool_recovery.facts.pace import Pace
from pgpool_recovery.facts.policy import Policy
from pgpool_recovery.postgres.extension import ForeignOwner


@record
class ExtensionFacts:
    """The extension in a database: its version, None without it, and whether it may be called.

    `may_call`: recovery_user may call it; True as well if that is not known. `problem` is why the
    database could not be examined. `foreign` is the owner that makes our own sessions avoid it.
    """

    database: str
    version: str | None
    may_call: bool
    problem: str | None = None
    foreign: ForeignOwner | None = None


@record
class RoleFacts:
    """The role that recovery_user names."""

    name: str
    exists: bool
    is_superuser: bool
    can_login: bool


@record
class Report:
    """Everything at once, as seen from the primary.

    `nodes` has the facts about the nodes that could be reached, by their place in the question, and
    `unreached` has the reason for each of the others. `primary_place` is the place of the primary.
    `version` is our own. `role` is that of recovery_user, if it is known. `checks_host_keys` is the
    setting. `paces` are the recoveries on record that succeeded, the newest first.
    """

    question: CheckQuestion
    primary: PrimaryFacts
    primary_place: int | None
    nodes: dict[int, NodeFacts]
    unreached: dict[int, Problem]
    extensions: tuple[ExtensionFacts, ...]
    role: RoleFacts | None
    policy: Policy
    version: str
    checks_host_keys: bool = True
    paces: tuple[Pace, ...] = ()

    def target(self, place: int) -> Target:
        """Return a node as the question names it."""
        return self.question.nodes[place]

    def name(self, place: int) -> str:
        """Return the name of a node in findings."""
        return self.target(place).name

    def server(self, place: int) -> ServerFacts | None:
        """Return what a node's server says about itself; None if it could not be queried."""
        node = self.nodes.get(place)
        return None if node is None else node.surroundings.server

    def reached(self) -> Iterator[tuple[int, Target, NodeFacts]]:
        """Return the nodes that could be reached."""
        for place, node in sorted(self.nodes.items()):
            yield place, self.target(place), node
