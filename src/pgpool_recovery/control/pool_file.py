"""What pgpool.conf says, where this is the host of the Pgpool-II that was asked.

A reload does not take another host or port for a node, but another directory and application name,
and logs nothing of it (4.3 to 4.7); pcp_pool_status shows what is in force alone. So the file is
the only place where the difference can be seen.
"""

from collections.abc import Iterator, Mapping
from itertools import pairwise
from pathlib import Path

from pgpool_recovery.control.cluster import Cluster, Node
from pgpool_recovery.domain.error import Refused
from pgpool_recovery.domain.record import record
from pgpool_recovery.files.process_table import PROCESSES, process_of
from pgpool_recovery.files.text import read_text
from pgpool_recovery.install.pgpool_conf import values_of

USUAL_PLACES = (Path("/etc/pgpool-II/pgpool.conf"), Path("/etc/pgpool2/pgpool.conf"))
"""Where the packages of Enterprise Linux and of Debian start it without naming a file."""
FILE_OPTIONS = ("-f", "--config-file")
MAX_BYTES = 1 << 20
AFTER_RESTART = ("hostname", "port")
AFTER_RELOAD = ("data_directory", "application_name")


@record
class Difference:
    """A parameter of a node that is in force otherwise than the file has it."""

    file: Path
    name: str
    written: str
    in_force: str
    takes_restart: bool

    @property
    def fact(self) -> str:
        """Say both, in a part of a sentence."""
        return f"{self.file} sets {self.name} = '{self.written}', but '{self.in_force}' is in force"

    @property
    def advice(self) -> str:
        """Say how the file comes into force."""
        if self.takes_restart:
            return "Restart Pgpool-II: a reload takes no other host or port of a node."
        return "Let Pgpool-II reload the file."


def differences(cluster: Cluster, node: Node, *, table: Path = PROCESSES) -> list[Difference]:
    """Return what the file has of a node otherwise; nothing where the file cannot be found."""
    file = file_of(cluster.parameters, table=table)
    written = None if file is None else _read(file)
    if file is None or written is None:
        return []
    return list(_differences(file, written, cluster.parameters, node))


def _differences(
    file: Path, written: Mapping[str, str], in_force: Mapping[str, str], node: Node
) -> Iterator[Difference]:
    for word in (*AFTER_RESTART, *AFTER_RELOAD):
        name = f"backend_{word}{node.node_id}"
        said, used = written.get(name), in_force.get(name)
        if said is not None and used is not None and said != used:
            yield Difference(file, name, said, used, word in AFTER_RESTART)


def refuse_other_place(cluster: Cluster, node: Node) -> None:
    """Raise Refused when the file has the node on another host, at another port, or elsewhere.

    Pgpool-II would go to the host that is in force with the directory that is in force, which need
    not belong together.
    """
    found = [one for one in differences(cluster, node) if "application_name" not in one.name]
    if found:
        raise Refused(
            f"pgpool.conf has {node.name} in another place than Pgpool-II uses",
            detail="\n".join(f"{one.fact}." for one in found),
            hint=found[0].advice,
        )


def file_of(parameters: Mapping[str, str], *, table: Path = PROCESSES) -> Path | None:
    """Return the file with which Pgpool-II was started, by its process; None where it is not here.

    The pid file names the process, and its command line the file.
    """
    try:
        text = read_text(Path(parameters.get("pid_file_name") or "/nonexistent"))
        pid = int(text.rstrip("\0\n"))  # Pgpool-II writes the NUL as well.
    except (OSError, ValueError):
        return None
    words = process_of(pid, table).words
    if not words or Path(words[0]).name != "pgpool":
        return None
    named = [Path(after) for word, after in pairwise(words) if word in FILE_OPTIONS]
    candidates = named or [place for place in USUAL_PLACES if place.is_file()]
    return candidates[0] if len(candidates) == 1 and candidates[0].is_absolute() else None


def _read(file: Path) -> dict[str, str] | None:
    """Return what the file sets; None when it cannot be read, or is not all of it."""
    try:
        text = read_text(file, MAX_BYTES)
    except OSError:
        return None
    values = values_of(text)
    return None if any(name.startswith("include") for name in values) else values
