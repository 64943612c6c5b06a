"""The recipe of a container image is the documented one, and buildah makes a host of it."""

import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from pgpool_recovery import __version__
from tests.harness.system import system_with
from tests.harness.workspace import Workspace
from tests.majors import needs_postgresql
from tests.release.conftest import Rehearsal

REPOSITORY = Path(__file__).parents[2]
RECIPE = REPOSITORY / "packages" / "Containerfile"
MAJOR = 17
TRIAL = f"""
set -e
test ! -e /etc/postgresql/{MAJOR} -a ! -e /etc/ssh/ssh_host_ed25519_key
pg_createcluster --port 5999 --start {MAJOR} main >/dev/null
trap 'pg_ctlcluster {MAJOR} main stop' EXIT
as_postgres() {{ runuser -u postgres -- "$@"; }}
psql() {{ as_postgres env psql -p 5999 -d template1 "$@"; }}
psql -qAtc 'CREATE EXTENSION pgpool_recovery'
psql -Atc "SELECT extversion FROM pg_extension WHERE extname ~ 'pool'"
as_postgres pgpool-recovery install --data-directory /var/lib/postgresql/{MAJOR}/main >/dev/null
tail -n 1 /var/lib/postgresql/{MAJOR}/main/recovery_1st_stage
ssh-keygen -A >/dev/null
/usr/sbin/sshd -t
pgpool-recovery --version
"""


def test_documented_recipe_is_the_one_that_is_tried() -> None:
    page = (REPOSITORY / "docs" / "how-to" / "other-ways.md").read_text()
    [shown] = re.findall(r"^```dockerfile\n(.*?)^```", page, re.MULTILINE | re.DOTALL)
    assert shown == RECIPE.read_text()


@pytest.fixture
def store(workspace: Workspace) -> Iterator[list[str]]:
    """The beginning of a call of buildah, with images and containers of its own."""
    directory = workspace.make_new("images-")
    argv = ["buildah", "--root", f"{directory}/store", "--runroot", f"{directory}/run"]
    yield argv
    subprocess.run([*argv, "rm", "--all"], check=True, capture_output=True)
    subprocess.run([*argv, "rmi", "--all", "--force"], check=True, capture_output=True)
    shutil.rmtree(directory)


@pytest.mark.whole_matrix
@pytest.mark.timeout(1200)
@needs_postgresql(MAJOR)
@pytest.mark.skipif(shutil.which("buildah") is None, reason="buildah is not installed")
def test_host_from_the_recipe(store: list[str], rehearsal: Rehearsal) -> None:
    """From a root filesystem of ours, because machines of tests cannot pull images."""
    status, said = rehearsal.make()
    assert status == 0, said
    base = said_by(*store, "from", "scratch")
    place = said_by(*store, "mount", base)
    subprocess.run(["cp", "-a", "-x", f"{system_with(MAJOR).root}/.", place], check=True)
    said_by(*store, "umount", base)
    said_by(*store, "commit", "--disable-compression", base, "base")
    isolated = ["--isolation", "chroot"]
    said_by(
        *(*store, "bud", *isolated, "--network", "host", "--build-arg", "BASE=localhost/base"),
        *("-f", str(RECIPE), "-t", "host", str(rehearsal.result)),
    )
    made = said_by(*store, "from", "--pull-never", "localhost/host")
    said = said_by(*store, "run", *isolated, made, "--", "sh", "-c", TRIAL)
    stage = 'exec /usr/bin/pgpool-recovery recovery_1st_stage "$@"'
    assert said.splitlines() == ["2.0", stage, __version__]


def said_by(*argv: str) -> str:
    done = subprocess.run(argv, capture_output=True, text=True, check=False, timeout=600)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout.strip()
