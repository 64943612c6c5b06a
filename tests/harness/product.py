"""Install what Pgpool-II's online recovery calls on a server: the stock extension, or ours."""

import shlex
from pathlib import Path

from .layout import DebianLayout
from .postgresql import Server

_STOCK_SCRIPTS = Path(__file__).with_name("stock")
_STOCK_EXTENSION = "pgpool_recovery"


def install_stock(server: Server, *, over_ssh: bool) -> None:
    """Install stage scripts like the stock samples, and on a primary the stock C extension.

    The extension goes to template1, where Pgpool-II up to 4.6 looks for it, and to postgres,
    which is the default of 4.7. The scripts take the target for a directory of this machine
    unless `over_ssh`.
    """
    for script in sorted(_STOCK_SCRIPTS.iterdir()):
        text = f"#!/bin/bash\n{_script_settings(server, over_ssh=over_ssh)}\n{script.read_text()}"
        server.machine.write_file(server.data_directory / script.name, text, mode=0o700)
    if not server.is_in_recovery:
        for database in ("template1", "postgres"):
            server.execute(f"CREATE EXTENSION IF NOT EXISTS {_STOCK_EXTENSION}", database=database)


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
