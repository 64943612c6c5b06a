"""The programs and settings of the page, so that what is run is what can be read there."""

import itertools
import re
from pathlib import Path, PurePath

from tests.harness.cluster import Cluster

PAGE = Path(__file__).parents[2] / "docs" / "how-to" / "use-your-own-backup-tool.md"
PROGRAMS = PurePath("/usr/local/bin")
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def settings_of(name: str) -> str:
    """Return the settings that stand before the program of a recipe."""
    return _recipe(name)[0]


def program_of(name: str) -> str:
    """Return the program of a recipe, ``node-by-<name>``."""
    return _recipe(name)[1]


def _recipe(name: str) -> tuple[str, str]:
    blocks = BLOCK.findall(PAGE.read_text())
    for (kind, text), (_, following) in itertools.pairwise(blocks):
        if kind == "toml" and f"\n# {PROGRAMS}/node-by-{name}\n" in following:
            return text, following
    raise LookupError(f"{PAGE.name} has no program node-by-{name}")


def install_program(cluster: Cluster, name: str, text: str) -> PurePath:
    """Put a program on all hosts, where only root can change it, and return its path."""
    path = PROGRAMS / name
    for server in cluster.servers:
        host = cluster.host(server.node_id)
        host.write_file(path, text, owner="root", mode=0o755)
    return path
