"""What a cluster's hosts and databases are like, to compare before and after.

Everything counts that a person could find later: files, packages, diversions, roles, extensions,
slots. What changes by itself does not: logs, caches, and what a running server has in its data
directory, of which only the names, and the text files, are compared.
"""

import difflib
import hashlib
import os
import stat
from collections.abc import Iterator, Mapping
from pathlib import Path

from tests.harness.cluster import Cluster
from tests.harness.host import Host
from tests.harness.postgresql import Server
from tests.harness.system import OWN_SYSTEM

Trace = Mapping[str, str]
"""What is at each place, as text: of a small text file the whole text."""

_ROOTS = ("/etc", "/home", "/opt", "/root", "/tmp", "/var")
"""Not /srv: no package writes there, and hosts see what this machine's users do."""
_PROGRAMS = "/usr"
_CHANGED_PROGRAMS = "/run/.private/usr/upper"  # Of a host that runs this machine's own system.
_OF_SUDO = ".sudo_as_admin_successful"
_BY_NAME = "/var/lib/dpkg/info"
_CHANGES_BY_ITSELF = (
    "/etc/ld.so.cache",
    "/var/cache",
    "/var/lib/apt/lists",
    "/var/lib/dpkg/available",
    "/var/lib/dpkg/diversions-old",
    "/var/lib/dpkg/lock",
    "/var/lib/dpkg/lock-frontend",
    "/var/lib/dpkg/status",  # The packages are compared, not the order of the paragraphs.
    "/var/lib/dpkg/status-old",
    "/var/lib/dpkg/statoverride-old",
    "/var/lib/dpkg/triggers",
    "/var/lib/postgresql/archivedir",
    "/var/lib/sudo",
    "/var/log",
    "/var/tmp",  # It is the one directory that hosts share.
    str(Path(__file__).resolve().parents[2]),  # The checkout, where other tests build.
)
_READABLE_BYTES = 1 << 16
_EXTENSIONS = """
SELECT extname, extversion, nspname FROM pg_extension e JOIN pg_namespace n ON n.oid = extnamespace
 ORDER BY 1
"""
_NOT_SCHEMA = ("--", "\\restrict", "\\unrestrict")  # The key of \restrict is a random one.


def trace_of(cluster: Cluster) -> Trace:
    """Return the trace of all hosts, and of the primary's databases."""
    data = {str(server.data_directory) for server in cluster.servers}
    hosts = [*map(cluster.host, range(len(cluster.servers))), cluster.pgpool.machine]
    found: dict[str, str] = {}
    for host in hosts:
        assert isinstance(host, Host)
        found |= {f"{host.name}:{place}": what for place, what in _host(host, data)}
    found |= {f"primary {place}": what for place, what in _databases(cluster.primary)}
    for server in cluster.servers:
        if server.is_running:
            found |= {f"{server.machine.name} slot {name}": "" for name in server.slots()}
    return found


def differences(before: Trace, after: Trace) -> list[str]:
    """Return a line for each place that differs, with what differs in a text."""
    places = sorted({place for place, _ in before.items() ^ after.items()})
    return [_difference(place, before.get(place), after.get(place)) for place in places]


def _difference(place: str, before: str | None, after: str | None) -> str:
    if before is None:
        return f"+ {place}: {after}"
    if after is None:
        return f"- {place}"
    lines = difflib.unified_diff(before.splitlines(), after.splitlines(), n=0, lineterm="")
    return "\n    ".join([f"~ {place}", *list(lines)[2:]])


def _host(host: Host, data: set[str]) -> Iterator[tuple[str, str]]:
    yield from _changed_programs(host)
    outside = host.path("/")
    for root in (*_ROOTS, *([] if host.system == OWN_SYSTEM else [_PROGRAMS])):
        for directory, names, files in os.walk(outside / root.lstrip("/")):
            inside = f"/{os.path.relpath(directory, outside)}"
            names[:] = [name for name in names if f"{inside}/{name}" not in _CHANGES_BY_ITSELF]
            if inside in data:
                yield from _data_directory(Path(directory), inside)
                names.clear()
                continue
            for name in (*names, *files):
                place = f"{inside}/{name}"
                if place not in _CHANGES_BY_ITSELF and name != _OF_SUDO:
                    by_name = inside == _BY_NAME
                    yield place, "" if by_name else _file(Path(directory, name))
    yield (
        "packages",
        host.run(["dpkg-query", "-W", "-f", "${Package} ${Version} ${Status}\n"]).stdout,
    )
    yield "manually installed", host.run(["apt-mark", "showmanual"]).stdout
    yield "diversions", host.run(["dpkg-divert", "--list"]).stdout


def _changed_programs(host: Host) -> Iterator[tuple[str, str]]:
    """Yield what differs below /usr from this machine's own; all of it is too much to read."""
    if host.system != OWN_SYSTEM:
        return
    changed = host.path(_CHANGED_PROGRAMS)
    for directory, names, files in os.walk(changed):
        for name in (*names, *files):
            place = Path(_PROGRAMS, os.path.relpath(directory, changed), name)
            there, here = host.path(place), place
            what = _file(there) if os.path.lexists(there) else "removed"
            if not os.path.lexists(here) or what != _file(here):
                yield str(place), what


def _file(file: Path) -> str:
    status = file.lstat()
    what = f"{stat.filemode(status.st_mode)} {status.st_uid} {status.st_gid}"
    if stat.S_ISLNK(status.st_mode):
        return f"{what} -> {file.readlink()}"
    if not stat.S_ISREG(status.st_mode):
        return what
    return f"{what}\n{_content(file)}"


def _content(file: Path) -> str:
    content = file.read_bytes()
    if len(content) < _READABLE_BYTES and b"\0" not in content:
        return content.decode(errors="replace")
    return hashlib.sha256(content).hexdigest()


def _data_directory(directory: Path, inside: str) -> Iterator[tuple[str, str]]:
    for file in directory.iterdir():
        place = f"{inside}/{file.name}"
        if file.name in ("postmaster.pid", "postmaster.opts"):
            continue
        is_text = file.suffix == ".conf" or file.name.startswith(("recovery_", "pgpool_"))
        yield place, _file(file) if is_text else ""


def _databases(primary: Server) -> Iterator[tuple[str, str]]:
    dump = [primary.installation.program("pg_dumpall"), "--schema-only", "-p", str(primary.port)]
    text = primary.machine.run(dump).stdout
    lines = (line for line in text.splitlines() if not line.startswith(_NOT_SCHEMA))
    yield "schema and roles", "\n".join(line for line in lines if line)
    for (database,) in primary.sql("SELECT datname FROM pg_database WHERE datallowconn"):
        yield f"extensions of {database}", str(primary.sql(_EXTENSIONS, database=database))
