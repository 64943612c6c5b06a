"""Compare pgpool.conf with what is in force, if this is the host of the Pgpool-II.

A reload ignores a changed host or port of a node, but applies a changed directory or application
name, and it logs neither (4.3 to 4.7). pcp_pool_status shows only what is in force, so the
difference can be seen in the file only.
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
"""The files of the packages of Enterprise Linux and Debian, which start Pgpool-II without -f."""
FILE_OPTIONS = ("-f", "--config-file")
MAX_BYTES = 1 << 20
AFTER_RESTART = ("hostname", "port")
AFTER_RELOAD = ("data_directory", "application_name")


@record
class Difference:
    """A parameter of a node whose value in force differs from the one in the file."""

    file: Path
    name: str
    written: str
    in_force: str
    takes_restart: bool

    @property
    def fact(self) -> str:
        """Both values, as a part of a sentence."""
        return f"{self.file} sets {self.name} = '{self.written}', but '{self.in_force}' is in force"

    @property
    def advice(self) -> str:
        """How the file takes effect."""
        if self.takes_restart:
            return "Restart Pgpool-II: a reload does not change the host or port of a node."
        return "Reload Pgpool-II."


def differences(cluster: Cluster, node: Node, *, table: Path = PROCESSES) -> list[Difference]:
    """Return where the file differs for a node; nothing if the file cannot be found or read."""
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
    """Raise Refused if the file has another host, port or directory for the node.

    Pgpool-II would use the host in force with the directory in force, which need not belong
    together.
    """
    found = [one for one in differences(cluster, node) if "application_name" not in one.name]
    if found:
        raise Refused(
            f"pgpool.conf has another place for {node.name} than the one that Pgpool-II uses",
            detail="\n".join(f"{one.fact}." for one in found),
            hint=found[0].advice,
        )


def file_of(parameters: Mapping[str, str], *, table: Path = PROCESSES) -> Path | None:
    """Return the file with which Pgpool-II was started; None if it is not on this host.

    The pid file names the process, and the command line of the process names the file.
    """
    try:
        text = read_text(Path(parameters.get("pid_file_name") or "/nonexistent"))
        pid = int(text.rstrip("\0\n"))  # Pgpool-II also writes a NUL.
    except (OSError, ValueError):
        return None
    words = process_of(pid, table).words
    if not words or Path(words[0]).name != "pgpool":
        return None
    named = [Path(after) for word, after in pairwise(words) if word in FILE_OPTIONS]
    candidates = named or [place for place in USUAL_PLACES if place.is_file()]
    return candidates[0] if len(candidates) == 1 and candidates[0].is_absolute() else None


def _read(file: Path) -> dict[str, str] | None:
    """Return what the file sets; None if it cannot be read, or if it includes other files."""
    try:
        text = read_text(file, MAX_BYTES)
    except OSError:
        return None
    values = values_of(text)
    return None if any(name.startswith("include") for name in values) else values
