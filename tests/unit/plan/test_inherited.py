"""What a node's primary_conninfo passes on contains no secret of any libpq."""

import pytest
from psycopg import pq

from pgpool_recovery.plan.inherited import INHERITED, SECRETS, inherited

OF_18 = {
    *("service", "user", "password", "passfile", "channel_binding", "connect_timeout", "dbname"),
    *("host", "hostaddr", "port", "client_encoding", "options", "application_name"),
    *("fallback_application_name", "keepalives", "keepalives_idle", "keepalives_interval"),
    *("keepalives_count", "tcp_user_timeout", "sslmode", "sslnegotiation", "sslcompression"),
    *("sslcert", "sslkey", "sslcertmode", "sslpassword", "sslrootcert", "sslcrl", "sslcrldir"),
    *("sslsni", "requirepeer", "require_auth", "min_protocol_version", "max_protocol_version"),
    *("ssl_min_protocol_version", "ssl_max_protocol_version", "gssencmode", "krbsrvname"),
    *("gsslib", "gssdelegation", "replication", "target_session_attrs", "load_balance_hosts"),
    *("scram_client_key", "scram_server_key", "oauth_issuer", "oauth_client_id"),
    *("oauth_client_secret", "oauth_scope", "sslkeylogfile"),
}
"""The words of PQconninfoOptions in PostgreSQL 18 (fe-connect.c)."""
KNOWN_HERE = {option.keyword.decode(): option.dispchar for option in pq.Conninfo.get_defaults()}


def test_list_has_no_word_that_no_libpq_knows() -> None:
    assert KNOWN_HERE.keys() <= OF_18, "this libpq is newer: decide on its words, then add them"
    assert INHERITED <= OF_18
    assert set(SECRETS) <= OF_18


def test_what_libpq_itself_hides_is_a_secret() -> None:
    hidden = {word for word, dispchar in KNOWN_HERE.items() if dispchar == b"*"}
    assert hidden
    assert hidden <= set(SECRETS)


@pytest.mark.parametrize("word", sorted({*OF_18, *KNOWN_HERE, "word_of_a_libpq_to_come"}))
def test_secrets_and_unknown_words_are_not_inherited(word: str) -> None:
    handed_on = inherited({word: "x"})
    assert bool(handed_on) == (word in INHERITED)
    assert not handed_on or not any(part in word for part in ("password", "secret", "client_key"))
