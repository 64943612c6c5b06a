"""Whoever types what the tutorial says sees what it shows, and has nothing left at the end.

Its commands are run in the order of the page, in one shell of user postgres, on a machine of its
own. With the environment variable PGPOOL_RECOVERY_WRITE_GOLDEN, the outputs are written into the
page again.
"""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.harness.host import Host
from tests.harness.network import Network
from tests.harness.product import Product, install_command, install_extension
from tests.harness.system import System, system_with
from tests.harness.workspace import Workspace
from tests.majors import in_whole_matrix, needs_postgresql
from tests.pages.page import Block, blocks, shape, with_outputs

PAGE = Path(__file__).parents[2] / "docs" / "tutorial" / "first-recovery.md"
BLOCKS = blocks(PAGE.read_text())
TYPED = [block for block in BLOCKS if not block.is_for_root]
SHOWN = 15
"""The major version whose output the page shows."""
WRITES = bool(os.environ.get("PGPOOL_RECOVERY_WRITE_GOLDEN"))
COMMAND = "/usr/bin/pgpool-recovery"
"""Where the packages have it; the tests of the packages are in tests/packages."""
OUTPUT = "/tmp/output"
DONE = "=== done {} ===\n"
WITHIN_S = 400

pytestmark = pytest.mark.timeout(WITHIN_S + 200)


@dataclass(frozen=True)
class Followed:
    """What each block of the page wrote, by its commands, and what was there before and after."""

    outputs: dict[str, str]
    before: set[str]
    after: set[str]
    programs: set[str]


@pytest.fixture(
    scope="module",
    params=[
        pytest.param(SHOWN, marks=needs_postgresql(SHOWN)),
        *(pytest.param(major, marks=in_whole_matrix(major)) for major in (17, 18)),
    ],
)
def major(request: pytest.FixtureRequest) -> int:
    assert isinstance(request.param, int)
    return request.param


@pytest.fixture(scope="module")
def followed(
    major: int, workspace: Workspace, product: Product, namespaces: None
) -> Iterator[Followed]:
    """Follow the page to its end."""
    system = system_with(major)
    with Network(["machine"], systems={"machine": system}) as network:
        machine = network.host("machine")
        installs(machine, system, product, major)
        before = files(machine)
        programs = {process.argv[0] for process in machine.processes() if process.argv}
        outputs = types(machine, str(product.command_on(system)))
        started = {process.argv[0] for process in machine.processes() if process.argv}
        yield Followed(outputs, before, files(machine), started - programs)


def installs(machine: Host, system: System, product: Product, major: int) -> None:
    """Do what the blocks with sudo do, with our wheel in place of packages."""
    install_command(machine, product)
    install_extension(machine, system.installation(major), product)


def types(machine: Host, command: str) -> dict[str, str]:
    """Run the commands of user postgres; return what each block wrote.

    A command that fails ends all of it. Output goes to a file, since servers hold it open.
    """
    marked = "".join(
        f"{block.commands}printf %s '{DONE.format(number)}'\n" for number, block in enumerate(TYPED)
    )
    script = f"exec >{OUTPUT} 2>&1\nset -e\n{marked}"
    done = machine.run(["bash", "-c", script], cwd=machine.home, timeout_s=WITHIN_S, check=False)
    output = machine.path(OUTPUT)
    text = output.read_text().replace(command, COMMAND)
    output.unlink()
    assert done.returncode == 0, text
    outputs = {}
    for number, block in enumerate(TYPED):
        outputs[block.commands], _, text = text.partition(DONE.format(number))
    return outputs


def files(machine: Host) -> set[str]:
    """Return what is in the home directory of postgres, and where servers have their sockets."""
    places = (machine.home, Path("/tmp"), Path("/run/postgresql"))
    return {str(file) for place in places for file in machine.path(place).rglob("*")}


def test_only_the_installation_is_done_by_root() -> None:
    headings = [block.heading for block in BLOCKS if block.is_for_root]
    assert headings == ["Install", "Install", "Clean up"]
    assert len(TYPED) > 10


@pytest.mark.parametrize("block", TYPED, ids=lambda block: block.commands.splitlines()[0][:60])
def test_output_is_what_the_page_shows(block: Block, followed: Followed, major: int) -> None:
    if WRITES and major == SHOWN:
        PAGE.write_text(with_outputs(PAGE.read_text(), followed.outputs))
    elif block.output is not None and major == SHOWN:
        assert shape(followed.outputs[block.commands]) == shape(block.output)


def test_each_loss_has_its_own_method(followed: Followed) -> None:
    """On every major that the tests have, though its other words may differ."""
    [history] = [text for commands, text in followed.outputs.items() if "history" in commands]
    rows = [line.split() for line in history.splitlines()[1:]]
    methods = [row[6] for row in rows if row[-1] == "recovered"]
    assert methods == ["rewind", "catch-up", "basebackup"]


def test_nothing_is_left_at_the_end(followed: Followed) -> None:
    assert followed.after - followed.before == set()
    assert followed.programs == set()
