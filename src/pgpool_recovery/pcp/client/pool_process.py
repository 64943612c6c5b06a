"""Parse Pgpool-II's child processes, the connections that they pool, and its configuration."""

from typing import Dict, List, NamedTuple, Optional, Tuple

from .field import filled, integer_if_any, integer_of
from .pcp_error import malformed
from .reply import Reply

_UP_TO_4_2 = ("pid", "database", "username", "process_start_time", "backend_connection_time") + (
    "majorversion",
    "minorversion",
    "pool_counter",
    "backend_id",
    "backend_pid",
    "connected",
)
_FROM_4_3 = (
    ("pid", "process_start_time", "client_connection_count", "pool_id", "backend_id")
    + ("database", "username", "backend_connection_time", "client_connection_time")
    + ("client_disconnection_time", "client_idle_duration", "majorversion", "minorversion")
    + ("pool_counter", "backend_pid", "connected", "status")
)
_FROM_4_5 = _FROM_4_3 + ("load_balance_node",)
_FROM_4_7 = _FROM_4_5 + ("client_host", "client_port", "statement")

PROCESS_FORMS: Dict[int, Tuple[str, ...]] = {
    len(names): names for names in (_UP_TO_4_2, _FROM_4_3, _FROM_4_5, _FROM_4_7)
}
"""The fields of a row by their number: 11, 17, 18 and 21."""


class PoolProcess(NamedTuple):
    """One pooled connection of a child process to one node, whether in use or free.

    None is a value that the release does not report, or an empty text. Times are texts as sent: up
    to 4.2 seconds since 1970, later ``2026-11-24 08:00:00`` in the server's time zone.
    `client_idle_duration` is in seconds.
    """

    pid: int
    backend_id: int
    database: Optional[str]
    username: Optional[str]
    process_start_time: Optional[str]
    backend_connection_time: Optional[str]
    majorversion: int
    minorversion: int
    pool_counter: int
    backend_pid: int
    is_connected: bool
    pool_id: Optional[int]
    client_connection_count: Optional[int]
    client_connection_time: Optional[str]
    client_disconnection_time: Optional[str]
    client_idle_duration: Optional[int]
    status: Optional[str]
    is_load_balance_node: Optional[bool]
    client_host: Optional[str]
    client_port: Optional[int]
    statement: Optional[str]


class PoolParameter(NamedTuple):
    """A line of the configuration of Pgpool-II, which truncates values at 512 bytes."""

    name: str
    value: str
    description: str


def child_pids_of(reply: Reply) -> List[int]:
    """Return the process ids in an answer."""
    [row] = reply.rows
    if not row or integer_of(row[0], "process count") != len(row) - 1:
        raise malformed("The answer does not contain as many process ids as it announces.")
    return [integer_of(text, "process id") for text in row[1:]]


def pool_processes_of(reply: Reply) -> List[PoolProcess]:
    """Return the rows of an answer, which may be fewer than it announces."""
    return [_pool_process(_named_process(row)) for row in _array(reply)]


def pool_parameters_of(reply: Reply) -> List[PoolParameter]:
    """Return the configuration in an answer, in its order."""
    rows = _array(reply)
    count = len(PoolParameter._fields)
    if any(len(row) < count for row in rows):
        raise malformed("A line of the configuration lacks its name, value or description.")
    return [PoolParameter(*row[:count]) for row in rows]


def _array(reply: Reply) -> List[List[str]]:
    if reply.array_size is None:
        raise malformed("An answer does not announce its rows.")
    return reply.rows


def _named_process(row: List[str]) -> Dict[str, str]:
    """Return the fields by name; since 4.3, each release has appended its new fields."""
    fitting = [count for count in PROCESS_FORMS if count <= len(row)]
    is_new = len(row) >= len(_FROM_4_3)
    if len(row) not in PROCESS_FORMS and not is_new:
        known = ", ".join(map(str, sorted(PROCESS_FORMS)))
        raise malformed("A process has %d fields; known forms have %s." % (len(row), known))
    return dict(zip(PROCESS_FORMS[max(fitting)], row))


def _pool_process(fields: Dict[str, str]) -> PoolProcess:
    def text(name: str) -> Optional[str]:
        return filled(fields.get(name, ""))

    def integer(name: str) -> int:
        return integer_of(fields[name], name)

    def later_integer(name: str) -> Optional[int]:
        return integer_if_any(fields.get(name, ""))

    load_balance_node = later_integer("load_balance_node")
    return PoolProcess(
        pid=integer("pid"),
        backend_id=integer("backend_id"),
        database=text("database"),
        username=text("username"),
        process_start_time=text("process_start_time"),
        backend_connection_time=text("backend_connection_time"),
        majorversion=integer("majorversion"),
        minorversion=integer("minorversion"),
        pool_counter=integer("pool_counter"),
        backend_pid=integer("backend_pid"),
        is_connected=integer("connected") == 1,
        pool_id=later_integer("pool_id"),
        client_connection_count=later_integer("client_connection_count"),
        client_connection_time=text("client_connection_time"),
        client_disconnection_time=text("client_disconnection_time"),
        client_idle_duration=later_integer("client_idle_duration"),
        status=text("status"),
        is_load_balance_node=None if load_balance_node is None else load_balance_node == 1,
        client_host=text("client_host"),
        client_port=later_integer("client_port"),
        statement=text("statement"),
    )
