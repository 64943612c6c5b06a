"""pipx installs the release as documented, from its directory alone."""

import os
import re
import shlex
import shutil
import subprocess
from pathlib import Path

import pytest

from pgpool_recovery import __version__
from tests.harness.product import Product
from tests.harness.workspace import Workspace

PAGE = Path(__file__).parents[2] / "docs" / "how-to" / "other-ways.md"
NOWHERE = {
    "PIP_INDEX_URL": "http://127.0.0.1:9/",
    "PIP_NO_INDEX": "1",
    "PIP_CONFIG_FILE": os.devnull,
}


@pytest.mark.skipif(shutil.which("pipx") is None, reason="pipx is not installed")
def test_documented_command(workspace: Workspace, product: Product) -> None:
    section = PAGE.read_text().partition("\n## pipx\n")[2].partition("\n## ")[0]
    [block] = re.findall(r"^```sh\n(.*?)^```", section, re.MULTILINE | re.DOTALL)
    install, check = block.splitlines()
    host = workspace.make_new("host-")
    shutil.copytree(workspace.directory / "wheels", host / "wheels")
    places = {"/opt/pipx": f"{host}/opt", "/usr/local/bin": f"{host}/bin"}
    for documented, place in places.items():
        install, check = (words.replace(documented, place) for words in (install, check))
    run(install.removeprefix("sudo "), host)
    assert run(check.removeprefix("sudo -u postgres "), host) == f"{__version__}\n"
    command = (host / "bin" / "pgpool-recovery").resolve()
    assert command == host / "opt" / "venvs" / "pgpool-recovery" / "bin" / "pgpool-recovery"


def run(command: str, directory: Path) -> str:
    return subprocess.run(
        shlex.split(command),
        cwd=directory,
        env={**os.environ, **NOWHERE},
        capture_output=True,
        text=True,
        check=True,
        timeout=240,
    ).stdout
