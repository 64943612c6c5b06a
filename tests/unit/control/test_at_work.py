"""What is running, by the processes of a host: a change of the primary has to wait for it."""

from dataclasses import replace
from pathlib import Path

import pytest

from pgpool_recovery.control.at_work import follow_words, refuse_while_nodes_follow
from pgpool_recovery.domain.error import Busy
from pgpool_recovery.domain.node import NodeId
from pgpool_recovery.hooks.call import WORDS
from tests.unit.cli import facts
from tests.unit.cli.facts import info

OURS = f"/usr/local/bin/pgpool-recovery follow_primary {WORDS}"
UP, DOWN = (info(0, "up", "primary"), info(1, "up", "standby")), info(2, "down", "standby")


def processes(directory: Path, *argvs: list[str]) -> Path:
    for pid, argv in enumerate(argvs):
        (directory / str(pid)).mkdir()
        (directory / str(pid) / "cmdline").write_bytes("".join(f"{w}\0" for w in argv).encode())
    return directory


@pytest.mark.parametrize(
    ("command", "words"),
    [
        (OURS, ("/usr/local/bin/pgpool-recovery", "follow_primary")),
        ("/etc/pgpool2/follow_primary.sh %d %h", ("/etc/pgpool2/follow_primary.sh",)),
        ("", ()),
        ("it's %d", ()),
    ],
)
def test_words_of_a_command(command: str, words: tuple[str, ...]) -> None:
    assert follow_words({"follow_primary_command": command}) == words


def test_follow_primary_that_runs(tmp_path: Path) -> None:
    found = replace(facts.cluster(*UP, DOWN), parameters={"follow_primary_command": OURS})
    call = ["/opt/bin/python", "/usr/local/bin/pgpool-recovery", "follow_primary", "2", "a"]
    host = processes(tmp_path, ["/usr/bin/sleep", "1"], call)
    with pytest.raises(Busy, match="node 1 cannot be promoted now"):
        refuse_while_nodes_follow(found, found.node(NodeId(1)), processes=host)
    all_up = replace(found, infos=UP)
    refuse_while_nodes_follow(all_up, found.node(NodeId(1)), processes=host)


def test_other_command_of_ours(tmp_path: Path) -> None:
    found = replace(facts.cluster(*UP, DOWN), parameters={"follow_primary_command": OURS})
    host = processes(tmp_path, ["python", "/usr/local/bin/pgpool-recovery", "watch", "2"])
    refuse_while_nodes_follow(found, found.node(NodeId(1)), processes=host)
