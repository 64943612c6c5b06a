"""Pin the session settings that no role, no database and no environment may change.

The owner of a database may run ALTER DATABASE … SET, and a superuser who logs in there gets those
settings. Startup options outrank them (PGC_S_CLIENT after PGC_S_DATABASE_USER in
src/include/utils/guc.h). tests/server/test_hostile_session.py opens each kind of our connections in
a database where every setting is hostile.
"""

from collections.abc import Mapping

PINNED: Mapping[str, str] = {
    # Only PostgreSQL's own code runs: no other object of the same name, no library in
    # $libdir/plugins.
    "search_path": "pg_catalog, pg_temp",
    "local_preload_libraries": "",
    "quote_all_identifiers": "off",
    # The session acts as its own role, and no rows are hidden without an error.
    "role": "none",
    "row_security": "on",
    # How a transaction runs and when it ends. A copy between two commands can take hours.
    "default_transaction_isolation": "read committed",
    "default_transaction_read_only": "off",
    "default_transaction_deferrable": "off",
    "exit_on_error": "off",
    "statement_timeout": "0",
    "lock_timeout": "30s",
    "idle_in_transaction_session_timeout": "0",
    "idle_session_timeout": "0",
    # A recovery must never wait for a lost synchronous standby, which may be its own target.
    "synchronous_commit": "local",
    # How commands are parsed, and how values are written.
    "standard_conforming_strings": "on",
    "transform_null_equals": "off",
    "array_nulls": "on",
    "bytea_output": "hex",
    "DateStyle": "ISO, MDY",
    "IntervalStyle": "postgres",
    "extra_float_digits": "1",
    "client_min_messages": "notice",
    # No parallel workers and no JIT for small queries, whatever the cost settings are.
    "max_parallel_workers_per_gather": "0",
    "jit": "off",
    # The TCP timeout is that of the operating system; keepalives detect a client that is gone.
    "tcp_user_timeout": "0",
    "tcp_keepalives_idle": "30",
    "tcp_keepalives_interval": "10",
    "tcp_keepalives_count": "6",
}
"""Settings that every release since 14 has and every role may set, so startup options can have
them."""

PINNED_FOR_SUPERUSERS: Mapping[str, str] = {
    "session_replication_role": "origin",  # "replica" enforces no foreign keys.
}
PINNED_LATER: Mapping[str, str] = {
    "restrict_nonsystem_relation_kind": "",  # It can forbid views; some minor releases lack it.
    "DateStyle": "ISO, MDY",  # libpq sends PGDATESTYLE after the options, so it outranks them.
}
"""What is set after the session has started, if the server has it."""

MAX_TIMEOUT_MS = 2**31 - 1
"""The maximum of the server's timeouts, 24 days."""

TRANSACTION_TIMEOUT_SINCE = 170000
"""The first version with transaction_timeout; an older one would refuse the connection."""
NO_TRANSACTION_TIMEOUT: Mapping[str, str] = {"transaction_timeout": "0"}


def startup_options(foreign: str | None = None, own: Mapping[str, str] | None = None) -> str:
    r"""Return a value for libpq's `options`: the foreign ones, then the pinned ones, then our own.

    If a setting occurs twice, the server takes the later value (process_postgres_switches).

    >>> words = startup_options("-c role=mallory", {"lock_timeout": "1 s"})
    >>> words.startswith("-c role=mallory -c ") and r" -c lock_timeout=1\ s" in words
    True
    >>> words.rindex("-c role=none") > words.index("-c role=mallory")
    True
    """
    settings = {**PINNED, **(own or {})}
    words = [f"-c {name}={_escape(value)}" for name, value in settings.items()]
    return " ".join([foreign, *words] if foreign else words)


def milliseconds(seconds: float) -> str:
    """Return a time for one of the server's timeouts: not zero, which disables it, nor too long.

    >>> milliseconds(1.5), milliseconds(0.0001), milliseconds(1e9)
    ('1500ms', '1ms', '2147483647ms')
    """
    return f"{min(MAX_TIMEOUT_MS, max(1, round(1000 * seconds)))}ms"


def _escape(value: str) -> str:
    """Return a value with escapes, so pg_split_opts() takes it as one word."""
    return value.replace("\\", "\\\\").replace(" ", "\\ ")
