"""The server that called: the primary, on this host.

Apart from the agent's side (run/sessions.py), so that whoever only asks this server loads no
conversation.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from pgpool_recovery.config.settings import Settings
from pgpool_recovery.postgres.connection import Connection, connect
from pgpool_recovery.postgres.own_peer import own_peer


def own_conninfo(settings: Settings) -> Mapping[str, str]:
    """Return how the server that called is reached; the environment says where it listens."""
    own = settings.primary
    user = {} if own.user is None else {"user": own.user}
    return {"dbname": own.dbname, **own_peer(), **user}


@contextmanager
def own_server(settings: Settings, within_s: float | None = None) -> Iterator[Connection]:
    """Connect to the server that called; no query takes longer than `within_s`, or than a step."""
    timeout = settings.timeout
    answer_s = timeout.step_s if within_s is None else within_s
    with connect(
        own_conninfo(settings), timeout_s=timeout.connect_s, answer_s=answer_s
    ) as connection:
        yield connection
