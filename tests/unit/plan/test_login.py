"""The address and the role with which the target reaches the primary."""

from dataclasses import replace

import pytest

from pgpool_recovery.plan.login import login_candidates
from tests.unit.plan.situation import REQUEST, TARGET, primary, target

OWN_HOSTS = ("server1.example", "server1")
SOCKETS = ("/run/postgresql", "localhost")


def hosts_and_users(
    primary_host: str | None,
    *,
    own_hosts: tuple[str, ...] = OWN_HOSTS,
    user: str | None = None,
    is_local: bool = False,
) -> list[tuple[str, str]]:
    request = replace(REQUEST, primary_host=primary_host)
    found = login_candidates(
        request, primary(), target(), own_hosts=own_hosts, user=user, is_local=is_local
    )
    return [(conninfo["host"], conninfo["user"]) for conninfo in found]


def test_host_is_what_pgpool_calls_the_primary() -> None:
    assert hosts_and_users("10.0.0.1") == [("10.0.0.1", "repl"), ("10.0.0.1", "postgres")]


def test_localhost_is_another_host_there() -> None:
    assert hosts_and_users("localhost", user="repl") == [
        ("server1.example", "repl"),
        ("server1", "repl"),
    ]


def test_older_pgpool_does_not_say_the_host() -> None:
    assert hosts_and_users(None, user="repl") == [("server1.example", "repl"), ("server1", "repl")]


def test_local_target_also_tries_the_socket() -> None:
    assert hosts_and_users("localhost", own_hosts=SOCKETS, user="repl", is_local=True) == [
        ("localhost", "repl"),
        ("/run/postgresql", "repl"),
    ]


def test_own_primary_conninfo_keeps_its_other_words() -> None:
    configuration = target().configuration
    assert configuration is not None
    own = {"host": "old", "user": "rep", "sslmode": "require", "application_name": "s2"}
    found = login_candidates(
        REQUEST,
        primary(),
        target(configuration=replace(configuration, primary_conninfo=own)),
        own_hosts=OWN_HOSTS,
        user=None,
        is_local=False,
    )
    assert found[0] == {
        "host": "server1",
        "port": "5432",
        "user": "rep",
        "application_name": "s2",
        "sslmode": "require",
    }


def test_application_name_is_the_host_but_not_localhost() -> None:
    def name(host: str) -> str:
        request = replace(REQUEST, target=replace(TARGET, host=host))
        found = login_candidates(
            request, primary(), target(), own_hosts=OWN_HOSTS, user="repl", is_local=False
        )
        return found[0]["application_name"]

    assert name("server2") == "server2"
    assert name("localhost") == "pgpool_node_1"


def candidates(
    own: dict[str, str], words: dict[str, str], primary_host: str = "10.0.0.1", **facts: object
) -> tuple[dict[str, str], ...]:
    configuration = target().configuration
    assert configuration is not None
    return login_candidates(
        replace(REQUEST, primary_host=primary_host),
        primary(**facts),
        target(configuration=replace(configuration, primary_conninfo=own)),
        own_hosts=OWN_HOSTS,
        user="repl",
        is_local=False,
        words=words,
    )


def test_settings_go_before_what_is_inherited_and_secrets_never_are() -> None:
    own = {"sslmode": "require", "sslkey": "/own", "sslpassword": "x", "word_to_come": "x"}
    [found] = candidates(own, {"sslmode": "verify-ca", "sslrootcert": "/ca"})
    given = {key: text for key, text in found.items() if "ssl" in key or "word" in key}
    assert given == {"sslmode": "verify-ca", "sslrootcert": "/ca", "sslkey": "/own"}


def test_certificate_has_a_name_so_an_address_is_tried_under_those_of_the_primary() -> None:
    found = candidates({"sslmode": "verify-full"}, {})
    assert [(one["host"], one.get("hostaddr")) for one in found] == [
        ("10.0.0.1", None),
        ("server1.example", "10.0.0.1"),
        ("server1", "10.0.0.1"),
    ]
    assert [one["host"] for one in candidates({"sslmode": "verify-full"}, {}, "db1")] == ["db1"]
    assert [one["host"] for one in candidates({"sslmode": "verify-ca"}, {})] == ["10.0.0.1"]


@pytest.mark.parametrize(
    ("own", "words", "asks", "expected"),
    [
        ({}, {}, False, None),
        ({}, {}, True, ""),
        ({"require_auth": "scram-sha-256"}, {}, True, "scram-sha-256"),
        ({"require_auth": "scram-sha-256"}, {"require_auth": ""}, False, ""),
    ],
)
def test_clear_text_only_where_something_asks_for_it(
    own: dict[str, str], words: dict[str, str], *, asks: bool, expected: str | None
) -> None:
    [found] = candidates(own, words, asks_clear_text=asks)
    assert found.get("require_auth") == expected


def test_places_of_a_host_that_was_looked_at_are_taken_as_they_are() -> None:
    place = {"host": "db1", "hostaddr": "192.0.2.1"}
    found = login_candidates(
        replace(REQUEST, primary_host="db1"),
        primary(),
        target(),
        own_hosts=OWN_HOSTS,
        user="repl",
        is_local=False,
        named=(place,),
    )
    assert [(one["host"], one["hostaddr"]) for one in found] == [("db1", "192.0.2.1")]


def places(own: dict[str, str], primary_host: str = "10.0.0.1") -> list[tuple[str, str | None]]:
    configuration = target().configuration
    assert configuration is not None
    found = login_candidates(
        replace(REQUEST, primary_host=primary_host),
        primary(),
        target(configuration=replace(configuration, primary_conninfo=own)),
        own_hosts=OWN_HOSTS,
        user="repl",
        is_local=False,
        own_addresses=("10.0.0.1", "10.9.0.1"),
    )
    return [(one["host"], one.get("hostaddr")) for one in found]


def test_password_file_by_name_is_asked_under_the_names_of_the_primary() -> None:
    """The address is the primary's own, so no password goes to another host under that name."""
    assert places({"host": "db-a", "passfile": "/own"}) == [
        ("10.0.0.1", None),
        ("server1.example", "10.0.0.1"),
        ("server1", "10.0.0.1"),
        ("db-a", "10.0.0.1"),
    ]
    assert places({"host": "10.0.0.7"}) == [("10.0.0.1", None)]


def test_other_address_of_the_primary_is_tried_as_the_node_has_it() -> None:
    own = {"host": "10.9.0.1"}
    assert places(own, "server1") == [("server1", None), ("10.9.0.1", None)]
    assert places({"host": "10.0.0.7"}, "server1") == [("server1", None)]
