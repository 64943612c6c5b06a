"""Install what Pgpool-II's online recovery calls on a server: the stock extension, or ours."""

import shlex
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from .installation import Installation
from .layout import DebianLayout
from .machine import Machine
from .postgresql import Server
from .workspace import Workspace

_STOCK_SCRIPTS = Path(__file__).with_name("stock")
_REPOSITORY = Path(__file__).resolve().parents[2]
_SYSTEM_PYTHON = "/usr/bin/python3"  # One that every user may run, unlike that of the tests.
_EXTENSION = "pgpool_recovery"
_DATABASES = ("template1", "postgres")  # Up to Pgpool-II 4.6, and from 4.7 on.


@dataclass(frozen=True)
class Product:
    """Our command, in a virtual environment that every machine of a workspace can see."""

    directory: Path

    @property
    def command(self) -> Path:
        return self.directory / "bin" / "pgpool-recovery"


def build_product(workspace: Workspace) -> Product:
    """Build the wheel and install it as a user would, with the locked dependencies; once."""
    directory = workspace.directory / "product"
    product = Product(directory)
    if product.command.exists():
        return product
    wheels = workspace.directory / "wheels"
    _run([sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(wheels)])
    _run([_SYSTEM_PYTHON, "-m", "venv", str(directory)])
    pip = [str(directory / "bin" / "python"), "-m", "pip", "install", "--quiet"]
    _run([*pip, "--require-hashes", "-r", str(_REPOSITORY / "requirements" / "runtime.txt")])
    _run([*pip, "--no-deps", *(str(wheel) for wheel in wheels.glob("*.whl"))])
    return product


def install_command(machine: Machine, product: Product) -> None:
    """Put our command on the PATH of a machine that has one of its own."""
    link = machine.path("/usr/local/bin/pgpool-recovery")
    link.unlink(missing_ok=True)
    link.symlink_to(product.command)


def install_extension(machine: Machine, installation: Installation, product: Product) -> str:
    """Install the extension's files for an installation; return what the command said."""
    pg_config = installation.program("pg_config")
    argv = [str(product.command), "install", "--pg-config", str(pg_config)]
    return machine.run(argv, user="root").stdout


def install_stage_commands(server: Server, product: Product) -> str:
    """Install the stage commands in a server's data directory, and on a primary the extension."""
    argv = [str(product.command), "install", "--data-directory", str(server.data_directory)]
    said = server.machine.run(argv).stdout
    if not server.is_in_recovery:
        create_extension(server)
    return said


def create_extension(server: Server) -> None:
    """Create the extension where any Pgpool-II looks for it."""
    for database in _DATABASES:
        server.execute(f"CREATE EXTENSION IF NOT EXISTS {_EXTENSION}", database=database)


def install_stock(server: Server, *, over_ssh: bool) -> None:
    """Install stage scripts like the stock samples, and on a primary the stock C extension.

    The scripts take the target for a directory of this machine unless `over_ssh`.
    """
    for script in sorted(_STOCK_SCRIPTS.iterdir()):
        text = f"#!/bin/bash\n{_script_settings(server, over_ssh=over_ssh)}\n{script.read_text()}"
        server.machine.write_file(server.data_directory / script.name, text, mode=0o700)
    if not server.is_in_recovery:
        create_extension(server)


def _script_settings(server: Server, *, over_ssh: bool) -> str:
    layout = server.layout
    settings = {
        "BINDIR": str(server.installation.bindir),
        "SOCKETS": str(server.machine.socket_directory),
        "LOGS": str(server.machine.log_directory),
        "OVER_SSH": "yes" if over_ssh else "no",
        "PG_CTLCLUSTER": f"{layout.major} main" if isinstance(layout, DebianLayout) else "",
    }
    return "\n".join(f"{name}={shlex.quote(value)}" for name, value in settings.items())


def _run(argv: list[str]) -> None:
    done = subprocess.run(argv, cwd=_REPOSITORY, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise RuntimeError(f"{shlex.join(argv)} failed:\n{done.stdout}{done.stderr}")
