"""Three healthy nodes; each test changes only the one thing that it is about."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from pgpool_recovery.check.question import CheckQuestion, PoolFacts
from pgpool_recovery.check.report import ExtensionFacts, Report
from pgpool_recovery.domain.node import NodeId, Target
from pgpool_recovery.facts.facts import FileIdentity, Slot, Stream
from pgpool_recovery.facts.node import (
    NodeFacts,
    PeerFacts,
    ServerFacts,
    StageScript,
    Surroundings,
)
from pgpool_recovery.facts.policy import Policy
from pgpool_recovery.install.stage_commands import PURPOSES
from tests.unit.plan import situation as plan

VERSION = "2.0.0"
NODES = tuple(
    Target(f"server{number}", "/var/lib/pgsql/15/data", NodeId(number), 5432) for number in range(3)
)
SETTINGS = {name: str(value) for name, value in plan.PARAMETERS.items()} | {
    "full_page_writes": "on",
    "hot_standby": "on",
    "max_replication_slots": "10",
    "max_slot_wal_keep_size": "-1",
    "max_wal_size": "1024",
    "wal_keep_size": "0",
    "wal_level": "replica",
}
STREAMS = tuple(
    Stream(f"pgpool_node_{number}", f"192.0.2.{number}", f"server{number}") for number in (1, 2)
)
SLOTS = tuple(
    Slot(
        f"pgpool_node_{number}",
        is_physical=True,
        is_active=True,
        wal_status="reserved",
        kept_bytes=0,
    )
    for number in (1, 2)
)
PRIMARY = plan.primary(slots=SLOTS, streams=STREAMS, wal_senders=2)


def server(**changes: Any) -> ServerFacts:
    """Return what a healthy server of PostgreSQL 15 says."""
    healthy = ServerFacts(
        150007, is_in_recovery=False, settings=SETTINGS, slots=(), has_python=True, extension="2.0"
    )
    return replace(healthy, **changes)


def with_setting(made: ServerFacts, **settings: str) -> ServerFacts:
    """Return a server with other settings."""
    return replace(made, settings=made.settings | settings)


def around(**changes: Any) -> Surroundings:
    """Return a host that lacks nothing."""
    healthy = Surroundings(
        server=server(),
        server_problem=None,
        scripts=tuple(StageScript(name, None, VERSION) for name in PURPOSES),
        is_noexec=False,
        open_password_file=None,
        settings_problem=None,
    )
    return replace(healthy, **changes)


def peer(**changes: Any) -> PeerFacts:
    """Return another node that can be reached in every way."""
    login = plan.login()
    healthy = PeerFacts(VERSION, None, logins=(login,), sql_logins=(login,), untried=None)
    return replace(healthy, **changes)


def node(number: int, **changes: Any) -> NodeFacts:
    """Return a node that runs: the primary, or a standby that streams."""
    own = plan.target().configuration
    assert own is not None
    values = own.values | ({"primary_slot_name": f"pgpool_node_{number}"} if number else {})
    is_primary = number == 0
    target = plan.target(
        hostname=f"server{number}",
        server_pid=4711,
        is_standby=not is_primary,
        configuration=replace(own, values=values),
        data=plan.place(identity=FileIdentity(f"server{number}", device=1, inode=1)),
        control=plan.control(state="in production" if is_primary else "in archive recovery"),
    )
    healthy = NodeFacts(
        agent_version=VERSION,
        surroundings=around(server=server(is_in_recovery=not is_primary)),
        facts=plan.facts(primary=PRIMARY, target=target),
        peers={other: peer() for other in range(3) if other != number},
        link_bytes_per_s=None if is_primary else 100e6,
    )
    return replace(healthy, **changes)


def report(**changes: Any) -> Report:
    """Return three nodes, of which the first is the primary."""
    healthy = Report(
        question=CheckQuestion(NODES, PoolFacts()),
        primary=PRIMARY,
        primary_place=0,
        nodes={number: node(number) for number in range(3)},
        unreached={},
        extensions=(
            ExtensionFacts("template1", "2.0", may_call=True),
            ExtensionFacts("postgres", "2.0", may_call=True),
        ),
        role=None,
        policy=Policy(),
        version=VERSION,
    )
    return replace(healthy, **changes)


def with_node(number: int, change: Callable[[NodeFacts], NodeFacts]) -> Report:
    """Return the healthy report with one node changed."""
    made = report()
    return replace(made, nodes=made.nodes | {number: change(made.nodes[number])})


def with_surroundings(number: int, **changes: Any) -> Report:
    """Return the healthy report with another host of one node."""
    return with_node(
        number, lambda old: replace(old, surroundings=replace(old.surroundings, **changes))
    )


def with_server(number: int, **settings: str) -> Report:
    """Return the healthy report with other settings of one server."""
    running = node(number).surroundings.server
    assert running is not None
    return with_surroundings(number, server=with_setting(running, **settings))


def with_target(number: int, **changes: Any) -> Report:
    """Return the healthy report with other facts about one data directory."""

    def change(old: NodeFacts) -> NodeFacts:
        target = replace(old.facts.target, **changes)
        return replace(old, facts=replace(old.facts, target=target))

    return with_node(number, change)


def with_pool(**settings: str) -> Report:
    """Return the healthy report with settings of pgpool.conf."""
    return replace(report(), question=CheckQuestion(NODES, PoolFacts(settings)))
