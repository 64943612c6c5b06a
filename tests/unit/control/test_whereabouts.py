"""A node whose data directory differs from that of its last recovery."""

from dataclasses import replace

import pytest

from pgpool_recovery.control.whereabouts import moved
from tests.unit.cli import facts

NODE = replace(facts.NODES[2], data_directory="/var/lib/postgresql/dta")


def test_slip_in_pgpool_conf() -> None:
    last = {"id": 158, "host": "server2", "data_directory": "/var/lib/postgresql/data"}
    assert moved(NODE, last) == (
        "node 2 was at server2:/var/lib/postgresql/data in recovery 158, and is at "
        "/var/lib/postgresql/dta now"
    )


@pytest.mark.parametrize("spelt", ["/var/lib/postgresql/dta", "/var/lib/postgresql//dta/"])
def test_same_directory_however_it_is_spelt(spelt: str) -> None:
    assert moved(NODE, {"id": 1, "host": "elsewhere", "data_directory": spelt}) is None
