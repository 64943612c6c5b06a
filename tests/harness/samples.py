"""Pgpool-II's own sample scripts from its package, with only their variables filled in."""

import re
from collections.abc import Mapping
from pathlib import Path

from .machine import Machine
from .pgpool import Pgpool
from .pgpool_configuration import PCP_USER
from .postgresql import Server
from .template import REPLICATION_USER

EXAMPLES = Path("usr/share/doc/pgpool2/examples")
STAGES = ("recovery_1st_stage", "pgpool_remote_start")
FAILOVER_WORDS = "%d %h %p %D %m %H %M %P %r %R %N %S"
FOLLOW_WORDS = "%d %h %p %D %m %H %M %P %r %R"
"""As the sample pgpool.conf has them."""
KEY = "id_ed25519"


def why_no_samples(machine_root: Path) -> str | None:
    """Return why a system has no samples, or None."""
    sample = machine_root / EXAMPLES / "follow_primary.sh.sample"
    return None if sample.exists() else f"{sample} is not there"


def sample(name: str, server: Server, pgpool: Pgpool) -> str:
    """Return the text of a sample for the systems of a cluster."""
    home = str(server.machine.home)
    values = {
        "PGHOME": str(server.installation.bindir.parent),
        "ARCHIVEDIR": f"{home}/archivedir",
        "REPLUSER": REPLICATION_USER,
        "PCP_USER": PCP_USER,
        "PGPOOL_PATH": "/usr/sbin",
        "PCP_PORT": str(pgpool.place.pcp_port),
        "SSH_KEY_FILE": KEY,
    }
    return filled_in(name, pgpool.machine.system.root, values, home)


def filled_in(name: str, root: Path, values: Mapping[str, str], home: str) -> str:
    """Return the text of a system's sample with these values of its variables."""
    text = (root / EXAMPLES / f"{name}.sample").read_text()
    for variable, value in values.items():
        text = re.sub(rf"^{variable}=.*$", f"{variable}={value}", text, flags=re.MULTILINE)
    return text.replace("/var/lib/pgsql", home)


def install_sample_stage(name: str, server: Server, pgpool: Pgpool) -> None:
    """Put a stage script of the samples into a data directory."""
    text = sample(name, server, pgpool)
    server.machine.write_file(server.data_directory / name, text, mode=0o755)


def write_sample_hook(name: str, place: Path, server: Server, pgpool: Pgpool) -> None:
    """Write failover.sh or follow_primary.sh on the host of Pgpool-II."""
    _write(pgpool.machine, place, sample(name, server, pgpool))


def _write(machine: Machine, place: Path, text: str) -> None:
    machine.write_file(place, text, mode=0o755)
