"""The service of the packages that checks the cluster, started as systemd would start it.

There is no systemd here. What it would do is taken from the unit: the command line, the user, the
directory, no capability, no new privileges, and a filesystem of which nothing else can be written.
"""

import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest

from packages.contents import COMMAND
from packages.generated import STATE, UNITS
from tests.harness.cluster import ClusterPlan
from tests.harness.command import Completed
from tests.harness.product import Product
from tests.harness.workspace import Workspace
from tests.operator.site import Site, site_on_hosts

UNIT = (UNITS / "pgpool-recovery-check.service").read_text()
FAILOVER = '"%d" "%h" "%p" "%D" "%m" "%H" "%M" "%P" "%r" "%R" "%N" "%S"'
MAKE_DIRECTORY = f'install -d -o "$1" -m "$2" {STATE}'
START = f"""
set -eu
mount --bind {STATE} {STATE}
while read -r _ _ _ _ place _; do
    case "$place" in
    {STATE} | /dev | /dev/* | /proc | /proc/* | /sys | /sys/*) ;;
    *) ! mountpoint -q "$place" || mount -o remount,bind,ro "$place" ;;  # Else it is hidden.
    esac
done </proc/self/mountinfo
umask "$2"
exec setpriv --reuid="$1" --regid="$1" --init-groups --bounding-set=-all --inh-caps=-all \\
    --no-new-privs env -i PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin \\
    HOME="$3" LOGNAME="$1" USER="$1" SHELL=/bin/bash LANG=C.UTF-8 sh -c "$4"
"""


def value(key: str) -> str:
    """Return the value of a key of the unit."""
    [found] = re.findall(rf"^{key}=(.*)$", UNIT, re.MULTILINE)
    return str(found)


def metrics_file() -> Path:
    [file] = re.findall(r"--textfile=(\S+)", value("ExecStart"))
    return Path(file)


@pytest.fixture(scope="module")
def site(workspace: Workspace, product: Product, namespaces: None) -> Iterator[Site]:
    with site_on_hosts(workspace, product, ClusterPlan()) as site:
        pgpool = site.cluster.pgpool
        extra = pgpool.settings.extra
        assert isinstance(extra, dict)
        extra["failover_command"] = f"{site.command} failover {FAILOVER}"
        pgpool.reload()
        machine = pgpool.machine
        machine.run(["ln", "-s", site.command, COMMAND], user="root")
        machine.run(["cp", str(pgpool.place.pcppass), f"{machine.home}/.pcppass"])
        yield site


def start(site: Site, options: str = "") -> Completed:
    """Start the service, and return how it ended."""
    machine, user = site.cluster.pgpool.machine, value("User")
    mode, umask = value("StateDirectoryMode"), value("UMask")
    machine.run(["sh", "-ec", MAKE_DIRECTORY, "sh", user, mode], user="root")
    line = value("ExecStart").replace("$CHECK_OPTIONS", options)
    return machine.run(
        ["unshare", "--mount", "sh", "-c", START, "sh", user, umask, str(machine.home), line],
        user="root",
        check=False,
    )


def metrics(site: Site) -> dict[str, float]:
    """Return the metrics as another user reads them, such as that of node_exporter."""
    text = site.cluster.pgpool.machine.run(["cat", metrics_file()], user="nobody").stdout
    samples = [line.rpartition(" ") for line in text.splitlines() if not line.startswith("#")]
    return {name: float(number) for name, _, number in samples}


EXIT = "pgpool_recovery_check_exit_status"
TIME = "pgpool_recovery_check_timestamp_seconds"
ERRORS = 'pgpool_recovery_check_findings{node="1",severity="error"}'


def test_healthy_cluster(site: Site) -> None:
    done = start(site)
    assert done.returncode == 0, done.output
    assert "if node 0 were lost now, node 1 would be promoted" in done.stdout, "as Pgpool-II's user"
    found = metrics(site)
    assert (found[EXIT], found[ERRORS]) == (0, 0)
    assert found[TIME] > 0
    status = site.cluster.pgpool.machine.path(metrics_file()).stat()
    assert status.st_uid == site.cluster.pgpool.machine.account("postgres").uid


def test_options_of_a_drop_in_are_words(site: Site) -> None:
    done = start(site, "--json --host " + shlex.quote(str(site.cluster.pgpool.place.sockets)))
    assert (done.returncode, done.stderr) == (0, "")
    assert '"exit_status": 0' in done.stdout


def test_finding_makes_it_fail_and_is_counted(site: Site) -> None:
    with site.without_ssh_to(1):
        done = start(site)
        assert done.returncode == 4, done.output
        found = metrics(site)
        assert found[EXIT] == 4
        assert found[ERRORS] > 0
    assert start(site).returncode == 0
    assert metrics(site)[ERRORS] == 0


def test_pgpool_that_is_down_makes_it_fail_and_the_last_findings_stay(site: Site) -> None:
    before = metrics(site)
    site.cluster.pgpool.stop()
    try:
        done = start(site)
    finally:
        site.cluster.pgpool.start()
    assert done.returncode == 5, done.output
    assert done.stderr.startswith("ERROR:  ")
    assert metrics(site) == {**before, EXIT: 5}


def test_nothing_else_can_be_written(site: Site) -> None:
    """The emulation is one: an unwritable place is unwritable, and the check says so."""
    machine = site.cluster.pgpool.machine
    elsewhere = f"--textfile={machine.home}/check.prom"
    done = start(site, elsewhere)
    assert done.returncode == 4
    assert "Read-only file system" in done.stderr
