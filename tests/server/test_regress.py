"""make install and make installcheck work, as PGXS provides them, on a server of our own."""

import shutil
from pathlib import Path

from tests.harness.postgresql import Server
from tests.harness.workspace import Workspace
from tests.server.conftest import on_each_major

REPOSITORY = Path(__file__).resolve().parents[2]
NEEDED = ["extension", "src/pgpool_recovery/pcp/client", "src/pgpool_recovery/in_server"]


@on_each_major
def test_make_installcheck(stock_server: Server, workspace: Workspace) -> None:
    server = stock_server
    directory = workspace.make_new("extension-", owner="postgres")
    ignored = shutil.ignore_patterns("__pycache__", "results", "*.sql.new")
    for needed in NEEDED:
        shutil.copytree(REPOSITORY / needed, directory / needed, ignore=ignored)
    server.machine.run(["chown", "-R", "postgres", str(directory)], user="root")
    copy = directory / "extension"
    make = ["make", "-C", str(copy), f"PG_CONFIG={server.installation.program('pg_config')}"]
    server.machine.run([*make, "install"], user="root")
    where = {"PGHOST": str(server.machine.socket_directory), "PGPORT": str(server.port)}
    done = server.machine.run(
        [*make, "installcheck"], env=where | {"PGUSER": "postgres"}, timeout_s=300, check=False
    )
    diffs = copy / "regress" / "regression.diffs"
    assert done.returncode == 0, diffs.read_text() if diffs.exists() else done.output
