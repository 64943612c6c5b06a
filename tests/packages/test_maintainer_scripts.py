"""What the scripts of our Debian packages do, from every state of a host, also when dpkg fails.

The packages have their real scripts and small files, on a host with the real dpkg. The stock
package is replaced by one that has only its control files, in two versions.
"""

import subprocess
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from packages import contents, deb, generated
from packages.tree import Tree, text, write
from tests.harness.command import Completed
from tests.harness.host import Host
from tests.harness.switch import NetworkAddress
from tests.harness.system import OWN_SYSTEM, System, system_with
from tests.harness.workspace import Workspace
from tests.unit.packages.wheels import CONTROL, NAMES, make_wheels, only_in

pytestmark = pytest.mark.usefixtures("namespaces")


def system() -> System:
    """Return a system with few packages, so that dpkg is quick; this machine's if there is none."""
    try:
        return system_with(17)
    except LookupError:
        return OWN_SYSTEM


SYSTEM = system()
SAVED = ".before-pgpool-recovery"
BY_INSTALL = f"{CONTROL}# It was placed by pgpool-recovery install.\n"
OLD_SCRIPT = "pgpool_recovery--1.9--2.0.sql"
"""Of an earlier build of ours; no package has it."""
FIRST, SECOND = "2.0.0", "2.0.1"
COMMAND = "pgpool-recovery"
IN_THE_WAY = "in-the-way"


@dataclass(frozen=True)
class Site:
    """A host, and the package files that it can install."""

    host: Host
    packages: Path
    major: int

    @property
    def directory(self) -> Path:
        return Path(f"/usr/share/postgresql/{self.major}/extension")

    @property
    def extension(self) -> str:
        return f"postgresql-{self.major}-pgpool-recovery"

    @property
    def stock(self) -> str:
        return f"postgresql-{self.major}-pgpool2"

    def dpkg(self, *words: str | Path, check: bool = True, triggers: bool = False) -> Completed:
        """Run dpkg, by default without the triggers, most of them of PostgreSQL's packages."""
        argv = ["dpkg", "--force-unsafe-io", *([] if triggers else ["--no-triggers"]), *words]
        return self.host.run(argv, user="root", env={"LC_ALL": "C.UTF-8"}, check=check)

    def install(
        self, version: str, *names: str, check: bool = True, triggers: bool = False
    ) -> Completed:
        files = [next(self.packages.glob(f"{name}_{version}*_all.deb")) for name in names]
        return self.dpkg("--install", *files, check=check, triggers=triggers)

    def install_ours(self, version: str = FIRST, *, check: bool = True) -> Completed:
        return self.install(version, COMMAND, self.extension, check=check)

    def purge_ours(self) -> None:
        self.dpkg("--purge", self.extension, COMMAND)

    def put_in_the_way(self, path: Path) -> None:
        """Install a package with this file, so that dpkg cannot unpack ours."""
        make_deb(self.packages, IN_THE_WAY, "1", {str(path): text("")})
        self.install("1", IN_THE_WAY)

    def write(self, name: str, words: str) -> None:
        self.host.write_file(self.directory / name, words, owner="root", mode=0o644)

    def control_files(self) -> dict[str, str]:
        """Return the control files there, ours and the saved ones, and the old script."""
        place = self.host.path(self.directory)
        found = [*place.glob(f"{NAMES[0]}.control*"), *place.glob(OLD_SCRIPT)]
        return {path.name: path.read_text() for path in found}

    def diverted(self) -> list[str]:
        lines = self.host.run(["dpkg-divert", "--list", "*pgpool*"]).stdout.splitlines()
        return sorted(line.split()[2] for line in lines if line.endswith(f" by {self.extension}"))

    def traces(self) -> list[str]:
        """Return every path with a name of ours, but for what dpkg itself remembers."""
        argv = ["find", "/usr", "/etc", "/var/lib", "-xdev", "-name", "*pgpool*recovery*"]
        return self.host.run(argv, user="root").stdout.splitlines()

    def compiled(self) -> set[str]:
        """Return the names of the byte-compiled files, each with the number of its Python."""
        return {path.name for path in self.host.path(contents.LIBRARY).rglob("*.pyc")}


def make_deb(into: Path, name: str, version: str, files: Tree) -> None:
    control = f"Package: {name}\nVersion: {version}\nArchitecture: all\n"
    about = "Maintainer: A Test <test@example.org>\nDescription: a package for a test\n"
    argv = ["dpkg-deb", "--root-owner-group", "-Znone", "--build"]
    made = into / f"{name}_{version}_all.deb"
    with tempfile.TemporaryDirectory() as root:
        write({"/DEBIAN/control": text(control + about), **files}, Path(root), 0)
        subprocess.run([*argv, root, made], check=True, capture_output=True)


@pytest.fixture(scope="module")
def packages(workspace: Workspace) -> Path:
    major = SYSTEM.installation().major
    into = workspace.make("maintainer-scripts")
    for version in (FIRST, SECOND):
        deb.build(make_wheels(into / f"wheels-{version}", version), into)
    for version in ("98", "99"):
        files = {
            f"/usr/share/postgresql/{major}/extension/{name}.control": text(f"stock {version}\n")
            for name in NAMES
        }
        make_deb(into, f"postgresql-{major}-pgpool2", version, files)
    return into


@pytest.fixture
def site(packages: Path) -> Iterator[Site]:
    """Return a host with the stock package, in its first version."""
    with Host("delta", NetworkAddress(1), system=SYSTEM) as host:
        host.boot()
        site = Site(host, packages, SYSTEM.installation().major)
        site.install("98", site.stock)
        yield site


def over_stock(_site: Site) -> None:
    """Nothing of ours was there."""


def alone(site: Site) -> None:
    site.dpkg("--purge", site.stock)


def after_install(site: Site) -> None:
    """`pgpool-recovery install` has placed our files, and saved the stock control files."""
    for name in NAMES:
        site.write(f"{name}.control{SAVED}", "stock 98\n")
        site.write(f"{name}.control", BY_INSTALL)
    site.write(OLD_SCRIPT, BY_INSTALL)


def after_install_alone(site: Site) -> None:
    alone(site)
    for name in NAMES:
        site.write(f"{name}.control", BY_INSTALL)


def after_install_and_update_of_stock(site: Site) -> None:
    after_install(site)
    site.install("99", site.stock)


def after_install_and_removal_of_stock(site: Site) -> None:
    after_install(site)
    alone(site)


STOCK, NEWER = "stock 98\n", "stock 99\n"
CONTROL_FILE = f"{NAMES[0]}.control"
Files = dict[str, str]


@pytest.mark.parametrize(
    ("before", "saved", "after"),
    [
        (over_stock, STOCK, STOCK),
        (alone, None, None),
        (after_install, STOCK, STOCK),
        (after_install_alone, None, None),
        (after_install_and_update_of_stock, NEWER, NEWER),
        (after_install_and_removal_of_stock, None, None),
    ],
)
def test_stock_files_make_room_and_come_back(
    site: Site, before: Callable[[Site], None], saved: str | None, after: str | None
) -> None:
    before(site)
    at_first = site.control_files()
    conflicting = site.directory / f"{NAMES[2]}--2.0.sql"
    site.put_in_the_way(conflicting)
    failed = site.install_ours(check=False)
    assert "trying to overwrite" in failed.stderr
    assert site.diverted() == []
    outdated = {f"{CONTROL_FILE}{SAVED}": STOCK}
    kept = at_first if saved == STOCK else {k: v for k, v in at_first.items() if k not in outdated}
    assert site.control_files() == kept

    site.dpkg("--purge", IN_THE_WAY)
    site.install_ours()
    now = {CONTROL_FILE: CONTROL}
    if saved is not None:
        now[f"{CONTROL_FILE}{SAVED}"] = saved
    assert site.control_files() == now
    assert site.diverted() == [f"{site.directory}/{name}.control" for name in sorted(NAMES)]

    site.purge_ours()
    assert site.control_files() == ({} if after is None else {CONTROL_FILE: after})
    assert site.diverted() == []


def test_stock_package_comes_changes_and_goes_beside_ours(site: Site) -> None:
    alone(site)
    site.install_ours()
    ours = {CONTROL_FILE: CONTROL}
    for version in ("98", "99"):
        site.install(version, site.stock)
        saved = {f"{CONTROL_FILE}{SAVED}": f"stock {version}\n"}
        assert site.control_files() == {**ours, **saved}
    site.dpkg("--purge", site.stock)
    assert site.control_files() == ours
    site.install("99", site.stock)
    site.purge_ours()
    assert site.control_files() == {CONTROL_FILE: NEWER}


def test_update_again_and_back(site: Site) -> None:
    site.install_ours()
    files = site.control_files()
    for version in (SECOND, SECOND, FIRST):
        site.install_ours(version)
        assert site.control_files() == files
        assert len(site.diverted()) == len(NAMES)
        assert site.host.run([COMMAND]).stdout == f"{version}\n"
        only = site.host.path(contents.LIBRARY).glob("pgpool_recovery/only_*")
        assert [path.name for path in only] == [f"only_{version.replace('.', '_')}"]
        owned = site.host.path(contents.OWNED) / site.extension
        assert str(site.directory / only_in(version)) in owned.read_text().splitlines()
    site.purge_ours()
    assert site.control_files() == {CONTROL_FILE: STOCK}


def test_failed_update_leaves_the_version_before_it(site: Site) -> None:
    site.install_ours()
    files, diverted, compiled = site.control_files(), site.diverted(), site.compiled()
    site.put_in_the_way(site.directory / only_in(SECOND))
    assert "trying to overwrite" in site.install(SECOND, site.extension, check=False).stderr
    assert (site.control_files(), site.diverted()) == (files, diverted)
    site.dpkg("--purge", IN_THE_WAY)
    site.put_in_the_way(Path(contents.LIBRARY, "pgpool_recovery/only_2_0_1/__init__.py"))
    assert "trying to overwrite" in site.install(SECOND, COMMAND, check=False).stderr
    assert (site.host.run([COMMAND]).stdout, site.compiled()) == (f"{FIRST}\n", compiled)
    assert COMMAND not in site.dpkg("--audit").stdout


def test_nothing_of_ours_is_left(site: Site) -> None:
    before = site.traces()
    site.install_ours()
    for user in ("postgres", "root"):
        assert site.host.run([COMMAND], user=user).stdout == f"{FIRST}\n"
    assert site.compiled()
    site.purge_ours()
    assert site.traces() == before
    assert not site.host.path(contents.LIBRARY).exists()
    assert not site.host.path(contents.OWNED).parent.exists()


def test_timer_that_was_enabled_survives_an_update_and_goes_with_a_purge(site: Site) -> None:
    before = site.traces()
    site.install_ours()
    links = Path("/etc/systemd/system/timers.target.wants")
    link = site.host.path(links / "pgpool-recovery-check.timer")
    assert not link.is_symlink(), "nothing is enabled by an installation"
    site.host.run(["systemctl", "enable", link.name], user="root")
    site.host.write_file(f"{generated.STATE}/pgpool_recovery_check.prom", "")
    assert link.is_symlink()
    site.install_ours(SECOND)
    site.dpkg("--remove", site.extension, COMMAND)
    site.install_ours(SECOND)
    assert link.is_symlink()
    site.purge_ours()
    assert not link.is_symlink()
    assert site.traces() == before


def test_another_python_gets_its_own_compiled_files(site: Site) -> None:
    """As when the distribution is upgraded. This one only records what it is asked to do."""
    site.install_ours()
    stale = f"{contents.LIBRARY}/pgpool_recovery/__pycache__/gone.cpython-310.pyc"
    site.host.write_file(stale, "", owner="root")
    at_first = site.compiled()
    usual = site.host.path("/usr/bin/python3").readlink()
    site.host.run(["ln", "-sf", "python3.19", "/usr/bin/python3"], user="root")
    python = text('#!/bin/sh\necho "$@" >>/run/asked\n', 0o755)
    make_deb(site.packages, "new-python", "1", {"/usr/bin/python3.19": python})
    assert at_first
    site.install("1", "new-python", triggers=True)
    asked = site.host.path("/run/asked").read_text().splitlines()
    assert len(asked) == 1
    assert asked[0].startswith("-IS -m compileall ")
    assert asked[0].endswith(f" {contents.LIBRARY}")
    assert site.compiled() == set(), "those of the other Python are gone"
    site.host.run([COMMAND, "word"], user="root")
    assert site.host.path("/run/asked").read_text().splitlines()[1].endswith("start.py word")

    site.dpkg("--purge", "new-python", triggers=True)
    site.host.run(["ln", "-sf", usual, "/usr/bin/python3"], user="root")
    assert site.compiled() == at_first - {"gone.cpython-310.pyc"}, "it went, and this one is back"


def test_python_that_cannot_compile_does_not_stop_an_upgrade(site: Site) -> None:
    site.install_ours()
    site.host.run(["ln", "-sf", "python3.19", "/usr/bin/python3"], user="root")
    make_deb(
        site.packages,
        "bad-python",
        "1",
        {"/usr/bin/python3.19": text("#!/bin/sh\nexit 1\n", 0o755)},
    )
    done = site.install("1", "bad-python", triggers=True)
    assert "warning: not byte-compiled" in done.stderr
    assert COMMAND not in site.dpkg("--audit").stdout
