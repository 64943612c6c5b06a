"""Find out how this host starts the server of a data directory."""

import math
import shutil
from collections.abc import Callable
from pathlib import Path

from pgpool_recovery.domain.line import lines_of
from pgpool_recovery.domain.record import record
from pgpool_recovery.host.debian import DebianCluster, find_cluster
from pgpool_recovery.host.program import run
from pgpool_recovery.host.stop import Stop

START_LOG = "startup.log"
PG_CTL = "pg_ctl"
SYSTEMD = Path("/run/systemd/system")
PG_CTL_WAIT_S = 10


@record
class StartWay:
    """The command that starts a server, the file of its standard error, and how to stop it.

    `unit` is the systemd unit, if systemd starts it. `timeout_option` is what precedes the number
    of seconds that stopping may take; None if the program has no such limit. With `does_more` the
    command is the user's own, and may have more to do after the server has started.
    """

    name: str
    argv: tuple[str, ...]
    log_file: str | None
    stop_without_timeout: tuple[str, ...]
    timeout_option: tuple[str, ...] | None = ("-t",)
    unit: str | None = None
    does_more: bool = False

    def stop_argv(self, timeout_s: float) -> tuple[str, ...]:
        """Return the command that stops the server and, if it can, gives up after `timeout_s`."""
        if self.timeout_option is None:
            return self.stop_without_timeout
        return (*self.stop_without_timeout, *self.timeout_option, str(math.ceil(timeout_s)))


def find_way(
    data: Path,
    bin_directory: Path,
    start_command: tuple[str, ...],
    stop: Stop,
    tell: Callable[[str], None],
) -> StartWay:
    """Return how to start the server.

    That is the start command of the settings if there is one. Otherwise it is the systemd unit, if
    sudo lets this user start it; then pg_ctlcluster, for a cluster of postgresql-common; then
    pg_ctl. `tell` receives a notice when sudo forbids the unit.
    """
    cluster = find_cluster(data, stop)
    log_file = None if cluster is None else cluster.log_file
    pg_ctl = (str(bin_directory / "pg_ctl"), "-D", str(data))
    pg_ctl_stop = (*pg_ctl, "stop", "-m", "fast")
    if start_command:
        name = " ".join(start_command)
        return StartWay(name, start_command, log_file, pg_ctl_stop, does_more=True)
    unit = find_unit(data, cluster, stop)
    if unit is not None and may_start(unit, stop):
        systemctl = ("sudo", "--non-interactive", "systemctl")
        start, stop_it = (*systemctl, "start", unit), (*systemctl, "stop", unit)
        name = f"systemctl start {unit}"
        return StartWay(name, start, log_file, stop_it, timeout_option=None, unit=unit)
    if unit is not None:
        tell(f"sudo does not let this user start {unit}; systemd will not know about the server")
    if cluster is not None:
        name = f"pg_ctlcluster {cluster.version} {cluster.name}"
        words = ("pg_ctlcluster", "--skip-systemctl-redirect", cluster.version, cluster.name)
        ctl_stop = (*words, "stop", "-m", "fast")
        return StartWay(name, (*words, "start"), log_file, ctl_stop, timeout_option=("--", "-t"))
    log = str(data / START_LOG)
    argv = (*pg_ctl, "start", "-l", log, "-w", "-t", str(PG_CTL_WAIT_S))
    return StartWay(PG_CTL, argv, log, pg_ctl_stop)


def find_unit(data: Path, cluster: DebianCluster | None, stop: Stop) -> str | None:
    """Return the systemd unit of this data directory; None if there is none, or no systemd.

    Debian's units are named after the cluster, while those of Enterprise Linux have PGDATA in their
    environment.
    """
    if not SYSTEMD.exists():
        return None
    if cluster is not None:
        return f"postgresql@{cluster.version}-{cluster.name}.service"
    # List the names first: a pattern for `systemctl show` matches only loaded units, and a disabled
    # one is not loaded.
    listed = run(["systemctl", "list-unit-files", "postgresql*.service", "--no-legend"], stop)
    names = [line.split()[0] for line in lines_of(listed.output) if ".service" in line]
    units = [name for name in names if "@." not in name]
    if not units:
        return None
    argv = ["systemctl", "show", *units, "--property=Id,Environment"]
    for block in run(argv, stop).output.split("\n\n"):
        values = dict(line.split("=", 1) for line in lines_of(block) if "=" in line)
        for word in values.get("Environment", "").split():
            name, _, directory = word.partition("=")
            if name == "PGDATA" and Path(directory).resolve() == data:
                return values["Id"]
    return None


def may_start(unit: str, stop: Stop) -> bool:
    """Return whether sudo lets this user start a unit."""
    if shutil.which("sudo") is None:
        return False
    return (
        run(["sudo", "--non-interactive", "--list", "systemctl", "start", unit], stop).status == 0
    )
