"""Debian packages on a host: install and remove them, and what that leaves on its disk."""

import re
import shutil
from pathlib import Path, PurePath

from tests.harness.command import Completed
from tests.harness.host import Host

_NEW = PurePath("/root/packages")
_QUIET = {"DEBIAN_FRONTEND": "noninteractive", "LC_ALL": "C.UTF-8"}
_WITHIN_S = 120
_WHERE = ("/bin", "/etc", "/lib", "/opt", "/root", "/sbin", "/srv", "/usr", "/var")
_REMEMBERED = re.compile(
    r"/root/packages(/.*)?|/var/cache/(apt|debconf|man|ldconfig)(/.*)?|/var/log/.*"
    r"|/var/lib/apt/.*|/var/lib/dpkg/(status|available|diversions|triggers/(File|Lock)|lock)(-.*|)"
    r"|/var/lib/dpkg/(lock-frontend|info/format)|/var/cache/postgresql/.*|/etc/ld\.so\.cache"
)
"""What dpkg and apt themselves remember, of any package."""


def apt(host: Host, *words: str | PurePath) -> Completed:
    """Run apt-get as root, which asks nothing and needs no network."""
    unsafe = "DPkg::Options::=--force-unsafe-io"
    argv = ["apt-get", "--yes", "--no-install-recommends", "-o", unsafe, *words]
    return host.run(argv, user="root", env=_QUIET, timeout_s=_WITHIN_S)


def install(host: Host, *files: Path) -> Completed:
    """Install package files as `apt-get install ./FILE` does."""
    host.make_directory(_NEW, owner="root")
    for file in files:
        shutil.copy(file, host.path(_NEW / file.name))
    return apt(host, "install", *(_NEW / file.name for file in files))


def version_of(host: Host, package: str) -> str | None:
    """Return the version of an installed package."""
    argv = ["dpkg-query", "--show", "--showformat=${db:Status-Status} ${Version}", package]
    status, _, version = host.run(argv, check=False).stdout.partition(" ")
    return version if status == "installed" else None


def contents(host: Host, *packages: str) -> set[str]:
    """Return the paths of all files and directories of installed packages."""
    return set(host.run(["dpkg-query", "--listfiles", *packages]).stdout.splitlines())


def diversions(host: Host) -> list[str]:
    return host.run(["dpkg-divert", "--list"]).stdout.splitlines()


def complaints(host: Host, *packages: str) -> list[str]:
    """Return the files of packages that differ from what the packages contain."""
    return host.run(["dpkg", "--verify", *packages], user="root", check=False).stdout.splitlines()


def files(host: Host) -> dict[str, str]:
    """Return all files outside of home directories of servers: kind, mode, owner, size, time.

    Without what dpkg and apt remember. Directories have no time.
    """
    form = r"%p\0%y %m %U %G %l %s %T@\n"
    where = [one for one in _WHERE if host.path(one).exists()]
    argv = ["find", *where, "-xdev", "-printf", form]
    lines = (line.partition("\0") for line in host.run(argv, user="root").stdout.splitlines())
    return {path: _without_time(kind) for path, _, kind in lines if not _REMEMBERED.fullmatch(path)}


def _without_time(kind: str) -> str:
    return " ".join(kind.split(" ")[:-2]) if kind.startswith("d") else kind


def difference(before: dict[str, str], after: dict[str, str]) -> dict[str, str]:
    """Return what has come, gone or changed: for each path, how."""
    return {
        path: f"{before.get(path)} -> {after.get(path)}"
        for path in sorted(before.keys() | after.keys())
        if before.get(path) != after.get(path)
    }
