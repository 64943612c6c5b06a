"""What Pgpool-II says of a node, from the nine forms that 4.0 to 4.7 have for it."""

from typing import Dict, List, NamedTuple, Optional, Tuple

from .field import filled, integer_of, real_of, shown
from .pcp_error import malformed
from .reply import Reply

RAND_MAX = 2147483647  # Weights are sent as shares of it.
MICROSECONDS = 1000000
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
"""The fields by their number, in an answer of one message: up to 4.2."""

ARRAY_FORMS: Dict[int, Tuple[str, ...]] = {
    11: ("hostname", "port", "status") + _SEEN + _STATES,
    12: _TO_QUARANTINE + _SEEN + _STATES,
    13: _TO_QUARANTINE + _SEEN + ("delay_by_time",) + _STATES,
}
"""The same in an answer of rows: from 4.3 on. Minor releases of one line differ."""


class NodeInfo(NamedTuple):
    """A node as Pgpool-II sees it; None is what the release does not tell.

    `status` is unused, waiting (up, and no client came yet), up, down or quarantine; `role` is
    primary, standby, main or replica. `pg_status` and `pg_role` are what it found by connecting
    at that moment, "unknown" if it could not. `weight` is 0 to 1; None where no node has any. The
    lag is in bytes, or with delay_threshold_by_time in seconds. `status_changed_at` is seconds
    since 1970.
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
    """Return the only node of an answer; which one it is stands in the request alone."""
    rows = _rows(reply)
    if len(rows) != 1:
        raise malformed("The answer about one node has %d." % len(rows))
    return _node_info(node_id, rows[0])


def all_node_infos(reply: Reply) -> List[NodeInfo]:
    """Return the nodes of an answer about all of them, in the order of their ids from 0."""
    return [_node_info(node_id, fields) for node_id, fields in enumerate(_rows(reply))]


def has_new_node_commands(reply: Reply) -> bool:
    """Say whether an answer came from 4.3 or later, by its form."""
    return reply.array_size is not None


def _rows(reply: Reply) -> List[Dict[str, str]]:
    if reply.array_size is not None and reply.array_size != len(reply.rows):
        raise malformed(
            "The answer announces %d nodes and has %d." % (reply.array_size, len(reply.rows))
        )
    forms = FORMS if reply.array_size is None else ARRAY_FORMS
    return [_named(row, forms) for row in reply.rows]


def _named(row: List[str], forms: Dict[int, Tuple[str, ...]]) -> Dict[str, str]:
    if len(row) not in forms:
        raise malformed(
            "A node has %d fields; known are %s." % (len(row), ", ".join(map(str, sorted(forms))))
        )
    return dict(zip(forms[len(row)], row))


def _node_info(node_id: int, fields: Dict[str, str]) -> NodeInfo:
    lag_bytes, lag_s = _lag(fields)
    changed = fields.get("status_changed_time")
    weight = real_of(fields["weight"], "weight")
    return NodeInfo(
        node_id=node_id,
        hostname=fields["hostname"],
        port=integer_of(fields["port"], "port"),
        status=_status(fields),
        role=_word(fields["role"], ROLES, "role"),
        weight=None if weight is None else weight / RAND_MAX,
        pg_status=fields.get("pg_status"),
        pg_role=fields.get("pg_role"),
        lag_bytes=lag_bytes,
        lag_s=lag_s,
        replication_state=filled(fields.get("repl_state", "")),
        replication_sync_state=filled(fields.get("repl_sync_state", "")),
        status_changed_at=None if changed is None else integer_of(changed, "status_changed_time"),
    )


def _status(fields: Dict[str, str]) -> str:
    status = _word(fields["status"], STATUSES, "status")
    in_quarantine = integer_of(fields.get("quarantine", "0"), "quarantine") == 1
    return "quarantine" if in_quarantine and status == "down" else status


def _lag(fields: Dict[str, str]) -> Tuple[Optional[int], Optional[float]]:
    """Return the lag in bytes, or in seconds."""
    if "standby_delay" not in fields:
        return None, None
    delay = integer_of(fields["standby_delay"], "standby_delay")
    if integer_of(fields.get("delay_by_time", "0"), "delay_by_time") == 1:
        return None, delay / MICROSECONDS
    return delay, None


def _word(text: str, words: Dict[int, str], name: str) -> str:
    number = integer_of(text, name)
    if number not in words:
        raise malformed('The field "%s" is %s, which is none known.' % (name, shown(text)))
    return words[number]
