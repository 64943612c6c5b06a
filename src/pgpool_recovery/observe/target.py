"""Collect what the agent finds on the target, and how it can connect to the primary."""

import socket
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext

from pgpool_recovery.config.settings import Settings
from pgpool_recovery.domain.node import RecoveryRequest, Target
from pgpool_recovery.domain.record import replace
from pgpool_recovery.facts.backup import Backup, NoBackup
from pgpool_recovery.facts.facts import (
    Base,
    Conninfo,
    Facts,
    PrimaryFacts,
    TargetFacts,
)
from pgpool_recovery.facts.own_method import OwnMethod
from pgpool_recovery.facts.rejection import Rejection
from pgpool_recovery.facts.running import Running
from pgpool_recovery.observe.archived_history import observe_archive
from pgpool_recovery.observe.archived_wal import observe_archived_wal
from pgpool_recovery.observe.past import compare_wal
from pgpool_recovery.plan.divergence import base_of, may_need_rewind
from pgpool_recovery.plan.login import login_candidates, rewind_candidates
from pgpool_recovery.plan.named_host import (
    LOCAL_HOSTS,
    Endpoint,
    OwnHost,
    endpoints_of,
    leads_astray,
    places_of,
)
from pgpool_recovery.plan.slot_sync import slot_login_candidates
from pgpool_recovery.postgres.connection import Connection
from pgpool_recovery.postgres.summaries import changed_since, summaries_since
from pgpool_recovery.postgres.wal import read_wal
from pgpool_recovery.ssh.locality import addresses_of, own_addresses, own_names
from pgpool_recovery.talk.conversation import Conversation
from pgpool_recovery.talk.request.directory import Observe, Tidy, WantedTablespace
from pgpool_recovery.talk.request.host import LookForBackup, LookForPrograms, TryLogins
from pgpool_recovery.talk.request.server import AskRunning


def observe_target(
    connection: Connection,
    agent: Conversation,
    request: RecoveryRequest,
    primary: PrimaryFacts,
    settings: Settings,
    *,
    tidies: bool = True,
    is_patient: bool = True,
    login_turn: Callable[[], AbstractContextManager[None]] = nullcontext,
) -> Facts:
    """Return all facts; what the agent is asked for depends on the primary's facts.

    `tidies`: what an interrupted run left half done is first put in order. `is_patient`: a slow
    archive is given more time. `login_turn` is held while the agent logs in to replicate.
    """
    is_local = not agent.is_by_ssh
    patience = settings.timeout.observe_s
    directory = request.target.data_directory
    if tidies:
        agent.ask(Tidy(directory), timeout_s=settings.timeout.stall_s, is_renewed_by_events=True)
    wanted = wanted_facts(request.target, primary, settings)
    target = agent.ask(wanted, timeout_s=patience, is_renewed_by_events=True)
    running = None
    if target.server_pid is not None:
        running = ask_running(agent, primary, target, settings)
    if target.server_pid is not None and primary.wal is not None:
        # It may have replayed WAL written since the primary was queried; that is not being ahead.
        primary = replace(primary, wal=read_wal(connection))
    if target.data.problem is not None:
        return Facts(primary=primary, target=target, logins=())
    named = named_places(request, primary, target, settings, is_local=is_local)
    if isinstance(named, Rejection):
        candidates: tuple[Conninfo, ...] = ()
    else:
        candidates = login_candidates(
            request,
            primary,
            target,
            own_hosts=own_hosts(primary, is_local=is_local),
            user=settings.replication.user,
            is_local=is_local,
            named=named,
            words=settings.replication.words,
            own_addresses=tuple(map(str, own_addresses())),
        )
    with login_turn():
        logins = agent.ask(TryLogins(candidates), timeout_s=patience)
    summaries = observe_summaries(connection, primary, target)
    facts = Facts(
        primary=primary,
        target=target,
        logins=logins,
        summaries=summaries,
        changed_bytes=observe_changes(connection, primary, target, summaries),
        backup=observe_backup(agent, settings),
        own_methods=observe_own_methods(agent, request.target, settings),
        running=running,
        login_problem=named if isinstance(named, Rejection) else None,
        archive=observe_archive(agent, primary, target, settings, is_patient=is_patient),
    )
    facts = with_slot_logins(agent, facts, settings)
    compared = compare_wal(connection, agent, facts, timeout_s=patience)
    facts = replace(facts, compared=compared)
    facts = observe_archived_wal(
        connection, agent, request.target, facts, settings, is_patient=is_patient
    )
    if not may_need_rewind(facts):
        return facts
    for_sql = rewind_candidates(
        facts, user=settings.replication.rewind_user, dbname=settings.primary.dbname
    )
    asked = TryLogins(for_sql, is_replication=False)
    rewind_logins = agent.ask(asked, timeout_s=patience)
    return replace(facts, rewind_logins=rewind_logins)


def wanted_facts(target: Target, primary: PrimaryFacts, settings: Settings) -> Observe:
    """Return the request for the facts about a target; it depends on the primary's facts."""
    node = settings.of_target(target)
    return Observe(
        data_directory=target.data_directory,
        major=primary.major,
        bin_directories=tuple(filter(None, [node.bin_directory, primary.bin_directory])),
        tablespaces=tuple(
            WantedTablespace(oid=space.oid, location=space.location, directory=space.directory)
            for space in primary.tablespaces
        ),
        tablespace_mapping=dict(node.tablespace_mapping.items()),
        wal_directory=node.wal_directory,
        timelines=() if primary.wal is None else primary.wal.history.timelines,
        segment_bytes=1 if primary.wal is None else primary.wal.segment_bytes,
        start_command=node.start_command,
    )


def with_slot_logins(agent: Conversation, facts: Facts, settings: Settings) -> Facts:
    """Try the SQL connections over which the target would synchronise failover slots."""
    candidates = slot_login_candidates(facts, dbname=settings.primary.dbname)
    if not candidates:
        return facts
    asked = TryLogins(candidates, is_replication=False)
    patience = settings.timeout.observe_s
    return replace(facts, slot_logins=agent.ask(asked, timeout_s=patience))


def ask_running(
    agent: Conversation, primary: PrimaryFacts, target: TargetFacts, settings: Settings
) -> Running:
    """Return what the target's server reports; the login is the same as to the primary."""
    own = settings.primary
    asked = AskRunning(
        data_directory=target.data.path,
        dbname=own.dbname,
        user=own.user,
        bin_directory=target.bin_directory,
        history=None if primary.wal is None else primary.wal.history,
    )
    return agent.ask(asked, timeout_s=settings.agent.answer_s)


def observe_backup(agent: Conversation, settings: Settings) -> Backup | NoBackup | None:
    """Return what the target finds in the pgBackRest repository; None if none is configured."""
    stanza = settings.pgbackrest.stanza
    if stanza is None:
        return None
    timeout = settings.timeout
    asked = LookForBackup(stanza, timeout.repository_s, timeout.archive_s)
    # It runs pgbackrest twice, and then once for each history file that it reads.
    patience = 3 * timeout.repository_s + timeout.observe_s
    return agent.ask(asked, timeout_s=patience)


def observe_own_methods(
    agent: Conversation, target: Target, settings: Settings
) -> tuple[OwnMethod, ...]:
    """Return the commands of the settings for this target, and why it cannot run some of them."""
    methods = settings.methods_of(target)
    if not methods:
        return ()
    asked = LookForPrograms(tuple(method.command[0] for method in methods))
    problems = agent.ask(asked, timeout_s=settings.agent.answer_s)
    return tuple(
        replace(method, problem=problem) for method, problem in zip(methods, problems, strict=True)
    )


def observe_summaries(
    connection: Connection, primary: PrimaryFacts, target: TargetFacts
) -> Rejection | None:
    """Return why the WAL summaries of the primary cannot show what the target lacks."""
    if primary.wal is None or not primary.wal.is_summarized:
        return None  # The plan reports that itself.
    base = base_in_history(primary, target)
    return None if base is None else summaries_since(connection, base.redo, primary.wal.history)


def observe_changes(
    connection: Connection,
    primary: PrimaryFacts,
    target: TargetFacts,
    summaries: Rejection | None,
) -> int | None:
    """Return the bytes of the blocks that have changed; None if the summaries cannot show it.

    None also if WAL is enough: counting takes the longer, the more summaries there are.
    """
    wal, local = primary.wal, target.local_wal
    if wal is None or not wal.is_summarized or summaries is not None:
        return None
    if local is not None and wal.has(local.needed(wal.segment_bytes)):
        return None
    base = base_in_history(primary, target)
    return None if base is None else changed_since(connection, base.redo)


def base_in_history(primary: PrimaryFacts, target: TargetFacts) -> Base | None:
    """Return the base of the target's data if it is a point in the primary's past, else None."""
    base = target.resumable
    if base is None and target.control is not None:
        base = base_of(target.control, target.backup_start)
    has = primary.wal is not None and base is not None and primary.wal.history.has(base.redo)
    return base if has else None


def named_places(
    request: RecoveryRequest,
    primary: PrimaryFacts,
    target: TargetFacts,
    settings: Settings,
    *,
    is_local: bool,
) -> tuple[Conninfo, ...] | Rejection | None:
    """Return where the target may log in if the caller may not name hosts, or why it may not.

    None if the caller may, or names nothing that leads to another host.
    """
    if request.may_name_hosts:
        return None
    host, port = request.primary_host, request.primary_port
    names_none = host is None or leads_astray(host, is_local=is_local)
    if names_none and port == primary.port:
        return None
    named = Endpoint(host or socket.gethostname(), port)
    return places_of(
        named,
        [str(address) for address in addresses_of(named.host)],
        own_host(primary),
        known_endpoints(primary, target, settings),
        target_addresses=target.addresses,
        is_local=is_local,
    )


def known_endpoints(
    primary: PrimaryFacts, target: TargetFacts, settings: Settings
) -> frozenset[Endpoint]:
    """Return the servers that the settings name, and the one that the node followed before."""
    by_settings = frozenset(
        Endpoint(node.host, node.port or primary.port)
        for node in settings.node.values()
        if node.host is not None
    )
    own = target.configuration
    return by_settings | (frozenset() if own is None else endpoints_of(own.primary_conninfo))


def own_host(primary: PrimaryFacts) -> OwnHost:
    """Return the names, addresses, sockets and port of this host."""
    return OwnHost(
        names=own_names(),
        addresses=frozenset(map(str, own_addresses())),
        socket_directories=primary.socket_directories,
        port=primary.port,
    )


def own_hosts(primary: PrimaryFacts, *, is_local: bool) -> tuple[str, ...]:
    """Return the names by which the target may reach this host, best first."""
    if is_local:
        return (*primary.socket_directories, *LOCAL_HOSTS)
    return tuple(dict.fromkeys([socket.getfqdn(), socket.gethostname()]))
