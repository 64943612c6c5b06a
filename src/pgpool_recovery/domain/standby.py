"""Decide whether a node is a standby of this primary, with the primary's data and nothing else.

That a node "streams" proves little: a standby with WAL past the fork streams as well, and any
standby may use a slot whose name it knows. What the node and the primary report is compared only
here.
"""

from collections.abc import Iterator
from enum import Enum

from pgpool_recovery.domain.record import record
from pgpool_recovery.domain.wal import History, Lsn, Point, TimelineId, lsn_text

STREAMING, WAITING = "streaming", "waiting"
NOT_PAUSED = "not paused"
SHUTDOWN_TIMEOUT = "wal_sender_shutdown_timeout"
"""PostgreSQL 19: how many milliseconds a shutdown waits until a standby has everything; -1 waits
for ever, as the releases before do."""
ENOUGH_SHUTDOWN_MS = 10_000


@record
class StandbyFacts:
    """What a server reports of itself, or what its host shows if it accepts no session (`problem`).

    `is_in_recovery` is None if that is not known. `targets` are the recovery_target_* settings that
    are set, `delay_ms` is recovery_min_apply_delay, and `wanted_slot` is primary_slot_name.
    `sees_receiver`: the querying role may see the WAL receiver. Then `receiver` is its status, or
    None if there is none. `slot_name`, `application_name`, `receiving` and `received` say how it
    streams, on which timeline, and up to where it has flushed; while it is waiting, they say how it
    streamed last. `replayed` is the position of replay. `been_at` are positions that replay has
    passed, each with its timeline. `histories` come from the history files of the timeline that the
    server is on, and of newer ones. `restoring` is the process id of the restore_command that it
    waits for now. `lacks_wal`: replay has not found WAL anywhere, and waits before it looks again.
    `replaying` is the WAL file that it reads or looks for, if its process title names one.
    """

    is_in_recovery: bool | None
    system_identifier: str | None = None
    pause_state: str = NOT_PAUSED
    targets: tuple[str, ...] = ()
    delay_ms: int = 0
    sees_receiver: bool = True
    receiver: str | None = None
    slot_name: str | None = None
    wanted_slot: str | None = None
    application_name: str | None = None
    receiving: TimelineId | None = None
    received: Lsn | None = None
    replayed: Lsn | None = None
    been_at: tuple[Point, ...] = ()
    histories: tuple[History, ...] = ()
    problem: str | None = None
    restoring: int | None = None
    lacks_wal: bool = False
    replaying: str | None = None


@record
class StreamFacts:
    """A row of pg_stat_replication: a standby that streams, with a slot or without one.

    `walsender` identifies the WAL sender by process id and start time, so it tells one connection
    from another.
    """

    state: str
    slot_name: str | None
    application_name: str
    flushed: Lsn | None
    replayed: Lsn | None
    client: str = ""
    walsender: str | None = None


@record
class UpstreamFacts:
    """What the primary reports. It must be queried after the node, so that it cannot be behind it.

    `history` is None if it could not be read, and `written` if it was not queried. `stream` is the
    row that seems to be the node's, found by its slot or else by its name.
    """

    name: str
    history: History | None
    written: Lsn | None
    stream: StreamFacts | None
    system_identifier: str | None = None


class Fault(Enum):
    """What can be wrong with a node.

    `is_final`: waiting does not help. `is_of_data`: another method of recovery may help.
    """

    FOREIGN = "foreign", True, False
    PRIMARY = "primary", True, True
    AHEAD = "ahead", True, True
    HISTORY = "history", True, True
    TARGET = "target", True, False
    PAUSED = "paused", True, False
    SLOT_TAKEN = "slot taken", False, False
    NOT_STREAMING = "not streaming", False, True
    BEHIND = "behind", False, True
    UNSEEN = "unseen", False, False

    @property
    def word(self) -> str:
        """Its name on screens and in documents."""
        return self.value[0]

    @property
    def is_final(self) -> bool:
        """Whether waiting does not help."""
        return self.value[1]

    @property
    def is_of_data(self) -> bool:
        """Whether the data directory may be the cause."""
        return self.value[2]

    @property
    def is_wrong_data(self) -> bool:
        """Whether it has, or will have, what the primary lacks: it must not run in this state."""
        return self in (Fault.FOREIGN, Fault.PRIMARY, Fault.AHEAD, Fault.HISTORY)


@record
class Trouble:
    """What is wrong with a node; `what` follows its name in messages, `detail` is sentences."""

    fault: Fault
    what: str
    detail: str | None = None
    hint: str | None = None


def judge(
    node: StandbyFacts, upstream: UpstreamFacts, position: Lsn | None = None
) -> Trouble | None:
    """Return the gravest thing that is wrong with a node; None if it is sound.

    If a `position` of the primary is given, the node must have replayed up to it, or have received
    up to it when its replay is delayed on purpose.
    """
    troubles = (*_reject_server(node, upstream), *_reject_past(node, upstream))
    troubles = troubles or tuple(_reject_replay(node))
    if not troubles and waits_at_fork(node, upstream):
        return None
    troubles = troubles or tuple(_reject_stream(node, upstream))
    return next(iter(troubles or _reject_position(node, upstream, position)), None)


def is_delayed(node: StandbyFacts) -> bool:
    """Return whether its replay is delayed on purpose (recovery_min_apply_delay)."""
    return node.delay_ms > 0


def waits_at_fork(node: StandbyFacts, upstream: UpstreamFacts) -> bool:
    """Return whether it has received all of a timeline that the primary left, and delays replay.

    It requests the next timeline once it has replayed that one (WaitForWALToBecomeAvailable). Until
    then it keeps the connection open, but does not hold the slot.
    """
    history = upstream.history
    if not is_delayed(node) or history is None or node.receiving not in history.timelines:
        return False
    is_whole = node.received is not None and node.received == history.end_of(node.receiving)
    return node.receiver == WAITING and is_whole


def _reject_server(node: StandbyFacts, upstream: UpstreamFacts) -> Iterator[Trouble]:
    known = (node.system_identifier, upstream.system_identifier)
    if None not in known and known[0] != known[1]:
        yield Trouble(Fault.FOREIGN, "belongs to another cluster")
    if node.is_in_recovery is False:
        yield Trouble(
            Fault.PRIMARY,
            f"accepts writes alongside {upstream.name}",
            "It is not a standby, or no longer one. What is written there is on no other node.",
        )


def _reject_past(node: StandbyFacts, upstream: UpstreamFacts) -> Iterator[Trouble]:
    """Yield the positions and histories that the node has and the primary never had."""
    history = upstream.history
    if history is not None:
        yield from _reject_histories(node, upstream.name, history)
        for point in node.been_at:
            if not history.has(point):
                yield _stray(point, upstream.name, history)
    is_its = node.receiver == STREAMING or not node.sees_receiver
    stream = upstream.stream.replayed if is_its and upstream.stream is not None else None
    for replayed in (node.replayed, stream):
        if replayed is not None and upstream.written is not None and replayed > upstream.written:
            yield _ahead("replayed", replayed, upstream.name, upstream.written)
    received, written = _received_on_current(node, history), upstream.written
    if received is not None and written is not None and received > written:
        yield _ahead("received", received, upstream.name, written)


def _received_on_current(node: StandbyFacts, history: History | None) -> Lsn | None:
    """Return up to where it has received on the primary's current timeline; None on another one.

    On an older timeline the position may come from its former primary: a new stream resets it only
    when the timeline changes (RequestXLogStreaming). The beginning of a record that a dying primary
    was sending is counted in it, but will never be replayed.
    """
    is_current = history is not None and node.receiving == history.current
    return node.received if node.receiver == STREAMING and is_current else None


def _reject_histories(node: StandbyFacts, name: str, primary: History) -> Iterator[Trouble]:
    for history in node.histories:
        if not (is_past_of(history, primary) or _leads_nowhere(history, node, primary)):
            yield Trouble(
                Fault.HISTORY,
                f"has the history of a timeline {history.current} that {name} was never on",
                f"It is in pg_wal/{history.current:08X}.history on that node. As soon as the "
                "server can, it follows that timeline and no longer the primary.",
            )
    is_on = node.receiving if node.receiver == STREAMING else None
    if is_on is not None and is_on not in primary.timelines:
        yield Trouble(
            Fault.HISTORY,
            f"streams on timeline {is_on}, which {name} was never on",
        )


def is_past_of(history: History, primary: History) -> bool:
    """Return whether a history file agrees with the primary's own about that timeline.

    >>> one = History(TimelineId(2), (Point(TimelineId(1), Lsn(100)),))
    >>> other = History(TimelineId(2), (Point(TimelineId(1), Lsn(70)),))
    >>> is_past_of(one, one), is_past_of(one, other)
    (True, False)
    """
    if history.current not in primary.timelines:
        return False
    return history.ends == primary.ends[: primary.timelines.index(history.current)]


def _leads_nowhere(history: History, node: StandbyFacts, primary: History) -> bool:
    """Return whether it belongs to a number that the primary skipped, and the node has a newer one.

    A recovery fills such gaps, and the server goes on to the newest timeline that it finds, which
    is the primary's.
    """
    is_gap = history.current < primary.current and history.current not in primary.timelines
    return is_gap and any(one.current == primary.current for one in node.histories)


def _stray(point: Point, name: str, history: History) -> Trouble:
    if point.timeline not in history.timelines:
        what = f"has replayed timeline {point.timeline}, which {name} was never on"
        return Trouble(Fault.HISTORY, what, f"It has been at {point}.")
    left = lsn_text(history.end_of(point.timeline) or Lsn(0))
    return Trouble(
        Fault.AHEAD,
        f"has replayed what {name} does not have",
        f"It has been at {point}, but {name} left that timeline at {left}.",
    )


def _ahead(verb: str, reached: Lsn, name: str, written: Lsn) -> Trouble:
    return Trouble(
        Fault.AHEAD,
        f"has {verb} what {name} does not have",
        f"It has {verb} up to {lsn_text(reached)}, but {name} has written only up to "
        f"{lsn_text(written)}.",
    )


def _reject_replay(node: StandbyFacts) -> Iterator[Trouble]:
    if node.targets:
        yield Trouble(
            Fault.TARGET,
            f"has a recovery target ({', '.join(node.targets)})",
            "Replay ends there. Then the server pauses, is promoted or shuts down, as "
            "recovery_target_action says.",
            "Remove it from the node's configuration.",
        )
    if node.pause_state != NOT_PAUSED:
        yield Trouble(
            Fault.PAUSED,
            f"does not replay: it is {node.pause_state}"
            if node.pause_state == "paused"
            else "does not replay: a pause has been requested",
            "It was paused by hand, or a setting such as max_connections is lower than on the "
            "primary; in that case its log names the setting.",
            "SELECT pg_wal_replay_resume() on that node resumes replay.",
        )


def _reject_stream(node: StandbyFacts, upstream: UpstreamFacts) -> Iterator[Trouble]:
    """Yield why this node cannot be said to stream from this primary."""
    stream = upstream.stream
    if not node.sees_receiver:
        yield from _reject_unseen(node, upstream)
    elif node.receiver != STREAMING and stream is not None and stream.slot_name is not None:
        yield Trouble(
            Fault.SLOT_TAKEN,
            f'does not stream from {upstream.name}, and another client uses its slot "'
            f'{stream.slot_name}"',
            f"pg_stat_replication shows {stream.client or 'a standby on the same host'} "
            f'("{stream.application_name}"); the WAL receiver of the node itself does not stream.',
            "Stop the server that has the node's primary_slot_name, or give it a slot of its own.",
        )
    elif node.receiver != STREAMING or stream is None:
        yield Trouble(Fault.NOT_STREAMING, f"does not stream from {upstream.name}")
    elif stream.slot_name != node.slot_name:
        yield Trouble(
            Fault.SLOT_TAKEN,
            f"does not stream from {upstream.name}",
            f'It streams from another server, by slot "{node.slot_name}".',
        )
    if stream is not None and stream.state != STREAMING:
        yield Trouble(
            Fault.BEHIND,
            f"has not yet caught up with {upstream.name}",
            f'Its state in pg_stat_replication is "{stream.state}".',
        )


def _reject_unseen(node: StandbyFacts, upstream: UpstreamFacts) -> Iterator[Trouble]:
    if upstream.stream is None:
        yield Trouble(Fault.NOT_STREAMING, f"does not stream from {upstream.name}")
    elif node.problem is not None or node.is_in_recovery is None:
        yield Trouble(
            Fault.UNSEEN,
            f"is not known to stream from {upstream.name}",
            "Its slot is in use, but nothing shows that the node itself uses it."
            + (f" Its server could not be queried: {node.problem}" if node.problem else ""),
        )


def _reject_position(
    node: StandbyFacts, upstream: UpstreamFacts, position: Lsn | None
) -> Iterator[Trouble]:
    """Yield how far it is behind a position of the primary, or that it is on an older timeline."""
    if position is None:
        return
    stream, history = upstream.stream, upstream.history
    # What the node itself reports is newer than what the primary has heard from it.
    own = [node.received] if is_delayed(node) else [node.replayed]
    if None in own and stream is not None:
        own = [node.received, stream.flushed if is_delayed(node) else stream.replayed]
    reached = min(Lsn(0) if lsn is None else lsn for lsn in own)
    verb = "received" if is_delayed(node) else "replayed"
    if reached < position:
        yield Trouble(
            Fault.BEHIND,
            f"has not {verb} what {upstream.name} has written",
            f"It has {verb} up to {lsn_text(reached)} of {lsn_text(position)}.",
        )
    elif history is not None and node.receiving not in (None, history.current):
        yield Trouble(
            Fault.BEHIND,
            f"does not follow {upstream.name} to timeline {history.current}",
            f"It streams on timeline {node.receiving}.",
        )
