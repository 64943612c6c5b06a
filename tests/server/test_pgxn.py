"""The distribution for PGXN builds, installs and passes its tests, from its zip file alone."""

import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from packages import pgxn
from tests.harness.installation import copied_installation
from tests.harness.postgresql import Server
from tests.harness.product import Product
from tests.harness.workspace import Workspace

NAME = "pgpool_recovery-2.0.0"
EXTENSIONS = ("pgpool_recovery", "pgpool_adm", "pgpool_regclass")


@pytest.fixture(scope="module")
def distribution(workspace: Workspace, product: Product) -> Path:
    """The zip file."""
    return pgxn.build(workspace.directory / "wheels", workspace.make("pgxn"))


@pytest.fixture
def root(distribution: Path, workspace: Workspace) -> Path:
    """The directory in the zip file, as unzip writes it."""
    directory = workspace.make_new("unpacked-")
    subprocess.run(["unzip", "-q", distribution, "-d", directory], check=True)
    assert [path.name for path in directory.iterdir()] == [NAME]
    for path in (directory, *directory.rglob("*")):
        shutil.chown(path, "postgres")
    return directory / NAME


def test_it_has_what_its_description_names(root: Path) -> None:
    meta = json.loads((root / "META.json").read_text())
    assert sorted(meta["provides"]) == sorted(EXTENSIONS)
    for name, provided in meta["provides"].items():
        assert "-- Part of pgpool-recovery." in (root / provided["file"]).read_text()
        assert (root / "extension" / f"{name}.control").exists()
    assert (root / meta["provides"]["pgpool_recovery"]["docfile"]).exists()


def test_nothing_is_assembled_again(root: Path) -> None:
    """So that hosts need no Python for it, in particular not one with these features."""
    make(root, "all", "PYTHON=false")
    assert not list(root.rglob("__pycache__"))


def test_installcheck_passes_from_its_files_alone(stock_server: Server, root: Path) -> None:
    server = stock_server
    config = f"PG_CONFIG={server.installation.program('pg_config')}"
    argv = ["make", "-s", "-C", str(root), config]
    server.machine.run([*argv, "install"], user="root")
    where = {"PGHOST": str(server.machine.socket_directory), "PGPORT": str(server.port)}
    done = server.machine.run(
        [*argv, "installcheck"], env=where | {"PGUSER": "postgres"}, timeout_s=300, check=False
    )
    diffs = root / "extension" / "regress" / "regression.diffs"
    assert done.returncode == 0, diffs.read_text() if diffs.exists() else done.output


@pytest.mark.skipif(shutil.which("pgxn") is None, reason="pgxn (pgxnclient) is not installed")
def test_client_installs_the_file(workspace: Workspace, distribution: Path) -> None:
    installation = copied_installation(workspace.make_new("installation-"))
    # It refuses if it could not write here, although nothing is installed there.
    (installation.prefix / "lib" / f"{os.uname().machine}-linux-gnu").mkdir()
    argv = ["pgxn", "install", "--nosudo", "--pg_config", installation.program("pg_config")]
    done = subprocess.run(
        [*argv, str(distribution)], capture_output=True, text=True, check=False, timeout=120
    )
    assert done.returncode == 0, done.stdout + done.stderr
    installed = {path.name for path in installation.extension_directory.glob("pgpool_*")}
    for name in EXTENSIONS:
        assert {f"{name}.control", f"{name}--2.0.sql", f"{name}--1.0--2.0.sql"} <= installed
        control = installation.extension_directory / f"{name}.control"
        assert "default_version = '2.0'" in control.read_text()


def make(root: Path, *words: str) -> None:
    subprocess.run(["make", "-s", "-C", root, *words], check=True, capture_output=True)
