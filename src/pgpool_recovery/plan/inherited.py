"""What of a node's own primary_conninfo goes on to a new one, and what never leaves its host."""

from collections.abc import Mapping

SECRETS = (
    "password",
    "sslpassword",
    "scram_client_key",
    "scram_server_key",
    "oauth_client_secret",
)
"""The words of libpq 14 to 18 whose values are secret. libpq itself marks but two of them so."""

OF_ROLE = ("password", "scram_client_key", "scram_server_key")
"""The secrets that belong to a role, wherever in the cluster it logs in."""

INHERITED = frozenset(
    {
        # Where the node has its secrets, by name only.
        "service",
        "passfile",
        "sslcert",
        "sslkey",
        # Which server it believes, and what it shows it.
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
        # Kept by a rule of its own (plan/login.py).
        "application_name",
    }
)
"""A list of what is allowed, so that a word of a libpq to come is no secret of which nobody knew.

Left out on purpose: host, hostaddr, port, user, dbname and replication, which are said anew;
target_session_attrs and load_balance_hosts, which choose among several hosts where there is one
now; client_encoding and fallback_application_name, which change nothing for WAL; sslkeylogfile,
which writes keys; OAuth, which asks a person.
"""


def inherited(own: Mapping[str, str]) -> dict[str, str]:
    """Return what a new connection string takes over.

    >>> inherited({"host": "old", "sslmode": "require", "sslpassword": "x"})
    {'sslmode': 'require'}
    """
    return {word: text for word, text in own.items() if word in INHERITED}
