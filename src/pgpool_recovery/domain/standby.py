"""Is a node a standby of this primary, with its data and nothing else? One judge for all who ask.

That it "streams" proves little: a standby with WAL past the fork streams as well, and whoever has
the name of a slot may use it. What the node and the primary say is compared here, and nowhere else.
"""

from collections.abc import Iterator
from enum import Enum

from pgpool_recovery.domain.record import record
from pgpool_recovery.domain.wal import History, Lsn, Point, TimelineId, lsn_text

STREAMING, WAITING = "streaming", "waiting"
NOT_PAUSED = "not paused"


@record
class StandbyFacts:
    """What a server says of itself; where nobody gets in, what can be seen of it (`problem`).

    `is_in_recovery` is None where that is not known. `targets` are its settings recovery_target_*
    that are set, `delay_ms` its recovery_min_apply_delay, `wanted_slot` its primary_slot_name.
    `sees_receiver`: who asked may see the WAL receiver; `receiver` is then its status, None when
    there is none, and `slot_name`, `application_name`, `receiving` and `received` are how it
    streams, on which timeline, and up to where it has flushed; while it is waiting, how it did.
    `replayed` is how far replay is. `been_at` are positions that replay has been at, each with the
    timeline that it was on. `histories` are those of its history files for the timeline that it is
    on, and newer ones. `restoring` is the process of the restore_command that it waits for now.
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


@record
class StreamFacts:
    """A row of pg_stat_replication: a standby that streams, by a slot or without one.

    `walsender` is the process that sends, and since when: another connection has another one.
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
    """What the primary says; it has to be asked after the node, so that it cannot be behind.

    `history` is None where that could not be read, `written` where nobody asked. `stream` is the
    row that seems to be the node's: by its slot, else by its name.
    """

    name: str
    history: History | None
    written: Lsn | None
    stream: StreamFacts | None
    system_identifier: str | None = None


class Fault(Enum):
    """What a node may turn out to be; `is_final` will not become better by waiting.

    `is_of_data`: another method of recovery would help.
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
        """Whether it is decided."""
        return self.value[1]

    @property
    def is_of_data(self) -> bool:
        """Whether the data directory may be the cause."""
        return self.value[2]

    @property
    def is_wrong_data(self) -> bool:
        """Whether it has, or will have, what the primary has not: it must not run as it is."""
        return self in (Fault.FOREIGN, Fault.PRIMARY, Fault.AHEAD, Fault.HISTORY)


@record
class Trouble:
    """Why a node is not well; `what` is said after its name, `detail` is a fact in sentences."""

    fault: Fault
    what: str
    detail: str | None = None
    hint: str | None = None


def judge(
    node: StandbyFacts, upstream: UpstreamFacts, position: Lsn | None = None
) -> Trouble | None:
    """Return what is wrong with a node, the gravest first; None when it is well.

    With a `position` of the primary it has to have replayed that, or to have received it where it
    replays later on purpose.
    """
    troubles = (*_reject_server(node, upstream), *_reject_past(node, upstream))
    troubles = troubles or tuple(_reject_replay(node))
    if not troubles and waits_at_fork(node, upstream):
        return None
    troubles = troubles or tuple(_reject_stream(node, upstream))
    return next(iter(troubles or _reject_position(node, upstream, position)), None)


def is_delayed(node: StandbyFacts) -> bool:
    """Say whether it replays later on purpose."""
    return node.delay_ms > 0


def waits_at_fork(node: StandbyFacts, upstream: UpstreamFacts) -> bool:
    """Say whether it has all of a timeline that the primary left, and goes on later on purpose.

    It asks for the next one when it has replayed that (WaitForWALToBecomeAvailable), and holds the
    connection until then, without the slot.
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
            f"accepts writes beside {upstream.name}",
            "It is no standby (any more): what is written there is on no other node.",
        )


def _reject_past(node: StandbyFacts, upstream: UpstreamFacts) -> Iterator[Trouble]:
    """Say where it has been and the primary never was."""
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
    received, written = _received_anew(node, history), upstream.written
    if received is not None and written is not None and received > written:
        yield _ahead("received", received, upstream.name, written)


def _received_anew(node: StandbyFacts, history: History | None) -> Lsn | None:
    """Return up to where it has received on the primary's own timeline.

    On an older one the position may be from its former primary: a new stream begins to count anew
    only with another timeline (RequestXLogStreaming). The begin of a record that a dying primary
    was sending is nothing that will be replayed.
    """
    is_anew = history is not None and node.receiving == history.current
    return node.received if node.receiver == STREAMING and is_anew else None


def _reject_histories(node: StandbyFacts, name: str, primary: History) -> Iterator[Trouble]:
    for history in node.histories:
        if not (is_past_of(history, primary) or _leads_nowhere(history, node, primary)):
            yield Trouble(
                Fault.HISTORY,
                f"has the history of a timeline {history.current} that {name} was never on",
                f"It is in pg_wal/{history.current:08X}.history there; the server follows it as "
                "soon as it can, and then no longer the primary.",
            )
    is_on = node.receiving if node.receiver == STREAMING else None
    if is_on is not None and is_on not in primary.timelines:
        yield Trouble(
            Fault.HISTORY,
            f"streams on timeline {is_on}, and {name} was never on that",
        )


def is_past_of(history: History, primary: History) -> bool:
    """Say whether a history file says what the primary's own says of that timeline.

    >>> one = History(TimelineId(2), (Point(TimelineId(1), Lsn(100)),))
    >>> other = History(TimelineId(2), (Point(TimelineId(1), Lsn(70)),))
    >>> is_past_of(one, one), is_past_of(one, other)
    (True, False)
    """
    if history.current not in primary.timelines:
        return False
    return history.ends == primary.ends[: primary.timelines.index(history.current)]


def _leads_nowhere(history: History, node: StandbyFacts, primary: History) -> bool:
    """Say whether it is of a number that the primary has passed over, and the node knows better.

    A recovery fills such gaps, and the server goes on to the newest timeline that it finds.
    """
    is_gap = history.current < primary.current and history.current not in primary.timelines
    return is_gap and any(one.current == primary.current for one in node.histories)


def _stray(point: Point, name: str, history: History) -> Trouble:
    if point.timeline not in history.timelines:
        what = f"has replayed timeline {point.timeline}, and {name} was never on that"
        return Trouble(Fault.HISTORY, what, f"It has been at {point}.")
    left = lsn_text(history.end_of(point.timeline) or Lsn(0))
    return Trouble(
        Fault.AHEAD,
        f"has replayed what {name} does not have",
        f"It has been at {point}, and {name} has left that timeline at {left}.",
    )


def _ahead(verb: str, reached: Lsn, name: str, written: Lsn) -> Trouble:
    return Trouble(
        Fault.AHEAD,
        f"has {verb} what {name} does not have",
        f"It has {verb} up to {lsn_text(reached)}, and {name} has written up to "
        f"{lsn_text(written)} only.",
    )


def _reject_replay(node: StandbyFacts) -> Iterator[Trouble]:
    if node.targets:
        yield Trouble(
            Fault.TARGET,
            f"has a recovery target ({', '.join(node.targets)})",
            "There its replay ends, and what recovery_target_action says comes next: it pauses, is "
            "promoted or shut down.",
            "Take it out of the node's configuration.",
        )
    if node.pause_state != NOT_PAUSED:
        yield Trouble(
            Fault.PAUSED,
            f"does not replay: it is {node.pause_state}"
            if node.pause_state == "paused"
            else "does not replay: a pause is requested",
            "Somebody has paused it, or a setting is lower there than on the primary "
            "(max_connections and its like); then its log says which.",
            "SELECT pg_wal_replay_resume() there lets it go on.",
        )


def _reject_stream(node: StandbyFacts, upstream: UpstreamFacts) -> Iterator[Trouble]:
    """Say why it is not this node that streams from this primary."""
    stream = upstream.stream
    if not node.sees_receiver:
        yield from _reject_unseen(node, upstream)
    elif node.receiver != STREAMING and stream is not None and stream.slot_name is not None:
        yield Trouble(
            Fault.SLOT_TAKEN,
            f'does not stream from {upstream.name}, and somebody else uses its slot "'
            f'{stream.slot_name}"',
            f"pg_stat_replication there names {stream.client or 'a standby of this host'} "
            f'("{stream.application_name}"); the WAL receiver of the node itself does not stream.',
            "Stop the one that has the node's primary_slot_name, or give it a slot of its own.",
        )
    elif node.receiver != STREAMING or stream is None:
        yield Trouble(Fault.NOT_STREAMING, f"does not stream from {upstream.name}")
    elif stream.slot_name != node.slot_name:
        yield Trouble(
            Fault.SLOT_TAKEN,
            f"does not stream from {upstream.name}",
            f'It streams by slot "{node.slot_name}" from another server.',
        )
    if stream is not None and stream.state != STREAMING:
        yield Trouble(
            Fault.BEHIND,
            f"is not yet up to date with {upstream.name}",
            f'Its state in pg_stat_replication is "{stream.state}".',
        )


def _reject_unseen(node: StandbyFacts, upstream: UpstreamFacts) -> Iterator[Trouble]:
    if upstream.stream is None:
        yield Trouble(Fault.NOT_STREAMING, f"does not stream from {upstream.name}")
    elif node.problem is not None or node.is_in_recovery is None:
        yield Trouble(
            Fault.UNSEEN,
            f"is not known to stream from {upstream.name}",
            "Its slot is in use, and nothing shows that the node itself uses it."
            + (f" Nobody gets in there to ask: {node.problem}" if node.problem else ""),
        )


def _reject_position(
    node: StandbyFacts, upstream: UpstreamFacts, position: Lsn | None
) -> Iterator[Trouble]:
    """Say that it has not come to where the primary is, or not to where it was a moment ago."""
    if position is None:
        return
    stream, history = upstream.stream, upstream.history
    # What the node says itself is newer than what the primary has heard of it.
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
