"""What a new primary_conninfo takes over from the node's own, and what never leaves its host."""

from collections.abc import Mapping

SECRETS = (
    "password",
    "sslpassword",
    "scram_client_key",
    "scram_server_key",
    "oauth_client_secret",
)
"""The keywords of libpq 14 to 18 whose values are secret; libpq itself marks only two of them."""

OF_ROLE = ("password", "scram_client_key", "scram_server_key")
"""The secrets that belong to a role, wherever in the cluster it logs in."""

INHERITED = frozenset(
    {
        # Where the node keeps its secrets: names only.
        "service",
        "passfile",
        "sslcert",
        "sslkey",
        # Which server it trusts, and what it presents to that server.
        "channel_binding",
        "require_auth",
        "requirepeer",
        "sslmode",
        "sslnegotiation",
        "sslcertmode",
        "sslrootcert",
        "sslcrl",
        "sslcrldir",
        "sslsni",
        "sslcompression",
        "ssl_min_protocol_version",
        "ssl_max_protocol_version",
        "min_protocol_version",
        "max_protocol_version",
        "gssencmode",
        "gssdelegation",
        "gsslib",
        "krbsrvname",
        # How it holds the connection.
        "connect_timeout",
        "keepalives",
        "keepalives_idle",
        "keepalives_interval",
        "keepalives_count",
        "tcp_user_timeout",
        "options",
        # Kept by a separate rule (plan/login.py).
        "application_name",
    }
)
"""An allowlist, so that a secret keyword of a future libpq is not passed on by accident.

Left out on purpose: host, hostaddr, port, user, dbname and replication, which are set again;
target_session_attrs and load_balance_hosts, which choose among several hosts although there is only
one now; client_encoding and fallback_application_name, which change nothing for WAL; sslkeylogfile,
which writes keys; OAuth, which asks a user.
"""


def inherited(own: Mapping[str, str]) -> dict[str, str]:
    """Return the keywords that a new connection string takes over.

    >>> inherited({"host": "old", "sslmode": "require", "sslpassword": "x"})
    {'sslmode': 'require'}
    """
    return {word: text for word, text in own.items() if word in INHERITED}
