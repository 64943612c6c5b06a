"""By which address and as whom the target is to reach the primary."""

from dataclasses import replace

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
