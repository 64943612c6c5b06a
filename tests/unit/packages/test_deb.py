"""Debian's packages, as dpkg-deb shows them."""

import gzip
import hashlib
import os
import subprocess
import tempfile
from pathlib import Path

import pytest

from packages import deb
from tests.unit.packages.wheels import make_wheels

NOBODY = 65534
WHEN = 1_700_000_000
NAMES = ["pgpool-recovery", *(f"postgresql-{n}-pgpool-recovery" for n in range(14, 20))]


def build(wheels: Path, into: Path) -> dict[str, Path]:
    into.mkdir()
    return {path.name.partition("_")[0]: path for path in deb.build(wheels, into)}


@pytest.fixture(scope="module")
def wheels(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_wheels(tmp_path_factory.mktemp("deb") / "wheels")


@pytest.fixture(scope="module")
def built(wheels: Path) -> dict[str, Path]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SOURCE_DATE_EPOCH", str(WHEN))
        return build(wheels, wheels.parent / "built")


@pytest.fixture(scope="module")
def unpacked(built: dict[str, Path]) -> dict[str, Path]:
    """Return each package's directory: its files, and DEBIAN."""
    directories = {}
    for name, path in built.items():
        directories[name] = path.with_name(name)
        subprocess.run(["dpkg-deb", "-R", path, directories[name]], check=True)
    return directories


def fields(path: Path) -> dict[str, str]:
    done = subprocess.run(["dpkg-deb", "-f", path], capture_output=True, text=True, check=True)
    return dict(line.split(": ", 1) for line in done.stdout.splitlines() if line[0] != " ")


def test_one_build_serves_every_architecture_and_major(built: dict[str, Path]) -> None:
    assert [path.name for path in built.values()] == [f"{name}_2.0.0-1_all.deb" for name in NAMES]
    for name, path in built.items():
        said = fields(path)
        assert (said["Package"], said["Version"], said["Architecture"]) == (name, "2.0.0-1", "all")


def test_dependencies(built: dict[str, Path]) -> None:
    assert fields(built["pgpool-recovery"])["Depends"] == (
        "python3 (>= 3.11) | python3.11 | python3.12 | python3.13, libpq5, openssh-client"
    )
    assert fields(built["pgpool-recovery"])["Recommends"] == "libisal2, libxxhash0, libzstd1"
    said = fields(built["postgresql-17-pgpool-recovery"])
    assert said["Depends"] == (
        "postgresql-17, postgresql-plpython3-17, pgpool-recovery (= 2.0.0-1)"
    )
    assert not {"Conflicts", "Replaces", "Breaks"} & said.keys(), "the stock package stays"


def test_every_file_is_of_root_and_has_the_time_of_the_commit(built: dict[str, Path]) -> None:
    for path in built.values():
        listed = subprocess.run(
            ["dpkg-deb", "-c", path],
            capture_output=True,
            text=True,
            env={**os.environ, "TZ": "UTC"},
        ).stdout.splitlines()
        assert {line.split()[1] for line in listed} == {"root/root"}
        assert {" ".join(line.split()[3:5]) for line in listed} == {"2023-11-14 22:13"}
        modes = {line[0:10] for line in listed}
        assert modes <= {"drwxr-xr-x", "-rw-r--r--", "-rwxr-xr-x"}


def test_same_wheels_give_the_same_bytes(
    wheels: Path, built: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SOURCE_DATE_EPOCH", str(WHEN))
    monkeypatch.setenv("TZ", "Pacific/Auckland")
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    before = os.umask(0o077)
    try:
        again = build(wheels, tmp_path / "again")
    finally:
        os.umask(before)
    assert {n: p.read_bytes() for n, p in built.items()} == {
        n: p.read_bytes() for n, p in again.items()
    }


@pytest.mark.usefixtures("as_root")
def test_owner_is_root_whoever_builds(wheels: Path, built: dict[str, Path]) -> None:
    package = deb.extension(wheels, 15, "2.0.0-1")
    with tempfile.TemporaryDirectory(dir="/var/tmp") as name:
        Path(name).chmod(0o777)
        os.seteuid(NOBODY)
        try:
            path = deb._build(package, "2.0.0-1", WHEN, Path(name))
        finally:
            os.seteuid(0)
        assert path.read_bytes() == built[package.name].read_bytes()


def test_sums_are_those_of_all_files(unpacked: dict[str, Path]) -> None:
    for root in unpacked.values():
        said = {}
        for line in (root / "DEBIAN" / "md5sums").read_text().splitlines():
            digest, path = line.split("  ", 1)
            said[path] = digest
        found = {
            str(path.relative_to(root)): hashlib.md5(path.read_bytes()).hexdigest()  # noqa: S324
            for path in root.rglob("*")
            if path.is_file() and "DEBIAN" not in path.parts
        }
        assert said == found


def test_documents_that_every_package_of_debian_has(unpacked: dict[str, Path]) -> None:
    for name, root in unpacked.items():
        documents = root / "usr" / "share" / "doc" / name
        assert (documents / "copyright").read_text().startswith("Format: https://")
        changes = gzip.decompress((documents / "changelog.Debian.gz").read_bytes()).decode()
        assert changes.startswith(f"{name} (2.0.0-1) ")
        assert changes.endswith("  Tue, 14 Nov 2023 22:13:20 +0000\n")


def test_scripts_are_understood_by_sh_and_refuse_what_they_do_not_know(
    unpacked: dict[str, Path],
) -> None:
    scripts = [
        root / "DEBIAN" / name
        for root in unpacked.values()
        for name in ("preinst", "postinst", "prerm", "postrm")
        if (root / "DEBIAN" / name).exists()
    ]
    assert len(scripts) == 3 + 3 * 6
    for script in scripts:
        assert "@" not in script.read_text().replace('"$@"', ""), f"{script} has a word to replace"
        done = subprocess.run([script, "frobnicate"], capture_output=True, text=True)
        assert done.returncode == 1
        assert "called with unknown argument `frobnicate'" in done.stderr


def test_package_is_told_when_a_python_comes_or_goes(unpacked: dict[str, Path]) -> None:
    """dpkg would not accept a pattern, so each name that the launcher may choose is listed."""
    triggers = (unpacked["pgpool-recovery"] / "DEBIAN" / "triggers").read_text().splitlines()
    assert "interest-noawait /usr/bin/python3" in triggers
    assert {f"interest-noawait /usr/bin/python3.{minor}" for minor in range(11, 20)} < set(triggers)
    assert not [line for line in triggers if not line.startswith("interest-noawait /usr/bin/")]
