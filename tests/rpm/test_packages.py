"""The rpms themselves: what they require, that they are always the same, what rpmlint says."""

import os
import subprocess
import zipfile
from email.parser import BytesParser
from email.policy import default
from importlib.metadata import distribution
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from packages.project import ROOT
from packages.rpm import INSIDE, assemble, command, extension
from tests.rpm.conftest import MAJOR, WHEN, Packages

RPMLINT = ROOT / "packages" / "rpmlint.toml"


def asked(package: Path, *words: str) -> list[str]:
    """Return the lines that rpm prints about a package."""
    with TemporaryDirectory() as database:  # rpm creates it if it does not exist.
        argv = ["rpm", "--dbpath", database, "-qp", *words, str(package)]
        done = subprocess.run(argv, capture_output=True, text=True, check=True, timeout=60)
    return done.stdout.splitlines()


def test_command_requires_a_python_a_client_library_and_ssh(packages: Packages) -> None:
    required = set(asked(packages.command[0], "--requires"))
    pythons = "(python3 >= 3.11 or python3.11 or python3.12 or python3.13 or python3.14)"
    assert {pythons, "libpq.so.5()(64bit)", "openssh-clients", "/bin/sh"} <= required
    assert not [each for each in required if each.startswith(("python(abi)", "/usr/bin/"))]


def test_extension_requires_its_server_and_the_same_command(packages: Packages) -> None:
    required = set(asked(packages.extension[0], "--requires"))
    assert {
        f"postgresql{MAJOR}-server",
        f"postgresql{MAJOR}-plpython3",
        "pgpool-recovery = 2.0.0-1",
    } <= required


def test_enterprise_linux_8_can_read_them(packages: Packages) -> None:
    """Its rpm is 4.14."""
    for package in (*packages.command, *packages.extension):
        features = {
            line.split()[0] for line in asked(package, "--requires") if line.startswith("rpmlib(")
        }
        assert features <= {
            "rpmlib(CompressedFileNames)",
            "rpmlib(FileDigests)",
            "rpmlib(PayloadFilesHavePrefix)",
            "rpmlib(PayloadIsXz)",
            "rpmlib(RichDependencies)",
        }


def test_they_provide_only_their_own_names(packages: Packages) -> None:
    provided = asked(packages.command[0], "--provides")
    assert provided == ["pgpool-recovery = 2.0.0-1"]


def test_every_file_belongs_to_root_and_only_root_can_write_it(packages: Packages) -> None:
    for package in (packages.command[0], packages.extension[0]):
        for line in asked(package, "--qf", "[%{FILEMODES:perms} %{FILEUSERNAME} %{FILENAMES}\n]"):
            mode, owner, path = line.split()
            assert (mode[5], mode[8], owner) == ("-", "-", "root"), path


def test_nothing_tells_the_machine_that_built_them(packages: Packages) -> None:
    tags = ("BUILDHOST", "BUILDTIME", "COOKIE", "OPTFLAGS", "VENDOR", "PLATFORM")
    (line,) = asked(packages.command[0], "--qf", "|".join(f"%{{{tag}}}" for tag in tags) + "\n")
    values = dict(zip(tags, line.split("|"), strict=True))
    assert values["BUILDHOST"] == "reproducible"
    assert values["BUILDTIME"] == str(WHEN)
    assert os.uname().nodename not in line
    assert os.uname().machine not in values["PLATFORM"]


def test_same_bytes_each_time(
    wheels: Path, packages: Packages, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In another directory, time zone and locale, and with another umask."""
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setenv("TZ", "Asia/Tokyo")
    monkeypatch.setenv("LANG", "C")
    umask = os.umask(0o077)
    try:
        rpms = [command(wheels), extension(wheels, MAJOR, "2.0.0-2")]
        again = assemble(rpms, "2.0.0-2", WHEN + 60, tmp_path)
    finally:
        os.umask(umask)
    for one, two in zip((packages.command[1], packages.extension[1]), again, strict=True):
        assert one.read_bytes() == two.read_bytes(), one.name


def test_rpmlint_finds_nothing(packages: Packages) -> None:
    both = (str(packages.command[1]), str(packages.extension[1]))
    words = ["rpmlint", "--config", str(RPMLINT), *both]
    done = subprocess.run(words, capture_output=True, text=True, timeout=120)
    assert done.stderr == ""
    assert "checks: 26, packages: 2" in done.stdout
    found = [line for line in done.stdout.splitlines() if ": E: " in line or ": W: " in line]
    assert found == []


def test_license_names_those_of_all_wheels(wheels: Path) -> None:
    """Of the locked packages as they are installed here, and of our own wheel."""
    (ours,) = wheels.glob("*.whl")
    with zipfile.ZipFile(ours) as archive:
        (name,) = (name for name in archive.namelist() if name.endswith("/METADATA"))
        own = BytesParser(policy=default).parsebytes(archive.read(name))
    locked = (ROOT / "requirements" / "runtime.txt").read_text().splitlines()
    names = [line.split("==")[0] for line in locked if "==" in line and "win32" not in line]
    assert len(names) >= 6
    named = {own["License-Expression"]}
    for name in names:
        about = distribution(name).metadata
        classifiers = " ".join(about.get_all("Classifier") or [])
        named.add(about["License-Expression"] or ("MIT" if "MIT License" in classifiers else name))
    assert set(INSIDE.split(" AND ")) == named


def test_scripts_are_plain_sh(packages: Packages, tmp_path: Path) -> None:
    for package in (packages.command[0], packages.extension[0]):
        tags = ("PREIN", "POSTIN", "PREUN", "POSTUN", "POSTTRANS", "TRIGGERSCRIPTS")
        for tag in tags:
            said = "\n".join(asked(package, "--qf", f"[%{{{tag}}}\n]"))
            assert "@" not in said.replace('"$@"', "")
            script = tmp_path / tag
            script.write_text(said)
            subprocess.run(["sh", "-n", str(script)], check=True, timeout=60)
