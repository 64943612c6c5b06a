"""The settings of a session that only we decide: no role's, no database's, nobody's environment.

Whoever owns a database may say ALTER DATABASE … SET, and a superuser who logs in there gets it.
What is said when the connection starts outranks that (PGC_S_CLIENT after PGC_S_DATABASE_USER in
src/include/utils/guc.h); tests/server/test_hostile_session.py has each kind of connection of ours
in a database where everything is set against us.
"""

from collections.abc import Mapping

PINNED: Mapping[str, str] = {
    # Whose code runs: names mean PostgreSQL's own, and a library of $libdir/plugins is nobody's.
    "search_path": "pg_catalog, pg_temp",
    "local_preload_libraries": "",
    "quote_all_identifiers": "off",
    # As whom, and on what: not as another role, and what is there is seen.
    "role": "none",
    "row_security": "on",
    # How a command ends. Between two of them may be a copy that takes hours.
    "default_transaction_isolation": "read committed",
    "default_transaction_read_only": "off",
    "default_transaction_deferrable": "off",
    "exit_on_error": "off",
    "statement_timeout": "0",
    "lock_timeout": "30s",
    "idle_in_transaction_session_timeout": "0",
    "idle_session_timeout": "0",
    # A recovery never waits for the synchronous standby that was lost; perhaps it is the target.
    "synchronous_commit": "local",
    # What is understood, and how values are written.
    "standard_conforming_strings": "on",
    "transform_null_equals": "off",
    "array_nulls": "on",
    "bytea_output": "hex",
    "DateStyle": "ISO, MDY",
    "IntervalStyle": "postgres",
    "extra_float_digits": "1",
    "client_min_messages": "notice",
    # No worker and no compiler for small questions, whatever they are said to cost.
    "max_parallel_workers_per_gather": "0",
    "jit": "off",
    # The link: as the operating system has it, and a client that is gone is noticed.
    "tcp_user_timeout": "0",
    "tcp_keepalives_idle": "30",
    "tcp_keepalives_interval": "10",
    "tcp_keepalives_count": "6",
}
"""What every release from 14 on knows and every role may set, so it can start a session."""

PINNED_FOR_SUPERUSERS: Mapping[str, str] = {
    "session_replication_role": "origin",  # Without it no key is enforced; others may not set it.
}
PINNED_LATER: Mapping[str, str] = {
    "restrict_nonsystem_relation_kind": "",  # Not in every minor release; it keeps from views.
    "DateStyle": "ISO, MDY",  # libpq sends PGDATESTYLE after the options, so that outranks them.
}
"""What is set once the session is there, where the server has it."""

MAX_TIMEOUT_MS = 2**31 - 1
"""The most that a timeout of the server takes, 24 days."""

TRANSACTION_TIMEOUT_SINCE = 170000
"""From then on a server knows transaction_timeout; an older one would refuse the connection."""
NO_TRANSACTION_TIMEOUT: Mapping[str, str] = {"transaction_timeout": "0"}


def startup_options(foreign: str | None = None, own: Mapping[str, str] | None = None) -> str:
    r"""Return libpq's `options`: foreign words first, then what is pinned, then our own.

    Of two values for a setting the server takes the later one (process_postgres_switches).

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
    """Return a time as the server's timeouts take it: neither zero, which is none, nor too long.

    >>> milliseconds(1.5), milliseconds(0.0001), milliseconds(1e9)
    ('1500ms', '1ms', '2147483647ms')
    """
    return f"{min(MAX_TIMEOUT_MS, max(1, round(1000 * seconds)))}ms"


def _escape(value: str) -> str:
    """Return a value as pg_split_opts() takes it for one word."""
    return value.replace("\\", "\\\\").replace(" ", "\\ ")
