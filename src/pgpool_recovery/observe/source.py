"""Find the standbys from which a copy could be read, and examine those that look fit.

The primary knows who streams from it: by the slot that a recovery has given to a node, or else by
the address, if the settings name only one node there. What it cannot know, an agent on the
standby's host reports.
"""

import re
import socket
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

from pgpool_recovery.config.settings import NodeSettings, Settings
from pgpool_recovery.domain.error import RecoveryError
from pgpool_recovery.domain.node import OWN_SLOT, NodeId, RecoveryRequest, Target
from pgpool_recovery.domain.record import record, replace
from pgpool_recovery.domain.standby import judge
from pgpool_recovery.facts.facts import Facts, Login, PrimaryFacts
from pgpool_recovery.facts.rejection import Rejection
from pgpool_recovery.facts.source import Source, SourceServer
from pgpool_recovery.host.filesystem import identity_of
from pgpool_recovery.observe.target import own_hosts
from pgpool_recovery.plan.login import choose_login, login_candidates
from pgpool_recovery.plan.source import reject_unasked
from pgpool_recovery.postgres.connection import Connection
from pgpool_recovery.postgres.standby import read_upstream
from pgpool_recovery.ssh.locality import addresses_of, is_this_host
from pgpool_recovery.talk.conversation import Conversation
from pgpool_recovery.talk.request.host import TryLogins
from pgpool_recovery.talk.request.server import AskSource

OpenAgent = Callable[[Target], AbstractContextManager[Conversation]]
MAX_ASKED = 8
"""How many standbys are examined at most, the least lagging first: each takes a login by ssh."""
ASKED_S = 60.0
"""How long to wait for them; a standby that takes longer is not one to read from."""
NO_HOST_KEYS = Rejection(
    "its host is not in the settings, and the settings turn the check of host keys off"
)


@record
class Candidate:
    """A node that streams from the primary; whether its host is in the settings."""

    source: Source
    is_in_settings: bool


def observe_sources(
    connection: Connection,
    agent: Conversation,
    request: RecoveryRequest,
    facts: Facts,
    settings: Settings,
    open_agent: OpenAgent,
) -> tuple[Source, ...]:
    """Return the nodes from which a copy for the target might be read, the least lagging first."""
    wanted, own_id = settings.policy.source_node, request.target.node_id
    if wanted is not None and wanted == own_id:
        return ()
    streams = sorted(connection.rows("source_streams"), key=lambda row: int(row["lag_bytes"]))
    found = [
        one
        for one in _candidates(streams, settings)
        if one.source.node_id != own_id and wanted in (None, one.source.node_id)
    ]
    if wanted is not None and not found:
        return (_absent(wanted, facts.primary, settings),)
    asked = [one for one in found if not any(reject_unasked(one.source, facts.primary))]
    servers = ask_servers(asked[:MAX_ASKED], settings, open_agent)
    return tuple(
        _with_server(connection, agent, request, facts, settings, one, servers.get(place))
        for place, one in ((one.source.node_id, one) for one in found)
    )


def _candidates(streams: Sequence[Mapping[str, Any]], settings: Settings) -> Iterator[Candidate]:
    for row in streams:
        node_id = _node_id(row, settings)
        if node_id is None:
            continue
        node = settings.node.get(node_id, NodeSettings())
        yield Candidate(
            source=Source(
                node_id,
                host=node.host or row["client_address"] or socket.gethostname(),
                data_directory=node.data_directory or row["data_directory"],
                slot_name=row["slot_name"],
                application_name=row["application_name"],
                lag_bytes=row["lag_bytes"],
            ),
            is_in_settings=node.host is not None,
        )


def _node_id(row: Mapping[str, Any], settings: Settings) -> NodeId | None:
    slot, address = row["slot_name"], row["client_address"]
    if slot is not None and OWN_SLOT.fullmatch(slot):
        return NodeId(int(re.sub(r"\D", "", slot)))
    there = [
        node_id
        for node_id, node in settings.node.items()
        if address is not None and node.host is not None and _is_at(node.host, address)
    ]
    return there[0] if len(there) == 1 else None


def _is_at(host: str, address: str) -> bool:
    return address in map(str, addresses_of(host))


def _absent(node_id: NodeId, primary: PrimaryFacts, settings: Settings) -> Source:
    """Return what is known about a node that the settings name and that does not stream."""
    node = settings.node.get(node_id, NodeSettings())
    if node.host is not None and is_this_host(node.host):
        directory = node.data_directory
        if directory is None or identity_of(Path(directory)) == primary.data_directory:
            return Source(node_id, is_primary=True)
    hint = None
    if node.host is None:
        hint = (
            f"If node {node_id} is the primary now, set host and data_directory in "
            f"[node.{node_id}] of the settings, by which it is recognized."
        )
    problem = Rejection(f"node {node_id} does not stream from the primary", hint=hint)
    return Source(node_id, problem=problem)


def ask_servers(
    candidates: Sequence[Candidate], settings: Settings, open_agent: OpenAgent
) -> dict[NodeId, SourceServer | Rejection]:
    """Ask an agent on the host of each candidate, all at once; a late answer is not waited for."""
    answers: dict[NodeId, SourceServer | Rejection] = {}
    bugs: list[Exception] = []

    def ask(one: Candidate) -> None:
        try:
            answers[one.source.node_id] = _ask_server(one, settings, open_agent)
        except RecoveryError as error:
            found = Rejection(error.message, error.detail, error.hint)
            answers[one.source.node_id] = found
        except Exception as error:  # noqa: BLE001 - a thread would lose it
            bugs.append(error)

    threads = [threading.Thread(target=ask, args=(one,), daemon=True) for one in candidates]
    deadline = time.monotonic() + ASKED_S
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(max(0.0, deadline - time.monotonic()))
    if bugs:
        raise bugs[0]
    late = Rejection(f"it could not be examined within {ASKED_S:g} s")
    return {one.source.node_id: answers.get(one.source.node_id, late) for one in candidates}


def _ask_server(
    candidate: Candidate, settings: Settings, open_agent: OpenAgent
) -> SourceServer | Rejection:
    if not (candidate.is_in_settings or settings.ssh.check_host_keys):
        return NO_HOST_KEYS
    own, source = settings.primary, candidate.source
    target = Target(candidate.source.host, candidate.source.data_directory, source.node_id)
    asked = AskSource(candidate.source.data_directory, own.dbname, own.user, source.slot_name)
    with open_agent(target) as agent:
        return agent.ask(asked, timeout_s=settings.agent.answer_s)


def _with_server(
    connection: Connection,
    agent: Conversation,
    request: RecoveryRequest,
    facts: Facts,
    settings: Settings,
    candidate: Candidate,
    server: SourceServer | Rejection | None,
) -> Source:
    """Return a source with all facts: the primary is queried after the standby, as for a proof.

    A standby that uses another slot than the stream is a second one at that place: whatever the
    agent has found there, it is not the node that the primary sees.
    """
    source = candidate.source
    if server is None:
        return source
    if isinstance(server, Rejection):
        return replace(source, problem=server)
    standby = server.standby
    slots = {source.slot_name} if source.slot_name else set[str]()
    upstream = read_upstream(connection, "the primary", slots, source.application_name)
    trouble = judge(standby, upstream)
    source = replace(source, server=server, trouble=trouble)
    if trouble is not None:
        return source
    if standby.slot_name != source.slot_name:
        at = f"{candidate.source.host}:{candidate.source.data_directory}"
        problem = Rejection(
            f"the server at {at} is another one",
            hint=f"Set data_directory in [node.{source.node_id}] of the settings.",
        )
        return replace(source, problem=problem)
    logins = _log_in(agent, request, facts, settings, candidate, server)
    login = choose_login(logins, facts.primary)
    if login is not None:
        return replace(source, conninfo=login.conninfo)
    return replace(
        source, login_problem="; ".join(_why(one) for one in logins) or "No role is known for it."
    )


def _log_in(
    agent: Conversation,
    request: RecoveryRequest,
    facts: Facts,
    settings: Settings,
    candidate: Candidate,
    server: SourceServer,
) -> tuple[Login, ...]:
    """Try from the target to open a replication connection to the standby."""
    target, host = request.target, candidate.source.host
    is_local = target.host == host or (is_this_host(target.host) and is_this_host(host))
    candidates = login_candidates(
        RecoveryRequest(target, server.port, host),
        facts.primary,
        facts.target,
        own_hosts=own_hosts(facts.primary, is_local=True)
        if is_local and is_this_host(host)
        else (host,),
        user=settings.replication.user,
        is_local=is_local,
        words=settings.replication.words,
    )
    return agent.ask(TryLogins(candidates), timeout_s=settings.timeout.observe_s)


def _why(login: Login) -> str:
    problem = login.problem or "it belongs to another cluster"
    return f"{login.conninfo['user']} at host {login.conninfo['host']}: {problem}"
