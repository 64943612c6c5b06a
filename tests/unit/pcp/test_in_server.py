"""The client as in PL/Python: all modules in one function body, run by Python 3.6."""

import ast
import json
import shutil
import subprocess
import sys
from pathlib import Path

import build
import pytest

from pgpool_recovery.pcp import client
from tests.unit.pcp.byte_server import answering, byte_server
from tests.unit.pcp.conversation import PASSWORD
from tests.unit.pcp.node_streams import NODE_STREAMS
from tests.unit.pcp.stream import one, rows

MODULES = Path(client.__file__).parent
CALL = """return [
    node_info(PcpServer(PcpAddress(directory), "pgpool", PasswordDigest(md5)), 1),
    node_count(PcpServer(PcpAddress(directory), "pgpool", PasswordDigest(md5))),
]"""


@pytest.fixture
def body() -> str:
    return build.assemble(build.in_order("commands"), CALL)


def oldest_python() -> str:
    """Return Python 3.6 if it is installed, else this Python; vermin checks for the rest."""
    found = shutil.which("python3.6")
    # It may only be a link to a tool that chooses among installed ones.
    if found and subprocess.run([found, "-c", ""], capture_output=True).returncode == 0:
        return found
    return sys.executable


def test_body_of_a_function_asks_a_server(tmp_path: Path, body: str) -> None:
    function = "def asked(directory, md5):\n\t" + body.replace("\n", "\n\t")
    call = f"print(__import__('json').dumps(asked({str(tmp_path)!r}, {PASSWORD._md5!r})))"
    program = tmp_path / "program.py"
    program.write_text(f"{function}\n\n{call}\n")
    turns = [
        answering("I", b"1\0", rows("i", "NodeInfo", NODE_STREAMS[-1].fields)),
        answering("L", b"", one("l", 2)),
    ]
    with byte_server(tmp_path, *turns):
        argv = [oldest_python(), "-I", str(program)]
        done = subprocess.run(argv, capture_output=True, text=True)
        assert done.stderr == ""
    info, count = json.loads(done.stdout)
    assert (info[1], info[3], count) == ("server1", "down", 2)


def names(path: Path) -> set[str]:
    """Return the names that a module defines, including annotated ones."""
    found = set()
    for node in ast.parse(path.read_text()).body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            found.add(node.name)
        targets = node.targets if isinstance(node, ast.Assign) else []
        targets = [node.target] if isinstance(node, ast.AnnAssign) else targets
        found |= {target.id for target in targets if isinstance(target, ast.Name)}
    return found


def test_no_name_is_defined_twice_nor_by_what_reports_outcomes() -> None:
    """Bodies are assembled from these modules and from `outcome` of the extension."""
    own = [path for path in MODULES.glob("*.py") if path.name != "__init__.py"]
    extension = Path(build.HERE, "python", "pgpool_recovery_server", "outcome.py")
    defined: dict[str, str] = {}
    for path in (extension, *own):
        for name in names(path):
            assert name not in defined, f"{name}: {defined.get(name)} and {path.name}"
            defined[name] = path.name
