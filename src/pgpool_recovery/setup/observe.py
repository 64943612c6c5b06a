"""Ask this host's Pgpool-II, and every host with nodes, what they have; nothing is changed."""

import re
import shutil
import subprocess
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from pgpool_recovery import __version__
from pgpool_recovery.config.own_command import own_command
from pgpool_recovery.control.pool_user import pool_users
from pgpool_recovery.domain.error import RecoveryError, Refused, Unreachable, reason_of
from pgpool_recovery.files.text import text_of
from pgpool_recovery.setup.access import RootShell
from pgpool_recovery.setup.extension import databases
from pgpool_recovery.setup.facts import (
    APT,
    DNF,
    Backend,
    ClusterState,
    HostState,
    PackageFiles,
    PoolState,
)
from pgpool_recovery.setup.pool import find_conf, read_pool
from pgpool_recovery.setup.probe import answered, question, unanswered

EXTENSION_VERSION = "2.0"
PATH = "/usr/sbin:/usr/bin:/sbin:/bin:/usr/local/sbin:/usr/local/bin"
VERSION_WITHIN_S = 30.0
PROBE_WITHIN_S = 180.0
PACKAGE = re.compile(
    r"(pgpool-recovery|postgresql-\d+-pgpool-recovery)_[\w.+:~-]+\.deb"
    r"|(pgpool-recovery|pgpool-recovery-pg\d+)-\d[\w.+~-]*\.rpm"
)

Open = Callable[[str], RootShell]


def observe_pool(conf: Path | None) -> PoolState:
    """Return what the Pgpool-II of this host is, and calls."""
    program = shutil.which("pgpool", path=PATH)
    release = None if program is None else _release(program)
    return read_pool(find_conf(conf), program, release, is_running=bool(pool_users()))


def observe(
    pool: PoolState, packages: PackageFiles | None, shells: Mapping[str, RootShell | RecoveryError]
) -> ClusterState:
    """Ask all hosts at the same time."""
    hosts = hosts_of(pool)
    with ThreadPoolExecutor(max_workers=len(hosts)) as executor:
        found = executor.map(
            lambda each: _observe(each[0], each[1], pool, shells[each[0]]), hosts.items()
        )
        states = tuple(found)
    command = tuple(own_command())
    manager = APT if shutil.which(APT, path=PATH) else DNF
    return ClusterState(pool, states, packages, __version__, EXTENSION_VERSION, command, manager)


def hosts_of(pool: PoolState) -> dict[str, list[Backend]]:
    """Return the nodes by their hosts, in the order of pgpool.conf."""
    hosts: dict[str, list[Backend]] = {}
    for backend in pool.backends:
        hosts.setdefault(backend.host, []).append(backend)
    return hosts


def open_shells(pool: PoolState, open_shell: Open) -> dict[str, RootShell | RecoveryError]:
    """Return a shell on each host, or why there is none; one after another, since ssh may ask."""
    shells: dict[str, RootShell | RecoveryError] = {}
    for host in hosts_of(pool):
        try:
            shells[host] = open_shell(host)
        except Unreachable as error:
            shells[host] = error
    return shells


def package_files(named: Path | None) -> PackageFiles | None:
    """Return the package files of a directory; by default the current one, if they are there."""
    directory = Path.cwd() if named is None else named.absolute()
    try:
        entries = [entry.name for entry in directory.iterdir()]
    except OSError as error:
        raise Refused(f"could not read {directory}: {reason_of(error)}") from error
    names = tuple(sorted(name for name in entries if PACKAGE.fullmatch(name)))
    if not names and named is not None:
        raise Refused(
            f"{directory} has no package of pgpool-recovery",
            hint="Name the directory of pgpool-recovery_*.deb and postgresql-*-pgpool-recovery_*"
            ".deb, or of the .rpm files.",
        )
    return PackageFiles(str(directory), names) if names else None


def _observe(
    name: str, own: Sequence[Backend], pool: PoolState, shell: RootShell | RecoveryError
) -> HostState:
    if isinstance(shell, RecoveryError):
        return unanswered(name, own, shell.in_a_line)
    others = [one for one in pool.backends if one.host != name]
    try:
        ran = shell.run(
            question(own, others, databases(pool.database), pool.recovery_user),
            within_s=PROBE_WITHIN_S,
        )
    except Unreachable as error:
        return unanswered(name, own, error.in_a_line)
    if ran.status != 0:
        return unanswered(name, own, ran.last_lines)
    try:
        return answered(name, own, ran.output, shell.way)
    except ValueError as error:
        return unanswered(name, own, f"its answer makes no sense: {error}")


def _release(program: str) -> tuple[int, int] | None:
    """Return the release line of a pgpool program, as --version prints it."""
    try:
        done = subprocess.run(
            [program, "--version"], capture_output=True, check=False, timeout=VERSION_WITHIN_S
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    found = re.search(r"version (\d+)\.(\d+)", text_of(done.stdout + done.stderr))
    return None if found is None else (int(found[1]), int(found[2]))
