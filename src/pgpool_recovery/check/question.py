"""The argument of pgpool_recovery_check(): the nodes, and what is known from pgpool.conf."""

import json
from collections.abc import Mapping
from typing import Any

from pgpool_recovery.domain.error import UsageError
from pgpool_recovery.domain.node import (
    Target,
    parse_data_directory,
    parse_host,
    parse_node_id,
    parse_port,
)
from pgpool_recovery.domain.record import field, record

HINT = (
    'Pass \'[{"node_id": 0, "host": "server0", "port": 5432, "data_directory": "/…"}, …]\', or '
    'an object that has this list as "nodes" and settings of pgpool.conf.'
)
NODE_KEYS = ("node_id", "host", "port", "data_directory")
POOL_KEYS = (
    "pgpool_version",
    "recovery_user",
    "recovery_database",
    "recovery_1st_stage_command",
    "recovery_2nd_stage_command",
    "recovery_timeout",
    "follow_primary_command",
    "follow_master_command",
)
STAGES = ("recovery_1st_stage_command", "recovery_2nd_stage_command")
FIRST_WITH_DATABASE = (4, 7)
ARGUMENTS = (((4, 3), 7), ((4, 1), 6), ((4, 0), 5), ((0, 0), 4))
DEFAULT_DATABASE = "postgres"
TEMPLATE = "template1"


@record
class PoolFacts:
    """What is known about Pgpool-II: the given settings among `POOL_KEYS`, as strings."""

    settings: Mapping[str, str] = field(default_factory=dict)

    @property
    def version(self) -> tuple[int, int] | None:
        """The first two parts of the version; None if it was not given."""
        text = self.settings.get("pgpool_version")
        if text is None:
            return None
        major, minor = text.split(".")[:2]
        return int(major), int(minor)

    @property
    def recovery_database(self) -> str:
        """The recovery_database of pgpool.conf, a setting that exists since 4.7."""
        return self.settings.get("recovery_database") or DEFAULT_DATABASE

    @property
    def databases(self) -> tuple[str, ...]:
        """Where this Pgpool-II calls the functions: one, or two if its version is not known."""
        version = self.version
        if version is not None and version < FIRST_WITH_DATABASE:
            return (TEMPLATE,)
        is_known = version is not None or "recovery_database" in self.settings
        return (self.recovery_database,) if is_known else (TEMPLATE, self.recovery_database)

    @property
    def argument_count(self) -> int:
        """How many arguments this Pgpool-II passes to pgpool_recovery(), by default the newest one.

        >>> PoolFacts({"pgpool_version": "4.2.11"}).argument_count
        6
        """
        version = self.version or FIRST_WITH_DATABASE
        return next(count for since, count in ARGUMENTS if version >= since)

    @property
    def stage_commands(self) -> dict[str, str]:
        """The stage commands that are set in pgpool.conf, by setting."""
        return {name: self.settings[name] for name in STAGES if self.settings.get(name)}


@record
class CheckQuestion:
    """The nodes of the pool, in the order of their ids.

    `may_name_hosts`: the caller is trusted to name only hosts of the cluster.
    """

    nodes: tuple[Target, ...]
    pool: PoolFacts
    may_name_hosts: bool = True


def parse_question(text: str) -> CheckQuestion:
    """Parse the argument of pgpool_recovery_check(); raises UsageError if it is invalid."""
    try:
        given = json.loads(text)
    except ValueError as error:
        raise UsageError("the nodes are not valid JSON", detail=f"{error}.", hint=HINT) from error
    pool: dict[str, Any] = {}
    if isinstance(given, dict):
        pool = {name: value for name, value in given.items() if name != "nodes"}
        given = given.get("nodes")
    if not isinstance(given, list) or not given:
        raise UsageError("there are no nodes to check", hint=HINT)
    nodes = tuple(sorted(map(_node, given), key=lambda node: node.node_id or 0))
    if len({node.node_id for node in nodes}) < len(nodes):
        raise UsageError("two nodes have the same node_id", hint=HINT)
    return CheckQuestion(nodes, _pool(pool))


def _node(given: object) -> Target:
    if not isinstance(given, dict) or set(given) != set(NODE_KEYS):
        raise UsageError(
            "invalid description of a node",
            detail=f"It must have {', '.join(NODE_KEYS)}, and nothing else.",
            hint=HINT,
        )
    return Target(
        host=parse_host(str(given["host"])),
        data_directory=parse_data_directory(str(given["data_directory"])),
        node_id=parse_node_id(str(given["node_id"])),
        port=parse_port(str(given["port"])),
    )


def _pool(given: Mapping[str, Any]) -> PoolFacts:
    """Return the settings that are known; any others are ignored, because PCP shows all of them."""
    pool = PoolFacts({name: str(given[name]) for name in POOL_KEYS if given.get(name) is not None})
    try:
        _ = pool.version
    except ValueError as error:
        raise UsageError(
            f'invalid pgpool_version "{pool.settings["pgpool_version"]}"',
            hint='Write it like "4.6.3".',
        ) from error
    return pool
