"""What was learnt of all nodes, and how findings name it."""

from collections.abc import Iterator

from pgpool_recovery.check.question import CheckQuestion
from pgpool_recovery.domain.node import Target
from pgpool_recovery.domain.record import record
from pgpool_recovery.facts.facts import PrimaryFacts
from pgpool_recovery.facts.node import NodeFacts, Problem, ServerFacts
from pgpool_recovery.facts.policy import Policy
from pgpool_recovery.postgres.extension import ForeignOwner


@record
class ExtensionFacts:
    """The extension in a database: its version, None without it, and who may call it.

    `may_call`: recovery_user may; True also when that is not known. `problem` is why nobody could
    look. `foreign` is an owner because of whom our own sessions do not use it.
    """

    database: str
    version: str | None
    may_call: bool
    problem: str | None = None
    foreign: ForeignOwner | None = None


@record
class RoleFacts:
    """The role of recovery_user, when that is known."""

    name: str
    exists: bool
    is_superuser: bool
    can_login: bool


@record
class Report:
    """Everything at once, as seen from the primary.

    `nodes` are the facts of those that could be reached, by their place among the nodes asked for;
    of the others `unreached` has the reason. `primary_place` is the place of the primary. `version`
    is our own. `role` is recovery_user's, when that is known. `checks_host_keys`: the setting.
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

    def target(self, place: int) -> Target:
        """Return a node as it was named."""
        return self.question.nodes[place]

    def name(self, place: int) -> str:
        """Return what findings call a node."""
        return self.target(place).name

    def server(self, place: int) -> ServerFacts | None:
        """Return what a node's server says of itself; None when nobody could ask."""
        node = self.nodes.get(place)
        return None if node is None else node.surroundings.server

    def reached(self) -> Iterator[tuple[int, Target, NodeFacts]]:
        """Return the nodes that could be reached."""
        for place, node in sorted(self.nodes.items()):
            yield place, self.target(place), node
