"""Parse what Pgpool-II reports about a node, in any of the forms of 4.0 to 4.7."""

from typing import Dict, List, NamedTuple, Optional, Tuple

from .field import filled, integer_if_any, integer_of, real_of
from .pcp_error import malformed
from .reply import Reply

RAND_MAX = 2147483647  # Weights are sent as fractions of it.
MICROSECONDS = 1000000
EPOCH_OF_PGPOOL = 1000000000  # In 2001, before the first release.
ANOTHER_RELEASE = "This Pgpool-II is too new for this pgpool-recovery; install a newer one."
NO_WEIGHTS = ("nan", "-nan", "inf", "-inf")
STATUSES = {0: "unused", 1: "waiting", 2: "up", 3: "down"}
ROLES = {0: "main", 1: "replica", 2: "primary", 3: "standby"}

_OLDEST = ("hostname", "port", "status", "weight", "role")
_DELAY = ("standby_delay", "status_changed_time")
_STATES = ("standby_delay", "repl_state", "repl_sync_state", "status_changed_time")
_TO_QUARANTINE = ("hostname", "port", "status", "quarantine")
_SEEN = ("pg_status", "weight", "role", "pg_role")

FORMS: Dict[int, Tuple[str, ...]] = {
    5: _OLDEST,
    7: _OLDEST + _DELAY,
    8: _TO_QUARANTINE + ("weight", "role") + _DELAY,
    9: _OLDEST + _STATES,
    10: _TO_QUARANTINE + ("weight", "role") + _STATES,
}
"""The fields of an answer in one message, by their number: up to 4.2."""

ARRAY_FORMS: Dict[int, Tuple[str, ...]] = {
    11: ("hostname", "port", "status") + _SEEN + _STATES,
    12: _TO_QUARANTINE + _SEEN + _STATES,
    13: _TO_QUARANTINE + _SEEN + ("delay_by_time",) + _STATES,
}
"""The same for an answer in rows: from 4.3 on. Minor releases of the same major differ."""


class NodeInfo(NamedTuple):
    """A node as Pgpool-II sees it; None is a value that the release does not report.

    `status` is unused, waiting (up, but no client has connected yet), up, down or quarantine.
    `role` is primary, standby, main or replica. Either may also be a value of an unknown release,
    exactly as it was sent. `pg_status` and `pg_role` are what Pgpool-II found by connecting at that
    moment, "unknown" if it could not connect. `weight` is 0 to 1; None where no node has a weight.
    The lag is in bytes, or in seconds with delay_threshold_by_time. `status_changed_at` is in
    seconds since 1970.
    """

    node_id: int
    hostname: str
    port: int
    status: str
    role: str
    weight: Optional[float]
    pg_status: Optional[str]
    pg_role: Optional[str]
    lag_bytes: Optional[int]
    lag_s: Optional[float]
    replication_state: Optional[str]
    replication_sync_state: Optional[str]
    status_changed_at: Optional[int]

    @property
    def is_attached(self) -> bool:
        """Whether Pgpool-II uses the node."""
        return self.status in ("up", "waiting")


def one_node_info(reply: Reply, node_id: int) -> NodeInfo:
    """Return the only node of an answer; its id is only in the request."""
    rows = _rows(reply)
    if len(rows) != 1:
        raise malformed("The answer about one node contains %d nodes." % len(rows))
    return _node_info(node_id, rows[0])


def all_node_infos(reply: Reply) -> List[NodeInfo]:
    """Return the nodes of an answer about all of them, in the order of their ids from 0."""
    return [_node_info(node_id, fields) for node_id, fields in enumerate(_rows(reply))]


def has_new_node_commands(reply: Reply) -> bool:
    """Return whether an answer came from 4.3 or later, judging by its form."""
    return reply.array_size is not None


def _rows(reply: Reply) -> List[Dict[str, str]]:
    if reply.array_size is not None and reply.array_size != len(reply.rows):
        raise malformed(
            "The answer announces %d nodes, but contains %d." % (reply.array_size, len(reply.rows))
        )
    forms = FORMS if reply.array_size is None else ARRAY_FORMS
    return [_named(row, forms) for row in reply.rows]


def _named(row: List[str], forms: Dict[int, Tuple[str, ...]]) -> Dict[str, str]:
    """Return the fields by name; a later release may have more after those of the longest form.

    It may also have inserted them in between, as releases did before, and then one field is read as
    another. A wrong role would turn a primary into a standby, so every field is checked.
    """
    longest = max(forms)
    if len(row) in forms:
        return dict(zip(forms[len(row)], row))
    fields = dict(zip(forms[longest], row))
    if len(row) > longest and _is_in_place(fields):
        return fields
    known = ", ".join(map(str, sorted(forms)))
    raise malformed(
        "A node has %d fields; known forms have %s." % (len(row), known),
        hint=ANOTHER_RELEASE if len(row) > min(forms) else None,
    )


def _is_in_place(fields: Dict[str, str]) -> bool:
    """Return whether every field has a value that only that field can have."""
    flags = [fields.get(name, "0") for name in ("quarantine", "delay_by_time")]
    return (
        integer_if_any(fields["status"]) in STATUSES
        and integer_if_any(fields["role"]) in ROLES
        and all(flag in ("0", "1") for flag in flags)
        and ("." in fields["weight"] or fields["weight"] in NO_WEIGHTS)
        and integer_if_any(fields["port"]) is not None
        and integer_if_any(fields["standby_delay"]) is not None
        and (integer_if_any(fields["status_changed_time"]) or 0) >= EPOCH_OF_PGPOOL
        and all(
            integer_if_any(fields.get(name, "up")) is None
            for name in ("pg_status", "pg_role", "repl_state", "repl_sync_state")
        )
    )


def _node_info(node_id: int, fields: Dict[str, str]) -> NodeInfo:
    lag_bytes, lag_s = _lag(fields)
    weight = real_of(fields["weight"])
    return NodeInfo(
        node_id=node_id,
        hostname=fields["hostname"],
        port=integer_of(fields["port"], "port"),
        status=_status(fields),
        role=_word(fields["role"], ROLES),
        weight=None if weight is None else weight / RAND_MAX,
        pg_status=fields.get("pg_status"),
        pg_role=fields.get("pg_role"),
        lag_bytes=lag_bytes,
        lag_s=lag_s,
        replication_state=filled(fields.get("repl_state", "")),
        replication_sync_state=filled(fields.get("repl_sync_state", "")),
        status_changed_at=integer_if_any(fields.get("status_changed_time", "")),
    )


def _status(fields: Dict[str, str]) -> str:
    status = _word(fields["status"], STATUSES)
    in_quarantine = fields.get("quarantine") == "1"
    return "quarantine" if in_quarantine and status == "down" else status


def _lag(fields: Dict[str, str]) -> Tuple[Optional[int], Optional[float]]:
    """Return the lag in bytes, or in seconds."""
    delay = integer_if_any(fields.get("standby_delay", ""))
    if delay is not None and fields.get("delay_by_time") == "1":
        return None, delay / MICROSECONDS
    return delay, None


def _word(text: str, words: Dict[int, str]) -> str:
    """Return the word for a number; an unknown number or a word is returned as it was sent."""
    number = integer_if_any(text)
    return text if number is None else words.get(number, text)
