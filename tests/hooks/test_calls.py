"""The hooks called by hand, with odd words, too early, too late, and in odd situations."""

from collections.abc import Iterator

import pytest

from tests.harness.product import Product
from tests.harness.site import assert_recovered
from tests.harness.workspace import Workspace
from tests.hooks.site import call, last_run, site_with_hooks, words
from tests.operator.site import Site

ODD = '/data of ours/it\'s "odd" $(touch /tmp/odd) `touch /tmp/odd`'


@pytest.fixture(scope="module")
def site(workspace: Workspace, product: Product, namespaces: None) -> Iterator[Site]:
    with site_with_hooks(workspace, product) as site:
        yield site


@pytest.fixture(autouse=True)
def _nothing_is_promoted(site: Site) -> Iterator[None]:
    yield
    assert not site.cluster.node(0).is_in_recovery
    assert site.cluster.node(1).is_in_recovery


@pytest.mark.parametrize("hook", ["failover", "follow_primary"])
def test_too_few_words(site: Site, hook: str) -> None:
    refused = site.run(hook, *words(site)[:-1])
    assert refused.returncode == 2
    assert f"{hook} takes 12 arguments, not 11" in refused.stderr
    assert '"%d" "%h" "%p"' in refused.stderr


@pytest.mark.parametrize(
    "odd",
    [
        {"d": "x"},
        {"d": ""},
        {"d": "-1"},
        {"H": "two words"},
        {"H": "-oProxyCommand=x"},
        {"r": "123456"},
        {"P": "1;x"},
    ],
)
def test_words_that_make_no_sense(site: Site, odd: dict[str, str]) -> None:
    refused = call(site, "failover", **odd)
    assert refused.returncode == 2, refused.output
    assert "failover: ERROR:  invalid" in refused.stderr


def test_words_with_blanks_and_quotes(site: Site) -> None:
    called = call(site, "failover", down=2, new=0, old=0, d=" 2", D=ODD, R=ODD)
    assert called.returncode == 0, called.output
    assert "node 0 remains the primary; nothing is promoted" in called.stdout
    assert not site.cluster.pgpool.machine.path("/tmp/odd").exists()


@pytest.mark.parametrize("unknown", ["", "-1"])
def test_pgpool_does_not_know_the_primary(site: Site, unknown: str) -> None:
    called = call(site, "failover", down=2, new=1, P=unknown, N="", S="")
    assert called.returncode == 0, called.output
    assert "node 0 is already the primary; nothing is promoted" in called.stdout


@pytest.mark.parametrize("gone", ["", "-1"])
def test_no_node_is_left(site: Site, gone: str) -> None:
    called = call(site, "failover", down=0, old=0, m=gone, H="", r="", R="")
    assert called.returncode == 4, called.output
    assert "there is no node left to promote" in called.stderr


def test_primary_that_must_not_be_stopped(site: Site) -> None:
    site.write_settings('[failover]\nrunning_primary = "refuse"\n')
    refused = call(site, "failover")
    site.write_settings()
    assert refused.returncode == 4
    assert "node 0 still accepts writes, so no other node is promoted" in refused.stderr


def test_primary_that_cannot_be_stopped(site: Site) -> None:
    """A primary without the extension cannot be stopped, so nothing is promoted beside it."""
    for database in ("template1", "postgres"):
        site.cluster.node(0).execute("DROP EXTENSION pgpool_recovery", database=database)
    refused = call(site, "failover")
    for database in ("template1", "postgres"):
        site.cluster.node(0).execute("CREATE EXTENSION pgpool_recovery", database=database)
    assert refused.returncode == 4, refused.output
    assert "It does not have the extension pgpool_recovery" in refused.stderr


def test_node_follows_itself(site: Site) -> None:
    assert "it follows no other node" in call(site, "follow_primary", down=0, new=0).stdout


def test_new_primary_that_is_a_standby(site: Site) -> None:
    refused = call(site, "follow_primary", down=2, new=1)
    assert refused.returncode == 4
    assert "node 1, the new primary, is a standby" in refused.stderr


def test_nothing_to_follow(site: Site) -> None:
    refused = call(site, "follow_primary", down=2, m="-1", H="", r="", R="")
    assert refused.returncode == 4
    assert "there is no new primary" in refused.stderr


def test_pgpool_does_not_answer(site: Site) -> None:
    """A failover does not need it; a follow cannot attach the node, so it is recorded as failed."""
    settings = '[pgpool]\nhost = "127.0.0.1"\npcp_port = 9\npcp_user = "pgpool"\n'
    site.cluster.pgpool.machine.write_file("/tmp/elsewhere.toml", settings, mode=0o644)
    elsewhere = {"PGPOOL_RECOVERY_CONFIG": "/tmp/elsewhere.toml"}
    standby = site.run("failover", *words(site, down=2, new=0, old=0), env=elsewhere)
    assert standby.returncode == 0, standby.output
    assert "nothing is promoted" in standby.stdout
    follows = site.run("follow_primary", *words(site, down=2, new=0), env=elsewhere)
    assert follows.returncode == 5
    assert "could not connect to Pgpool-II" in follows.stderr
    assert last_run(site, 2)["exit_status"] == 5


def test_standby_that_is_down_is_left(site: Site) -> None:
    site.take_down(2)
    left = call(site, "follow_primary", down=2, new=0)
    assert left.returncode == 5
    assert "node 2 is left alone: its server does not answer" in left.stderr
    run = last_run(site, 2)
    assert (run["state"], run["target_state"]) == ("failed", "untouched")
    site.cluster.node(2).start()


def test_standby_that_streams_is_attached(site: Site) -> None:
    """The previous test has left node 2 running and detached."""
    follows = call(site, "follow_primary", down=2, new=0)
    assert follows.returncode == 0, follows.output
    assert "node 2 is back: up in Pgpool-II and streaming (attach" in follows.stdout
    assert site.cluster.pgpool.node_info(2).is_attached


def test_standby_that_became_a_primary_is_left(site: Site) -> None:
    cluster = site.cluster
    cluster.pgpool.detach_node(2)
    cluster.node(2).promote()
    left = call(site, "follow_primary", down=2, new=0)
    assert left.returncode == 4
    assert "node 2 is left alone: it accepts writes, as node 0 does" in left.stderr
    assert last_run(site, 2)["exit_status"] == 4
    cluster.node(2).stop()
    assert site.run("recover", 2, "--yes").returncode == 0
    assert_recovered(cluster, 2)


def test_slots_that_a_standby_does_not_need_are_dropped(site: Site) -> None:
    """A standby has such slots if it was once a primary."""
    cluster = site.cluster
    cluster.node(2).execute("SELECT pg_create_physical_replication_slot('pgpool_node_1', true)")
    cluster.pgpool.detach_node(2)
    follows = call(site, "follow_primary", down=2, new=0)
    assert follows.returncode == 0, follows.output
    assert "dropped replication slot pgpool_node_1 of node 2" in follows.stdout
    assert cluster.slots(2) == {}
