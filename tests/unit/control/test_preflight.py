"""The way to the stages: what is refused before Pgpool-II is asked, and when nothing is."""

from dataclasses import replace

import pytest

from pgpool_recovery.control.cluster import Node, SqlLogin
from pgpool_recovery.control.extension import Primary
from pgpool_recovery.control.preflight import refuse_way
from pgpool_recovery.domain.error import Refused
from pgpool_recovery.domain.node import NodeId
from tests.unit.cli import facts

NOBODY_LISTENS = Node(NodeId(0), "127.0.0.1", 1, "/data")
PRIMARY = Primary(NOBODY_LISTENS, SqlLogin("postgres", ("postgres",), 2, 2), ())


def ask(parameters: dict[str, str], *, has_standbys: bool = True) -> None:
    cluster = replace(facts.cluster(), has_standbys=has_standbys, parameters=parameters)
    refuse_way(PRIMARY, cluster)


@pytest.mark.parametrize("command", ["", "/usr/local/bin/first.sh", ".."])
def test_command_that_is_no_plain_name(command: str) -> None:
    with pytest.raises(Refused, match=r'recovery_1st_stage_command is ".*" in pgpool\.conf'):
        ask({"recovery_1st_stage_command": command})


def test_second_stage_counts_where_there_is_one() -> None:
    commands = {
        "recovery_1st_stage_command": "recovery_1st_stage",
        "recovery_2nd_stage_command": "/second.sh",
    }
    ask(commands)
    with pytest.raises(Refused, match="recovery_2nd_stage_command"):
        ask(commands, has_standbys=False)


def test_primary_that_refuses_our_login() -> None:
    """Pgpool-II may be able to connect where this host is not, so nothing is refused."""
    ask({"recovery_1st_stage_command": "recovery_1st_stage"})
