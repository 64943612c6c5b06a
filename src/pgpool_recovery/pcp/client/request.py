"""Build each request of PCP, with its arguments checked before it is sent."""

from typing import NamedTuple, Optional, Tuple

from .field import shown
from .pcp_error import wrong_parameter

MAX_NODES = 128  # MAX_NUM_BACKENDS (Pgpool-II, src/include/pool_type.h).
ALL_NODES = -1
LOCAL_WATCHDOG_NODE, ALL_WATCHDOG_NODES = 0, -1
STOP_MODES = ("smart", "fast", "immediate")
MIN_MESSAGES = ("debug5", "debug4", "debug3", "debug2", "debug1") + (
    "log",
    "commerror",
    "info",
    "notice",
    "warning",
    "error",
)

Release = Tuple[int, int]
"""Major and minor release of Pgpool-II, such as (4, 3)."""
NEW_NODE_COMMANDS = (4, 3)
"""The release that changed the form of the requests for all nodes and for a promotion."""


class Request(NamedTuple):
    """A request, the letter of its answer, and the tag of the answer's rows if it has rows."""

    name: str
    letter: str
    payload: bytes
    answer: str
    row_tag: Optional[str] = None


def ask_node_count() -> Request:
    """Ask how many nodes there are."""
    return Request("node count", "L", b"", "l")


def ask_node_info(node_id: int) -> Request:
    """Ask about one node; works with any release."""
    return Request("node info", "I", _node_id(node_id), "i", "NodeInfo")


def ask_all_node_infos() -> Request:
    """Ask about all nodes; before 4.3, the server would read outside its array."""
    return Request("node info", "I", _text(str(ALL_NODES)), "i", "NodeInfo")


def ask_health_check_stats(node_id: int) -> Request:
    """Ask for the health check statistics of a node; from 4.2 on."""
    return Request("health check stats", "H", _node_id(node_id), "h")


def ask_child_pids() -> Request:
    """Ask for the process ids of all child processes."""
    return Request("process count", "N", b"", "n")


def ask_pool_processes(pid: int) -> Request:
    """Ask for the pooled connections of one child process, or of all for 0."""
    if not 0 <= pid < 1 << 31:
        raise wrong_parameter("process id %d is not valid" % pid)
    return Request("process info", "P", _text(str(pid)), "p", "ProcessInfo")


def ask_watchdog_info(watchdog_node: int) -> Request:
    """Ask about the local watchdog node (0), all (-1), or a remote one (its number, from 1)."""
    if not ALL_WATCHDOG_NODES <= watchdog_node < MAX_NODES:
        raise wrong_parameter("watchdog node id %d is not valid" % watchdog_node)
    return Request("watchdog info", "W", _text(str(watchdog_node)), "w")


def ask_pool_status() -> Request:
    """Ask for the configuration that the server runs with."""
    return Request("pool status", "B", b"", "b", "ProcessConfig")


def detach_node(node_id: int, *, gracefully: bool = False) -> Request:
    """Detach a node, at once or once all clients have left."""
    return Request("detach node", "d" if gracefully else "D", _node_id(node_id), "d")


def attach_node(node_id: int) -> Request:
    """Attach a node."""
    return Request("attach node", "C", _node_id(node_id), "c")


def promote_node(
    node_id: int, release: Release, *, gracefully: bool = False, switchover: bool = False
) -> Request:
    """Make a node the primary: only in Pgpool-II's records, or with a switchover (from 4.3 on).

    The form of the request depends on the release, and a wrong form is not refused: from 4.3 on, a
    server reads past the end of the older form.
    """
    letter = "j" if gracefully else "J"
    if release >= NEW_NODE_COMMANDS:
        option = b"s" if switchover else b"n"
        payload = str(_valid_node_id(node_id)).encode("ascii") + b" \0" + option
        return Request("promote node", letter, payload, "d")
    if switchover:
        raise wrong_parameter(
            "Pgpool-II %d.%d has no switchover" % release, detail="It was added in 4.3."
        )
    return Request("promote node", letter, _node_id(node_id), "d")


def recover_node(node_id: int) -> Request:
    """Recover a node; the answer comes when the recovery has ended."""
    return Request("recovery node", "O", _node_id(node_id), "c")


def stop_pgpool(mode: str = "smart", *, cluster: bool = False) -> Request:
    """Stop Pgpool-II: smart, fast or immediate; with `cluster` on all watchdog nodes (4.2)."""
    if mode not in STOP_MODES:
        raise wrong_parameter(
            "stop mode %s is not valid" % shown(mode), detail="It must be smart, fast or immediate."
        )
    return Request("stop pgpool", "t" if cluster else "T", mode[0].encode("ascii"), "t")


def reload_config(*, cluster: bool = False) -> Request:
    """Reload the configuration; from 4.2 on."""
    return Request("reload config", "Z", _scope(cluster=cluster), "z")


def log_rotate(*, cluster: bool = False) -> Request:
    """Begin a new log file; from 4.6 on."""
    return Request("log rotate", "V", _scope(cluster=cluster), "v")


def invalidate_query_cache() -> Request:
    """Empty the query cache; from 4.6 on."""
    return Request("invalidate query cache", "G", b"", "g")


def set_client_min_messages(level: str) -> Request:
    """Set the lowest level of the messages that this connection's process sends to us."""
    if level not in MIN_MESSAGES:
        raise wrong_parameter(
            "client_min_messages %s is not valid" % shown(level),
            detail="It must be one of %s." % ", ".join(MIN_MESSAGES),
        )
    return Request("set", "A", _text("client_min_messages") + _text(level), "a")


def _node_id(node_id: int) -> bytes:
    return _text(str(_valid_node_id(node_id)))


def _valid_node_id(node_id: int) -> int:
    if not 0 <= node_id < MAX_NODES:
        raise wrong_parameter(
            "node id %d is not valid" % node_id, detail="A node id is 0 to %d." % (MAX_NODES - 1)
        )
    return node_id


def _scope(*, cluster: bool) -> bytes:
    return b"c" if cluster else b"l"


def _text(text: str) -> bytes:
    return text.encode("ascii") + b"\0"
