"""What the name of a package file says: the package and its version.

Only the standard library, so that it can be tested without Ansible.
"""

from __future__ import annotations

import re
from typing import Any, Iterable, Mapping, Sequence

DEB = re.compile(r"(?P<name>[^_/]+)_(?P<version>[^_]+)_[^_]+\.deb")
RPM = re.compile(r"(?P<name>[^/]+)-(?P<version>[^-]+-[^-]+)\.[^.]+\.rpm")


def files_to_install(
    files: Iterable[str], packages: Mapping[str, Sequence[Mapping[str, Any]]]
) -> list[str]:
    """Return the files whose package is not installed in that version, in the order of their names.

    `packages` are the facts of ansible.builtin.package_facts. Raises ValueError for a file whose
    name is not that of a package.

    >>> files_to_install(["dir/a_1.0-1_all.deb"], {"a": [{"version": "0.9-1"}]})
    ['dir/a_1.0-1_all.deb']
    """
    return sorted(file for file in files if not _is_installed(file, packages))


def _is_installed(file: str, packages: Mapping[str, Sequence[Mapping[str, Any]]]) -> bool:
    name, version = _parts(file)
    return any(_version(one) == version for one in packages.get(name, ()))


def _version(package: Mapping[str, Any]) -> str:
    """Return a version as in the names of files: rpm has its release apart, dpkg does not."""
    release = package.get("release")
    return f"{package['version']}-{release}" if release else str(package["version"])


def _parts(file: str) -> tuple[str, str]:
    base = file.rpartition("/")[2]
    found = DEB.fullmatch(base) or RPM.fullmatch(base)
    if found is None:
        raise ValueError(f"{base} is not the name of a package file")
    return found["name"], found["version"]
