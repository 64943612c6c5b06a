"""Install what Pgpool-II's online recovery calls on a server: the stock extension, or ours."""

import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from .host import Host
from .installation import Installation
from .layout import DebianLayout
from .local_host import LocalHost
from .machine import Machine
from .postgresql import Server
from .switch import NetworkAddress
from .system import OWN_SYSTEM, System
from .workspace import Workspace

_STOCK_SCRIPTS = Path(__file__).with_name("stock")
_STAND_IN = Path(__file__).with_name("stand_in.sql")
_REPOSITORY = Path(__file__).resolve().parents[2]
_LOCKED = _REPOSITORY / "requirements" / "runtime.txt"
_SYSTEM_PYTHON = "/usr/bin/python3"  # One that every user may run, unlike the tests' own.
_OUR_WHEEL = "pgpool_recovery-*.whl"
_PIP_WITHIN_S = 300
_EXTENSION = "pgpool_recovery"
_DATABASES = ("template1", "postgres")  # Up to Pgpool-II 4.6, and from 4.7 on.
_STOCK_FUNCTION = """
CREATE SCHEMA IF NOT EXISTS stock;
CREATE OR REPLACE FUNCTION
    stock.pgpool_recovery(text, text, text, text, integer, text, text) RETURNS bool
    LANGUAGE C STRICT AS '$libdir/pgpool-recovery', 'pgpool_recovery'
"""


@dataclass(frozen=True)
class Product:
    """Our command, in a virtual environment that every machine of a workspace can see.

    Each system has its own, with its own Python, made on first use.
    """

    workspace: Workspace

    @property
    def command(self) -> Path:
        """The command for this machine's own system."""
        return self.command_on(OWN_SYSTEM)

    def command_on(self, system: System) -> Path:
        """Return the command for the machines that run a system."""
        directory = self.workspace.directory / f"product-{system.name}"
        command = directory / "bin" / "pgpool-recovery"
        if not command.exists():
            _install(self.workspace, system, directory)
        return command


def build_product(workspace: Workspace, source: Path = _REPOSITORY) -> Product:
    """Build the wheel and install it as a user would, with the locked dependencies; once.

    `source`: a checkout, also one of an earlier build, which then has a workspace of its own.
    """
    build_wheels(workspace, source)
    product = Product(workspace)
    product.command_on(OWN_SYSTEM)
    return product


def build_wheels(workspace: Workspace, source: Path = _REPOSITORY) -> Path:
    """Build our wheel, once, beside those that it needs; return their directory."""
    wheels = workspace.make("wheels")
    if not list(wheels.glob(_OUR_WHEEL)):
        locked = source / _LOCKED.relative_to(_REPOSITORY)
        shutil.copy(locked, wheels)
        pip = [sys.executable, "-m", "pip", "download", "--quiet", "--require-hashes"]
        # All of them are pure Python, so what fits this Python fits every system's.
        _run([*pip, "--only-binary", ":all:", "-r", str(locked), "-d", str(wheels)])
        build = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(wheels)]
        _run(build, source)
    return wheels


def install_command(machine: Machine, product: Product) -> None:
    """Put our command on the PATH of a machine that has its own /usr/local/bin."""
    link = machine.path("/usr/local/bin/pgpool-recovery")
    link.unlink(missing_ok=True)
    link.symlink_to(product.command_on(machine.system))


def install_extension(machine: Machine, installation: Installation, product: Product) -> str:
    """Install the extension's files for an installation; return what the command said."""
    pg_config = installation.program("pg_config")
    argv = [str(product.command_on(machine.system)), "install", "--pg-config", pg_config]
    return machine.run(argv, user="root").stdout


def install_stage_commands(server: Server, product: Product) -> str:
    """Install the stage commands in a server's data directory, and on a primary the extension."""
    command = str(product.command_on(server.machine.system))
    argv = [command, "install", "--data-directory", str(server.data_directory)]
    said = server.machine.run(argv).stdout
    if not server.is_in_recovery:
        create_extension(server)
    return said


def create_extension(server: Server) -> None:
    """Create the extension in each database where a Pgpool-II release may look for it.

    In a server without PL/Python, functions that run the stage commands take its place.
    """
    for database in _DATABASES:
        if has_plpython(server):
            server.execute(f"CREATE EXTENSION IF NOT EXISTS {_EXTENSION}", database=database)
        else:
            server.execute(_STAND_IN.read_text(), database=database)


def has_plpython(server: Server) -> bool:
    """Return whether a server can have our extension; the 14 of `make systems` cannot."""
    return server.sql("SELECT 1 FROM pg_available_extensions WHERE name = 'plpython3u'") != []


def create_stock_function(server: Server) -> None:
    """Create the stock C function of seven arguments, in a schema of its own beside ours."""
    server.execute(_STOCK_FUNCTION)


def install_stock(server: Server, *, over_ssh: bool, spread_checkpoint: bool = False) -> None:
    """Install stage scripts like the stock samples, and on a primary the stock C extension.

    Without `over_ssh`, the scripts treat the target as a directory of this machine. With
    `spread_checkpoint`, the copy waits for a spread checkpoint, as in the samples; otherwise it
    begins at once.
    """
    settings = _script_settings(server, over_ssh=over_ssh, spread_checkpoint=spread_checkpoint)
    for script in sorted(_STOCK_SCRIPTS.iterdir()):
        text = f"#!/bin/bash\n{settings}\n{script.read_text()}"
        server.machine.write_file(server.data_directory / script.name, text, mode=0o700)
    if not server.is_in_recovery:
        create_extension(server)


def _script_settings(server: Server, *, over_ssh: bool, spread_checkpoint: bool) -> str:
    layout = server.layout
    settings = {
        "BINDIR": str(server.installation.bindir),
        "SOCKETS": str(server.machine.socket_directory),
        "LOGS": str(server.machine.log_directory),
        "OVER_SSH": "yes" if over_ssh else "no",
        "SPREAD_CHECKPOINT": "yes" if spread_checkpoint else "no",
        "PG_CTLCLUSTER": f"{layout.major} main" if isinstance(layout, DebianLayout) else "",
    }
    return "\n".join(f"{name}={shlex.quote(value)}" for name, value in settings.items())


def _install(workspace: Workspace, system: System, directory: Path) -> None:
    """Install the wheels with a system's own Python and pip, which need no network for it."""
    wheels = workspace.directory / "wheels"
    [ours] = wheels.glob(_OUR_WHEEL)
    pip = [f"{directory}/bin/python", "-m", "pip", "install", "--quiet", "--no-index"]
    locked = ["--find-links", str(wheels), "--require-hashes", "-r", f"{wheels}/{_LOCKED.name}"]
    with _any_machine(workspace, system) as machine:
        for argv in (
            [_SYSTEM_PYTHON, "-m", "venv", str(directory)],
            [*pip, *locked],
            [*pip, "--no-deps", str(ours)],
        ):
            machine.run(argv, user="root", timeout_s=_PIP_WITHIN_S)


@contextmanager
def _any_machine(workspace: Workspace, system: System) -> Iterator[Machine]:
    """A machine that runs a system, for as long as something is installed."""
    if system == OWN_SYSTEM:
        with LocalHost(workspace) as local_host:
            yield local_host
    else:
        with Host("builder", NetworkAddress(1), system=system) as host:
            host.boot()
            yield host


def _run(argv: list[str], directory: Path = _REPOSITORY) -> None:
    done = subprocess.run(argv, cwd=directory, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise RuntimeError(f"{shlex.join(argv)} failed:\n{done.stdout}{done.stderr}")
