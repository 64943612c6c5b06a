"""A node that the samples never recovered gets the line by which their file counts."""

import os
import pwd
from pathlib import Path
from typing import Any

import pytest

from pgpool_recovery.domain.record import replace
from pgpool_recovery.setup.decide import decide
from pgpool_recovery.setup.need import Need, needs_of
from pgpool_recovery.setup.probe import answered
from pgpool_recovery.setup.script import in_main, script
from tests.unit.setup.stock import BACKENDS, around, host, node, ready
from tests.unit.setup.test_script import run

MAIN = "/etc/postgresql/15/main/postgresql.conf"
LACKS: dict[str, Any] = {"includes": False, "settings": {"config_file": MAIN}}


def includes(*hosts: Any) -> list[Need]:
    return [one for one in needs_of(decide(around(*hosts))) if "-include-" in one.name]


def test_where_another_node_includes_it() -> None:
    (need,) = includes(ready(0, **LACKS), ready(1, includes=True), ready(2, includes=True))
    assert (need.host, need.name) == ("server1", "21-include-0")


def test_where_the_samples_are_called() -> None:
    (need,) = includes(host(0, node(0, **LACKS)), host(1), host(2))
    assert need.what.startswith(f"{MAIN} does not include ")


def test_not_where_nobody_uses_the_samples() -> None:
    assert includes(ready(0, **LACKS), ready(1), ready(2)) == []


def test_not_where_it_cannot_be_added_or_is_there() -> None:
    found = [(0, None), (1, True), (2, True)]
    assert (
        includes(*(host(one, node(one, **LACKS | {"includes": each})) for one, each in found)) == []
    )


@pytest.mark.parametrize(("said", "found"), [("yes", True), ("no", False), (None, None)])
def test_host_says_whether_it_is_there(said: str | None, found: bool | None) -> None:  # noqa: FBT001
    output = "node.0.state\trunning\n" + ("" if said is None else f"node.0.includes\t{said}\n")
    assert answered("server1", BACKENDS[:1], output, "test").nodes[0].includes is found


@pytest.fixture
def data(tmp_path: Path) -> Path:
    made = tmp_path / "da ta"
    made.mkdir()
    (tmp_path / "postgresql.conf").write_text("port = 5432")
    return made


def need_for(data: Path) -> Need:
    main = str(data.parent / "postgresql.conf")
    me = pwd.getpwuid(os.geteuid()).pw_name
    backend = replace(BACKENDS[0], data_directory=str(data))
    lacking = node(0, includes=False, settings={"config_file": main}, owner=me)
    (need,) = includes(host(0, replace(lacking, backend=backend)), host(1), host(2))
    return need


def test_line_is_added_once_and_removed(data: Path) -> None:
    need, main = need_for(data), data.parent / "postgresql.conf"
    run(script([need]), data.parent / "records")
    assert main.read_text() == (f"port = 5432\ninclude_if_exists = '{data}/myrecovery.conf'\n")
    assert "there already" in run(script([need]), data.parent / "records")
    (data / "myrecovery.conf").touch()  # As on a primary that was a standby once.
    run(in_main("\n".join(need.undo)), data.parent / "records")
    assert main.read_text() == "port = 5432\n"


def test_line_that_a_standby_needs_stays(data: Path) -> None:
    need, main = need_for(data), data.parent / "postgresql.conf"
    run(script([need]), data.parent / "records")
    for name in ("myrecovery.conf", "standby.signal"):
        (data / name).touch()
    said = run(in_main("\n".join(need.undo)), data.parent / "records")
    assert said.startswith(f"{main}: the line for {data}/myrecovery.conf stays")
    assert main.read_text().endswith("myrecovery.conf'\n")
