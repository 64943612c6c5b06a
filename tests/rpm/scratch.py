"""A root directory of its own for rpm: an overlay of this system, in a mount namespace."""

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from packages.rpm import FIXED, TOOL

DATABASE = "/var/lib/rpm"
# It ends, and all mounts with it, when its standard input does.
KEEPER = """
set -e
mount -t tmpfs scratch /mnt
mkdir /mnt/upper /mnt/work /mnt/root
mount -t overlay scratch /mnt/root -o lowerdir="$2",upperdir=/mnt/upper,workdir=/mnt/work
mkdir -p /mnt/root/var/lib/rpm
mkdir /mnt/packages
mount --bind "$1" /mnt/packages
echo ready
read -r line
"""
STOCK_SPEC = """
Name: {name}
Version: {version}
Release: 1
Summary: Stock extensions
License: PostgreSQL
BuildArch: noarch
AutoReqProv: no
%description
Stock extensions.
%install
mkdir -p %{{buildroot}}{directory}
for name in pgpool_recovery pgpool_adm pgpool_regclass; do
    echo "# stock {version} $name" > %{{buildroot}}{directory}/$name.control
    echo "-- stock {version} $name" > %{{buildroot}}{directory}/$name--{version}.sql
done
%files
{directory}
"""
PYTHON_SPEC = """
Name: python3.14
Version: 1
Release: 1
Summary: A link that is called like an interpreter
License: PostgreSQL
BuildArch: noarch
AutoReqProv: no
%description
A link.
%install
mkdir -p %{{buildroot}}/usr/bin
ln -s {interpreter} %{{buildroot}}/usr/bin/python3.14
%files
/usr/bin/python3.14
"""


@dataclass(frozen=True)
class ScratchRoot:
    """A root in which nothing is installed by rpm, and everything else is as on this system."""

    pid: int

    @property
    def upper(self) -> Path:
        """What differs from this system, to be read."""
        return Path(f"/proc/{self.pid}/root/mnt/upper")

    def at(self, path: str) -> Path:
        """Return a path in the scratch root, to be written."""
        return Path(f"/proc/{self.pid}/root/mnt/root{path}")

    def rpm(self, *words: str) -> str:
        """Run rpm; return what it printed. It must end well, and print no warning."""
        done = self.run("rpm", "--root", "/mnt/root", "--dbpath", DATABASE, *words)
        said = "".join(
            line
            for line in done.stderr.splitlines(keepends=True)
            # Debian's rpm begins with two lines against its use.
            if "use Alien instead" not in line and "you know what you are doing" not in line
        )
        assert (done.returncode, said) == (0, ""), done
        return done.stdout

    def install(self, *packages: Path) -> None:
        """Install or update packages in one transaction, whatever they require."""
        self.rpm("-U", "--nodeps", *(f"/mnt/packages/{package.name}" for package in packages))

    def remove(self, *names: str) -> None:
        """Remove packages in one transaction."""
        self.rpm("-e", "--nodeps", *names)

    def run(self, *words: str) -> subprocess.CompletedProcess[str]:
        """Run a program in the mount namespace; below /mnt/root there is the scratch root."""
        return subprocess.run(
            ["nsenter", "--mount", f"--target={self.pid}", *words],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=120,
        )

    def chrooted(self, *words: str) -> subprocess.CompletedProcess[str]:
        """Run a program in the scratch root."""
        return self.run("chroot", "/mnt/root", *words)

    def files(self, below: str = "/") -> dict[str, str]:
        """Return all files that differ from this system, by their path, with their contents."""
        paths = sorted(self.upper.joinpath(below.lstrip("/")).rglob("*"))
        found = {
            f"/{path.relative_to(self.upper)}": path.read_bytes().decode(errors="replace")
            for path in paths
            if path.is_file() and not path.is_symlink()
        }
        return {path: text for path, text in found.items() if not path.startswith(DATABASE)}


@contextmanager
def scratch_root(packages: Path, system: Path = Path("/")) -> Iterator[ScratchRoot]:
    """Make a root like a system, with a directory of packages beside it; nothing is left of it."""
    words = ["unshare", "--mount", "--propagation=private", "sh", "-c", KEEPER, "sh"]
    with subprocess.Popen(
        [*words, str(packages), str(system)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as keeper:
        assert keeper.stdin is not None
        assert keeper.stdout is not None
        assert keeper.stderr is not None
        try:
            assert keeper.stdout.readline() == "ready\n", keeper.stderr.read()
            yield ScratchRoot(keeper.pid)
        finally:
            keeper.stdin.close()
            keeper.wait(timeout=30)


def stock_package(name: str, version: str, directory: str, into: Path) -> Path:
    """Build a package with files of the stock package's names."""
    text = STOCK_SPEC.format(name=name, version=version, directory=directory)
    return _built(text, into / f"{name}-{version}-1.noarch.rpm", into)


def python_package(interpreter: str, into: Path) -> Path:
    """Build a package with an interpreter of another version."""
    text = PYTHON_SPEC.format(interpreter=interpreter)
    return _built(text, into / "python3.14-1-1.noarch.rpm", into)


def _built(text: str, package: Path, into: Path) -> Path:
    spec = into / f"{package.stem}.spec"
    spec.write_text(text)
    macros = {**FIXED, "_topdir": str(into / "build"), "_rpmdir": str(into)}
    defined = [word for name in macros for word in ("--define", f"{name} {macros[name]}")]
    words = [TOOL, "-bb", "--quiet", "--target", "noarch-linux", *defined, str(spec)]
    subprocess.run(words, check=True, capture_output=True, timeout=120)
    return package
