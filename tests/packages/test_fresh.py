"""On the smallest system of each release, apt finds everything that the packages need.

The systems of the other tests have more packages than ours depend on, so a missing dependency would
not be noticed there. Needs the mirror that apt uses.
"""

import json
import subprocess
from pathlib import Path

import pytest

from tests.harness.workspace import Workspace
from tests.packages.built import Packages

WITHIN_S = 900
pytestmark = [pytest.mark.whole_matrix, pytest.mark.timeout(WITHIN_S)]

_ROOT = """
set -eu
export DEBIAN_FRONTEND=noninteractive LC_ALL=C.UTF-8
. /etc/os-release
mirror=$(apt-get indextargets --format '$(SITE)' 'Created-By: Packages' 'Origin: Debian' \
    "Codename: $VERSION_CODENAME" | head -n 1)
debootstrap --variant=minbase "$SUITE" "$ROOT" "$mirror" >&2
mountpoint -q "$ROOT/proc" || mount -t proc proc "$ROOT/proc"
printf '#!/bin/sh\\nexit 101\\n' >"$ROOT/usr/sbin/policy-rc.d"
chmod 755 "$ROOT/usr/sbin/policy-rc.d"
mkdir "$ROOT/packages"
cp $FILES "$ROOT/packages"
chroot "$ROOT" apt-get update -qq -o Acquire::Check-Valid-Until=false >&2
exec chroot "$ROOT" sh -eu -c "$INSIDE"
"""
_INSIDE = """
cd /packages
apt-get install -y -qq --no-install-recommends -o DPkg::Options::=--force-unsafe-io ./*.deb >&2
pg_lsclusters -h
runuser -u postgres -- pgpool-recovery install \
    --data-directory "/var/lib/postgresql/$MAJOR/main" >&2
pg_ctlcluster "$MAJOR" main start >&2
runuser -u postgres -- psql -qAtX -d template1 -c 'CREATE EXTENSION pgpool_recovery'
data=/var/lib/postgresql/$MAJOR/standby
runuser -u postgres -- psql -qAtX -d template1 -v data="$data" <<'.'
SELECT pgpool_recovery_plan('localhost', :'data', '5432', 1, '5433', 'localhost')
.
runuser -u postgres -- psql -qAtX -d template1 \
    -c "SELECT extversion FROM pg_extension WHERE extname = 'pgpool_recovery'"
runuser -u postgres -- psql -qAtX -d template1 -c 'DROP EXTENSION pgpool_recovery'
pg_ctlcluster "$MAJOR" main stop >&2
pgpool-recovery --version
apt-get purge -y -qq pgpool-recovery "postgresql-$MAJOR-pgpool-recovery" >&2
find /usr /etc /var/lib /opt | grep -i pgpool | grep -v '^/var/lib/postgresql' || true
"""


@pytest.mark.parametrize(("suite", "major"), [("bookworm", 15), ("trixie", 17), ("sid", 18)])
def test_apt_brings_all_that_they_need(
    workspace: Workspace, packages: Packages, namespaces: None, suite: str, major: int
) -> None:
    root = workspace.make_new(f"{suite}-")
    files = [packages.command, packages.extension(major)]
    done = within_namespaces(root, suite, major, files)
    assert done.returncode == 0, done.stderr[-6000:]
    cluster, answer, *said = done.stdout.splitlines()
    assert cluster.split()[:2] == [str(major), "main"]
    # Whether there is a plan or a reason against it: the runner has asked server and agent.
    assert json.loads(answer)["node_id"] == 1
    assert "could not" not in answer
    assert said == ["2.0", packages.version], "and nothing after the purge"


def within_namespaces(
    root: Path, suite: str, major: int, files: list[Path]
) -> subprocess.CompletedProcess[str]:
    """Build a system and run the script in it; what it starts and mounts ends with it."""
    argv = ["unshare", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc"]
    return subprocess.run(
        [*argv, "sh", "-c", _ROOT],
        env={
            "PATH": "/usr/sbin:/usr/bin:/sbin:/bin",
            "SUITE": suite,
            "MAJOR": str(major),
            "ROOT": str(root),
            "FILES": " ".join(map(str, files)),
            "INSIDE": _INSIDE,
        },
        capture_output=True,
        text=True,
        check=False,
        timeout=WITHIN_S,
    )
