"""What pgpool.conf says, and what it lacks."""

from pathlib import Path

import pytest

from pgpool_recovery.domain.error import Refused, UsageError
from pgpool_recovery.setup.facts import PoolState
from pgpool_recovery.setup.pool import find_conf, pool_of

NODES = """\
backend_hostname0 = 'server1'
backend_data_directory0 = '/data//15/'
backend_hostname10 = 'server3'   # the third
backend_port10 = 5433
backend_data_directory10 = '/data/15'
backend_hostname2 = '/tmp'
backend_data_directory2 = '/data/15'
"""
STAGE = "recovery_1st_stage_command = 'recovery_1st_stage'\n"


def pool(text: str, release: tuple[int, int] | None = (4, 6)) -> PoolState:
    return pool_of("/etc/pgpool2/pgpool.conf", text, None, release, is_running=False)


def test_nodes_are_in_the_order_of_their_numbers() -> None:
    found = [(one.node_id, one.host, one.port) for one in pool(NODES).backends]
    assert found == [(0, "server1", 5432), (2, "localhost", 5432), (10, "server3", 5433)]
    assert pool(NODES).backends[0].data_directory == "/data/15"


def test_database_is_that_of_the_release() -> None:
    named = NODES + "recovery_database = 'dba'\n"
    assert pool(named, (4, 6)).database == "template1"
    assert pool(named, (4, 7)).database == "dba"
    assert pool(NODES, (4, 7)).database == "postgres"


@pytest.mark.parametrize("host", ["a b", "$(id)", "-oProxyCommand=x", "u@h"])
def test_host_that_is_no_host_is_refused(host: str) -> None:
    with pytest.raises(UsageError, match="invalid host name"):
        pool(f"backend_hostname0 = '{host}'\nbackend_data_directory0 = '/data'\n")


def test_file_without_nodes_is_refused() -> None:
    with pytest.raises(Refused, match="names no nodes"):
        pool("include 'more.conf'\n")


def test_node_without_a_directory_is_refused() -> None:
    with pytest.raises(UsageError, match="backend_data_directory0 is not set"):
        pool("backend_hostname0 = 'server1'\n")


def test_only_what_recoveries_need_is_changed() -> None:
    assert pool(NODES + STAGE).changes == {}
    assert pool(NODES).changes == {"recovery_1st_stage_command": "recovery_1st_stage"}
    native = NODES + STAGE + "backend_clustering_mode = 'native_replication'\n"
    assert pool(native).changes == {"recovery_2nd_stage_command": "recovery_2nd_stage"}


@pytest.mark.parametrize("name", ["host=x", "a/../b", "$(id)", "a b", "-c"])
def test_database_that_psql_would_misread_is_refused(name: str) -> None:
    with pytest.raises(UsageError, match="cannot handle the recovery_database"):
        pool(f"{NODES}recovery_database = '{name}'\n", (4, 7))


def test_named_file_is_taken(tmp_path: Path) -> None:
    assert find_conf(tmp_path / "pgpool.conf") == tmp_path / "pgpool.conf"
