"""The Debian systems that a host can run: this machine's own, and those of `make systems`."""

import os
from dataclasses import dataclass
from pathlib import Path

from .installation import Installation, installed_majors, system_installation

_USUAL_PLACE = "/var/cache/pgpool-recovery-systems"  # as in ci/build-systems


@dataclass(frozen=True)
class System:
    """A root filesystem with the programs, the users and the configuration of one release."""

    name: str
    root: Path

    @property
    def postgresql_majors(self) -> list[int]:
        return installed_majors(self.root)

    def installation(self, postgresql_major: int | None = None) -> Installation:
        """Return its installation of a major version, the newest by default."""
        return system_installation(postgresql_major, self.root)


OWN_SYSTEM = System("own", Path("/"))


def system_with(postgresql_major: int | None) -> System:
    """Return a system that has a major version: this machine's own if possible, and for None.

    Raises LookupError when no system has it.
    """
    if postgresql_major is None:
        return OWN_SYSTEM
    for system in (OWN_SYSTEM, *_other_systems()):
        if postgresql_major in system.postgresql_majors:
            return system
    raise LookupError(
        f"PostgreSQL {postgresql_major} is neither on this machine nor in a system below"
        f" {_place()}: run `make systems`"
    )


def built_system(name: str) -> System:
    """Return a system of `make systems`, which has the packages named there and nothing else.

    Raises LookupError when it is not there.
    """
    for system in _other_systems():
        if system.name == name:
            return system
    raise LookupError(f"there is no system {name} below {_place()}: run `make systems`")


def why_no_system(name: str) -> str | None:
    """Return why no host can run this system, or None when one can."""
    try:
        built_system(name)
    except LookupError as error:
        return str(error.args[0])
    return None


def why_no_postgresql(major: int) -> str | None:
    """Return why no host can run this major version, or None when one can."""
    try:
        system_with(major)
    except LookupError as error:
        return str(error.args[0])
    return None


def _other_systems() -> list[System]:
    roots = sorted(_place().glob("[!.]*/"))
    return [System(root.name, root) for root in roots]


def _place() -> Path:
    return Path(os.environ.get("PGPOOL_RECOVERY_SYSTEMS") or _USUAL_PLACE)
