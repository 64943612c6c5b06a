"""make release: everything that a release consists of, the same bytes each time, or nothing."""

import hashlib
import json
import os
import re
import subprocess
from pathlib import Path

import pytest

from tests.harness.workspace import Workspace
from tests.release.conftest import ENVIRONMENT, REPOSITORY, Rehearsal

pytestmark = [pytest.mark.in_order, pytest.mark.timeout(900)]
ELSEWHERE = {
    "LC_ALL": "C",
    "TZ": "Asia/Kathmandu",
    "PYTHONHASHSEED": "4711",
    "SOURCE_DATE_EPOCH": "1",
    "HOME": "/dev/null",
}
"""What must not have an effect; pip uses no cache without a home."""
EXPECTED = [
    r"SHA256SUMS",
    r"packages/pgpool-recovery_2\.0\.0-1_all\.deb",
    *(
        rf"packages/postgresql-{major}-pgpool-recovery_2\.0\.0-1_all\.deb"
        for major in range(14, 20)
    ),
    r"packages/pgpool-recovery-2\.0\.0-1\.noarch\.rpm",
    *(rf"packages/pgpool-recovery-pg{major}-2\.0\.0-1\.noarch\.rpm" for major in range(14, 20)),
    r"pgpool-recovery-2\.0\.0\.cdx\.json",
    r"pgpool-recovery\.pyz",
    r"pgpool_recovery-2\.0\.0\.tar\.gz",
    r"pgpool_recovery-2\.0\.0\.zip",
    r"pgpool_recovery-cluster-2\.0\.0\.tar\.gz",
    r"wheels/pgpool_recovery-2\.0\.0-py3-none-any\.whl",
    r"wheels/(markdown_it_py|mdurl|psycopg|pygments|rich|typing_extensions)-[\d.]+-py3-none-any\.whl",
    r"wheels/requirements\.txt",
]


def test_unknown_file_is_a_reason_and_nothing_is_built(rehearsal: Rehearsal) -> None:
    stray = rehearsal.directory / "src" / "stray.py"
    stray.touch()
    status, said = rehearsal.make()
    stray.unlink()
    assert status != 0
    assert "ERROR:  this is not a release\nDETAIL:  Not committed: src/stray.py.\nmake:" in said
    assert not (rehearsal.directory / "dist").exists()


def test_release_is_complete(rehearsal: Rehearsal) -> None:
    # Ignored by git, and what another version has left: not part of the commit.
    remains = rehearsal.directory / "src" / "pgpool_recovery" / "extension"
    remains.mkdir()
    (remains / "pgpool_recovery--1.9--2.0.sql").write_text("SELECT 1;\n")
    status, said = rehearsal.make()
    assert status == 0, said
    found = files_of(rehearsal.result)
    unknown = [name for name in found if not any(re.fullmatch(one, name) for one in EXPECTED)]
    missing = [one for one in EXPECTED if not any(re.fullmatch(one, name) for name in found)]
    assert (unknown, missing) == ([], [])
    assert sorted(os.listdir(rehearsal.directory / "dist")) == [rehearsal.result.name]


def test_checksums_are_those_of_all_files(rehearsal: Rehearsal) -> None:
    check = ["sha256sum", "--check", "--strict", "--quiet", "SHA256SUMS"]
    subprocess.run(check, cwd=rehearsal.result, check=True)
    named = {line.split("  ")[1] for line in sums(rehearsal)}
    assert named == {*files_of(rehearsal.result)} - {"SHA256SUMS"}
    for name in files_of(rehearsal.result):
        assert (rehearsal.result / name).stat().st_mode & 0o444 == 0o444


def test_wheel_from_the_source_distribution_is_the_same(
    rehearsal: Rehearsal, workspace: Workspace
) -> None:
    source = workspace.make_new("sdist-")
    archive = rehearsal.result / "pgpool_recovery-2.0.0.tar.gz"
    subprocess.run(["tar", "-x", "-f", archive, "-C", source], check=True)
    python = REPOSITORY / ENVIRONMENT / "bin" / "python"
    subprocess.run(
        [python, "-m", "hatchling", "build", "-t", "wheel", "-d", source],
        cwd=source / "pgpool_recovery-2.0.0",
        env={**os.environ, "SOURCE_DATE_EPOCH": when(rehearsal)},
        capture_output=True,
        check=True,
    )
    [built] = source.glob("*.whl")
    assert sum_of(built) == sum_of(rehearsal.result / "wheels" / built.name)


def test_bill_lists_each_wheel_with_its_checksum_and_licence(rehearsal: Rehearsal) -> None:
    bill = json.loads((rehearsal.result / "pgpool-recovery-2.0.0.cdx.json").read_text())
    parts = [bill["metadata"]["component"], *bill["components"]]
    wheels = list((rehearsal.result / "wheels").glob("*.whl"))
    assert {part["hashes"][0]["content"] for part in parts} == {*map(sum_of, wheels)}
    assert {part["name"]: part["licenses"][0]["expression"] for part in parts} == {
        "markdown-it-py": "MIT",
        "mdurl": "MIT",
        "pgpool-recovery": "PostgreSQL",
        "psycopg": "LGPL-3.0-only",
        "pygments": "BSD-2-Clause",
        "rich": "MIT",
        "typing-extensions": "PSF-2.0",
    }
    urls = {part["purl"] for part in parts}
    assert "pkg:generic/pgpool-recovery@2.0.0" in urls
    assert sum(url.startswith("pkg:pypi/") for url in urls) == len(parts) - 1
    needs = {each["ref"]: each.get("dependsOn", []) for each in bill["dependencies"]}
    names = {part["bom-ref"]: part["name"] for part in parts}
    graph = {names[ref]: sorted(names[one] for one in needed) for ref, needed in needs.items()}
    assert graph["pgpool-recovery"] == ["psycopg", "rich"]
    assert graph["psycopg"] == ["typing-extensions"]
    assert graph["rich"] == ["markdown-it-py", "pygments"]


def test_bill_that_breaks_the_schema_is_refused(rehearsal: Rehearsal) -> None:
    program = """
import json, sys
from pathlib import Path
from packages.bill import Invalid, check
text = Path(sys.argv[1]).read_text()
check(text)
bill = json.loads(text)
bill["components"][0]["hashes"][0]["content"] = "no checksum"
try:
    check(json.dumps(bill))
except Invalid as error:
    print("refused:", "no checksum" in str(error))
"""
    python = REPOSITORY / ENVIRONMENT / "bin" / "python"
    bill = rehearsal.result / "pgpool-recovery-2.0.0.cdx.json"
    done = subprocess.run(
        [python, "-c", program, bill], cwd=REPOSITORY, capture_output=True, text=True, check=True
    )
    assert done.stdout == "refused: True\n"


def test_all_but_the_packages_have_the_same_bytes_elsewhere(
    rehearsal: Rehearsal, workspace: Workspace
) -> None:
    """In another directory, at another time, with another umask, locale and time zone."""
    other = rehearsal.copy(workspace.make_new("elsewhere-") / "a longer name")
    python = other.directory / ENVIRONMENT / "bin" / "python"
    subprocess.run(
        [python, "-m", "packages.artefacts", "--without-packages", "--into", other.result],
        cwd=other.directory,
        env={
            **os.environ,
            **ELSEWHERE,
            "SOURCE_DATE_EPOCH": when(rehearsal),
            "PYTHONPATH": str(other.directory / "src"),
        },
        umask=0o077,
        capture_output=True,
        check=True,
    )
    assert sums(other) == [line for line in sums(rehearsal) if "  packages/" not in line]


@pytest.mark.whole_matrix
def test_all_files_have_the_same_bytes_elsewhere(
    rehearsal: Rehearsal, workspace: Workspace
) -> None:
    other = rehearsal.copy(workspace.make_new("elsewhere-") / "a longer name")
    status, said = other.make(ELSEWHERE, umask=0o077)
    assert status == 0, said
    assert sums(other) == sums(rehearsal)


def when(rehearsal: Rehearsal) -> str:
    """Return the time of the commit."""
    return rehearsal.git("log", "-1", "--format=%ct").strip()


def files_of(directory: Path) -> list[str]:
    """Return the files of a directory, from there."""
    return sorted(
        str(file.relative_to(directory)) for file in directory.rglob("*") if not file.is_dir()
    )


def sums(rehearsal: Rehearsal) -> list[str]:
    return (rehearsal.result / "SHA256SUMS").read_text().splitlines()


def sum_of(file: Path) -> str:
    return hashlib.sha256(file.read_bytes()).hexdigest()
