"""Check a cluster: examine all nodes at once and judge them. Nothing is changed on any host."""

import threading
import time
from collections.abc import Iterator
from pathlib import Path

from pgpool_recovery import __version__
from pgpool_recovery.check.finding import Finding
from pgpool_recovery.check.judge import judge
from pgpool_recovery.check.question import CheckQuestion, PoolFacts
from pgpool_recovery.check.report import ExtensionFacts, Report, RoleFacts
from pgpool_recovery.config.settings import Settings
from pgpool_recovery.domain.error import RecoveryError, Unreachable
from pgpool_recovery.domain.event import pay_no_heed
from pgpool_recovery.domain.node import RecoveryRequest, Target
from pgpool_recovery.domain.record import replace
from pgpool_recovery.domain.standby import Trouble
from pgpool_recovery.domain.standby import judge as judge_standby
from pgpool_recovery.facts.facts import Facts, PrimaryFacts, TargetFacts
from pgpool_recovery.facts.node import Confinement, NodeFacts, PeerFacts, Problem
from pgpool_recovery.host.filesystem import identity_of
from pgpool_recovery.in_server.script_name import is_inside
from pgpool_recovery.install.stage_commands import PURPOSES
from pgpool_recovery.observe.link import measure_link
from pgpool_recovery.observe.pace import observe_paces
from pgpool_recovery.observe.primary import observe_primary
from pgpool_recovery.observe.target import known_endpoints, observe_target, own_hosts
from pgpool_recovery.observe.turns import Turns
from pgpool_recovery.plan.login import login_candidates
from pgpool_recovery.plan.named_host import Endpoint, names_every_host
from pgpool_recovery.postgres.connection import THE_PRIMARY, Connection, connect
from pgpool_recovery.postgres.standby import read_upstream
from pgpool_recovery.run.own_server import own_conninfo, own_server
from pgpool_recovery.run.sessions import agent_of
from pgpool_recovery.ssh.locality import is_this_host
from pgpool_recovery.talk.conversation import Conversation
from pgpool_recovery.talk.request.host import AskConfinement, LookAround, Peer, TryPeers
from pgpool_recovery.talk.request.server import AskStandby

MAX_USERS = 5
ANSWER_S = 60.0
GREETING_MARGIN_S = 10.0
"""How long an agent may take to start once ssh is connected, in seconds."""

Found = NodeFacts | Problem


def check(question: CheckQuestion, settings: Settings, own_port: int) -> tuple[Finding, ...]:
    """Return what stands in the way of recoveries, the worst first.

    A node that cannot be reached, or not examined within `timeout.check_s`, yields just that as its
    finding. Connections between the nodes that were not tried after as long again are one as well.
    """
    with own_server(settings) as connection:
        primary = observe_primary(connection)
        role = observe_role(connection, question.pool)
    place = place_of_primary(question, primary)
    found = look_at_all(question, primary, place, settings, own_port)
    report = Report(
        question=question,
        primary=primary,
        primary_place=place,
        nodes={key: one for key, one in found.items() if isinstance(one, NodeFacts)},
        unreached={key: one for key, one in found.items() if isinstance(one, Problem)},
        extensions=tuple(observe_extensions(question.pool, settings)),
        role=role,
        policy=settings.policy,
        version=__version__,
        checks_host_keys=settings.ssh.check_host_keys,
        paces=observe_paces(own_conninfo(settings), settings),
    )
    return judge(report)


def place_of_primary(question: CheckQuestion, primary: PrimaryFacts) -> int | None:
    """Return the place of the node that has the data directory of the calling server."""
    for place, node in enumerate(question.nodes):
        directory = identity_of(Path(node.data_directory))
        if directory == primary.data_directory and is_this_host(node.host):
            return place
    return None


def look_at_all(
    question: CheckQuestion,
    primary: PrimaryFacts,
    primary_place: int | None,
    settings: Settings,
    own_port: int,
) -> dict[int, Found]:
    """Examine every node in a thread of its own, all with the same deadline.

    Then they try the connections to each other, for at most as long again. The threads are daemons:
    one that hangs is not waited for, and its agent ends with this process.
    """
    hurried, limit_s = in_a_hurry(settings), settings.timeout.check_s
    turns = Turns([node.host for node in question.nodes])
    until = time.monotonic() + 2 * limit_s
    found: dict[int, Found] = {}

    def look(place: int) -> None:
        look_at = look_at_node(
            question, place, primary, primary_place, hurried, own_port, turns, until
        )
        try:
            for found[place] in look_at:
                turns.arrive(place, is_reached=True)
        except RecoveryError as error:
            named = error.about(question.nodes[place].name)
            found[place] = Problem(named.message, named.detail, named.hint)

    def guarded(place: int) -> None:
        try:
            look(place)
        except Exception as error:  # noqa: BLE001 - a thread would lose it
            failed.append(error)
        finally:
            turns.arrive(place, is_reached=False)

    failed: list[Exception] = []
    threads = [
        threading.Thread(target=guarded, args=(place,), daemon=True)
        for place in range(len(question.nodes))
    ]
    for thread in threads:
        thread.start()
    turns.all_arrive(limit_s)
    late = [place for place in range(len(question.nodes)) if place not in found]
    for place, thread in enumerate(threads):
        if place not in late:
            thread.join(max(0.0, until - time.monotonic()))
    if failed:
        raise failed[0]
    return {
        place: too_slow(node, settings) if place in late else found[place]
        for place, node in enumerate(question.nodes)
    }


def too_slow(node: Target, settings: Settings) -> Problem:
    """Return the reason why nothing is known about a node whose thread has not finished."""
    return Problem(
        f"{node.name} could not be examined within {settings.timeout.check_s:g} s",
        hint="Find out what its host is busy with, or raise check_s in [timeout] of the settings.",
    )


def in_a_hurry(settings: Settings) -> Settings:
    """Return the settings with every wait cut to what a check may take."""
    limit, timeout, agent = settings.timeout.check_s, settings.timeout, settings.agent
    return replace(
        settings,
        timeout=replace(
            timeout,
            observe_s=min(limit, timeout.observe_s),
            archive_s=min(limit / 4, timeout.archive_s),
        ),
        agent=replace(agent, answer_s=min(limit, agent.answer_s)),
    )


def look_at_node(
    question: CheckQuestion,
    place: int,
    primary: PrimaryFacts,
    primary_place: int | None,
    settings: Settings,
    own_port: int,
    turns: Turns,
    until: float,
) -> Iterator[NodeFacts]:
    """Yield what a node and its agent report, at once and again with each peer that was tried.

    Raises RecoveryError if the node cannot be examined.
    """
    target = question.nodes[place]
    host = None if primary_place is None else question.nodes[primary_place].host
    request = RecoveryRequest(target, own_port, host, question.may_name_hosts)
    patience = settings.agent.answer_s
    with agent_of(target, settings, pay_no_heed) as agent:
        with own_server(settings) as connection:
            around = agent.ask(ask_around(question, target, settings), timeout_s=patience)
            facts = observe_target(
                connection,
                agent,
                request,
                primary,
                settings,
                tidies=False,
                is_patient=False,
                login_turn=lambda: turns.at(host or THE_PRIMARY),
            )
            trouble = None
            if primary_place not in (None, place):
                trouble = trouble_of(connection, agent, facts, settings)
        node = NodeFacts(
            agent_version=agent.version,
            surroundings=around,
            facts=facts,
            peers={},
            link_bytes_per_s=measure(agent, turns, patience) if agent.is_by_ssh else None,
            trouble=trouble,
            confinement=confinement_of_server(target, agent, settings),
        )
        yield node
        for other in turns.in_turn(place, until):
            answer = try_peer(question, place, other, primary, facts.target, agent, settings)
            node = replace(node, peers=node.peers | {other: answer})
            yield node


def measure(agent: Conversation, turns: Turns, patience: float) -> float:
    """Return the speed of the link; all links begin on this host, so they are measured in turn."""
    with turns.at("this host's link"):
        return measure_link(agent, timeout_s=patience)


def confinement_of_server(
    target: Target, agent: Conversation, settings: Settings
) -> Confinement | None:
    """Return how SELinux confines a node's server; None if the agent cannot tell."""
    if AskConfinement.__name__ not in agent.offers:
        return None
    return agent.ask(AskConfinement(target.data_directory), timeout_s=settings.agent.answer_s)


def trouble_of(
    connection: Connection, agent: Conversation, facts: Facts, settings: Settings
) -> Trouble | None:
    """Return why a running server is not a sound standby, by what it and then the primary say.

    The order matters: the primary is queried after the node, so it cannot be behind it. None if
    nothing is wrong, if the server is not running, or if this server itself is in recovery.
    """
    target, own = facts.target, settings.primary
    if target.server_pid is None or facts.primary.is_in_recovery:
        return None
    named = None if target.configuration is None else target.configuration.values
    slot_name = None if named is None else named.get("primary_slot_name") or None
    asked = AskStandby(target.data.path, own.dbname, own.user, target.bin_directory, slot_name)
    said = agent.ask(asked, timeout_s=settings.agent.answer_s)
    used = said.slot_name or said.wanted_slot or slot_name
    slots = set() if used is None else {used}
    upstream = read_upstream(connection, "the primary", slots, said.application_name)
    return judge_standby(said, upstream)


def ask_around(question: CheckQuestion, target: Target, settings: Settings) -> LookAround:
    """Return the question about a host; the scripts are ours and those named in pgpool.conf."""
    own = [name for name in PURPOSES if name not in question.pool.stage_commands]
    named = [name for name in question.pool.stage_commands.values() if is_inside(name)]
    return LookAround(
        target.data_directory,
        tuple(dict.fromkeys([*own, *named])),
        settings.primary.dbname,
        settings.primary.user,
    )


def try_peer(
    question: CheckQuestion,
    place: int,
    other: int,
    primary: PrimaryFacts,
    target: TargetFacts,
    agent: Conversation,
    settings: Settings,
) -> PeerFacts:
    """Return how a node reaches another one, as it would if that one were the primary."""
    peer = peer_of(question, place, other, primary, target, settings)
    asked = TryPeers(
        peers=(peer,),
        ssh=settings.ssh,
        agent_command=settings.agent.command,
        timeout_s=settings.ssh.connect_timeout_s + GREETING_MARGIN_S,
    )
    [answer] = agent.ask(asked, timeout_s=settings.agent.answer_s)
    if peer.candidates:
        return answer
    return replace(answer, untried=why_untried(primary, peer, question.nodes[place]))


def why_untried(primary: PrimaryFacts, peer: Peer, node: Target) -> Problem:
    """Return why no login is tried on a host or a port that only the caller names."""
    if names_every_host(peer.host) and not is_this_host(node.host):
        return Problem(f'every host has a "{peer.host}", and the settings do not name it')
    return Problem(
        f"this server listens on port {primary.port}, and the settings name no other port"
    )


def peer_of(
    question: CheckQuestion,
    place: int,
    other_place: int,
    primary: PrimaryFacts,
    target: TargetFacts,
    settings: Settings,
) -> Peer:
    """Return what a node must try to reach another one; no logins if its port is not known."""
    node, other = question.nodes[place], question.nodes[other_place]
    is_local = node.host == other.host
    is_here = is_this_host(node.host)
    is_known = question.may_name_hosts or (
        Endpoint(other.host, other.port or 0) in known_endpoints(primary, target, settings)
    )
    is_elsewhere = names_every_host(other.host) and not is_here
    if not is_known and (other.port != primary.port or is_elsewhere):
        return Peer(other.name, other.host, (), (), is_known=False)
    request = RecoveryRequest(node, other.port or 0, other.host)
    candidates = login_candidates(
        request,
        primary,
        target,
        own_hosts=own_hosts(primary, is_local=True) if is_local and is_here else (other.host,),
        user=settings.replication.user,
        is_local=is_local,
        words=settings.replication.words,
    )
    named = settings.replication.rewind_user
    users = [named] if named else list(primary.rewind_users[:MAX_USERS])
    hosts = {conninfo["host"]: conninfo for conninfo in reversed(candidates)}
    sql = tuple(
        {**conninfo, "user": user, "dbname": settings.primary.dbname}
        for conninfo in reversed(hosts.values())
        for user in users
    )
    return Peer(other.name, other.host, candidates, sql, is_known=is_known)


def observe_extensions(pool: PoolFacts, settings: Settings) -> Iterator[ExtensionFacts]:
    """Yield the extension in each database where Pgpool-II may call it or our sessions may use it.

    The databases include template1 and that of the history.
    """
    role = pool.settings.get("recovery_user")
    others = ["template1", pool.recovery_database, settings.history.database]
    for database in dict.fromkeys([*pool.databases, *others]):
        try:
            where = {**own_conninfo(settings), "dbname": database}
            with connect(
                where, timeout_s=settings.timeout.connect_s, answer_s=ANSWER_S
            ) as connection:
                found = connection.extension()
                rows = connection.rows(
                    "callable_extension", role=role, arguments=pool.argument_count
                )
        except Unreachable as error:
            yield ExtensionFacts(database, None, may_call=True, problem=error.detail)
            continue
        may_call = role is None or bool(rows and rows[0]["may_call"])
        if found is None:
            yield ExtensionFacts(database, None, may_call)
        else:
            yield ExtensionFacts(database, found.version, may_call, foreign=found.foreign)


def observe_role(connection: Connection, pool: PoolFacts) -> RoleFacts | None:
    """Return what is known about recovery_user; None if pgpool.conf does not set it."""
    name = pool.settings.get("recovery_user")
    if not name:
        return None
    for row in connection.rows("recovery_role", role=name):
        return RoleFacts(
            name, exists=True, is_superuser=row["is_superuser"], can_login=row["can_login"]
        )
    return RoleFacts(name, exists=False, is_superuser=False, can_login=False)
