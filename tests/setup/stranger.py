"""A person on the host of Pgpool-II who knows nothing but the first page."""

import re
import shlex
from dataclasses import dataclass
from pathlib import Path

from tests.harness.cluster import Cluster
from tests.harness.command import Completed

from .plan import ADMIN

_README = Path(__file__).parents[2] / "README.md"
_SECTION = re.compile(r"^## Put it onto a running cluster\n(.*?)^## ", re.MULTILINE | re.DOTALL)
_BLOCK = re.compile(r"^```sh\n(.*?)^```", re.MULTILINE | re.DOTALL)
_PLACE = f"/home/{ADMIN}/packages"
_WITHIN_S = 600


def documented() -> list[str]:
    """Return the commands of the page's section, in their order, without their comments."""
    [section] = _SECTION.findall(_README.read_text())
    lines = [line for block in _BLOCK.findall(section) for line in block.splitlines()]
    return [line.partition("   #")[0].strip() for line in lines]


@dataclass(frozen=True)
class Stranger:
    """The user `admin` in the directory of the packages, or root if nobody else can log in."""

    cluster: Cluster
    debs: Path
    user: str = ADMIN

    def __post_init__(self) -> None:
        machine = self.cluster.pgpool.machine
        machine.make_directory(_PLACE, owner=self.user)
        machine.run(["cp", *map(str, sorted(self.debs.glob("*.deb"))), _PLACE], user=self.user)

    def types(self, command: str, *, answers: str = "y\n", check: bool = True) -> Completed:
        """Run a command of a shell on a terminal, where `answers` are typed."""
        argv = ["script", "--quiet", "--return", "--command", command, "/dev/null"]
        env = {"TERM": "xterm", "COLUMNS": "120"}
        return self.cluster.pgpool.machine.run(
            argv,
            user=self.user,
            stdin=answers,
            env=env,
            cwd=_PLACE,
            timeout_s=_WITHIN_S,
            check=check,
        )

    def setup(self, *words: str, check: bool = True) -> Completed:
        """Run setup without a terminal, as root."""
        command = shlex.join(["sudo", "pgpool-recovery", "setup", *words])
        if self.user == "root":
            command = command.removeprefix("sudo ")
        return self.cluster.pgpool.machine.run(
            ["sh", "-c", command], user=self.user, cwd=_PLACE, timeout_s=_WITHIN_S, check=check
        )

    def install(self) -> None:
        """Install the command on the host of Pgpool-II."""
        sudo = "" if self.user == "root" else "sudo "
        self.types(f"{sudo}apt-get install --yes ./pgpool-recovery_*.deb")
