"""Decide which packages a host lacks: the command, the extension's files, PL/Python."""

from collections.abc import Iterator

from pgpool_recovery.domain.error import Refused
from pgpool_recovery.domain.record import record
from pgpool_recovery.setup.facts import APT, DNF, ClusterState, HostState, PackageFiles
from pgpool_recovery.setup.need import Advice, Item, Need, There, words

NAME = "10-packages"
COMMAND = "pgpool-recovery"
WHY = (
    "The stage commands call pgpool-recovery there; the extension runs in the server, in PL/Python."
)
BEFORE = "packages_before"
REMOVAL = ("packages_removed",)


@record
class Wanted:
    """A package that a host should have, and the server's package whose version it must match."""

    name: str
    server: str | None = None


def packages(host: HostState, around: ClusterState) -> Iterator[Item]:
    """Yield what a host has of the packages, and what it lacks."""
    if host.problem is not None:
        yield _unseen(host, around.packages)
        return
    majors = sorted({node.major for node in host.nodes if node.major is not None})
    missing = [
        *(() if _has_command(host, around) else (Wanted(COMMAND),)),
        *(_extension(host, major) for major in majors if not _has_files(host, major, around)),
        *(_plpython(host, major) for major in majors if not _has_plpython(host, major)),
    ]
    if not missing:
        yield There(host.name, NAME, f"pgpool-recovery {host.version}, with the extension's files")
        return
    if host.manager is None:
        yield Advice(
            host.name,
            NAME,
            f"{_list(missing)} missing, and this system has neither apt-get nor dnf",
            "Install them as docs/how-to/install.md describes, then run setup again.",
            is_needed=True,
        )
        return
    is_packaged = COMMAND in host.installed or not _has_command(host, around)
    if not is_packaged and any(one.server is None for one in missing):
        yield _by_command(host, missing)
        return
    found = {one.name: _file(one.name, host, around.packages) for one in missing}
    unknown = [
        one
        for one in missing
        if found[one.name] is None and one.server is None and one.name not in host.offered
    ]
    if unknown:
        yield Advice(
            host.name,
            NAME,
            f"{_list(unknown)} missing, and neither a file nor a repository has it",
            "Put the package files into a directory, and name it with --packages.",
            is_needed=True,
        )
        return
    yield _by_packages(host, missing, found)


def _by_packages(host: HostState, missing: list[Wanted], found: dict[str, str | None]) -> Need:
    manager = host.manager or APT
    files = [file for file in found.values() if file is not None]
    given = [_given(one, found[one.name], manager) for one in missing]
    install = f"install_packages {' '.join(given)}"
    installed = " && ".join(f"is_installed {one.name}" for one in missing)
    if any(one.name in host.installed for one in missing):
        installed = "false"  # It is an older version; the package manager compares them.
    return Need(
        host.name,
        NAME,
        f"{_list(missing)} missing",
        WHY,
        test=installed,
        commands=(BEFORE, install, "packages_added"),
        undo=REMOVAL,
        files=tuple(files),
    )


def _unseen(host: HostState, files: PackageFiles | None) -> Need:
    """Return the need of a host that could not be examined; its script finds out the major."""
    data = host.nodes[0].backend.data_directory
    major = f'"$(head -n 1 {words(f"{data}/PG_VERSION")})"'
    if host.manager == APT:
        end, extension = ".deb", f"postgresql-{major}-pgpool-recovery"
        given = [
            f'"$PACKAGES"/{COMMAND}_*.deb',
            f'"$PACKAGES"/{extension}_*.deb',
            _given(Wanted(f"postgresql-plpython3-{major}", f"postgresql-{major}"), None, APT),
        ]
    else:
        end, extension = ".rpm", f"pgpool-recovery-pg{major}"
        given = [
            f'"$PACKAGES"/{COMMAND}-[0-9]*.rpm',
            f'"$PACKAGES"/{extension}-[0-9]*.rpm',
            _given(Wanted(f"postgresql{major}-plpython3", f"postgresql{major}-server"), None, DNF),
        ]
    return Need(
        host.name,
        NAME,
        "packages of the command, of the extension and of PL/Python, if they are missing",
        WHY,
        test=f"is_installed {COMMAND} && is_installed {extension}",
        commands=(BEFORE, f"install_packages {' '.join(given)}", "packages_added"),
        undo=REMOVAL,
        files=() if files is None else tuple(one for one in files.names if one.endswith(end)),
    )


def _by_command(host: HostState, missing: list[Wanted]) -> Need:
    """Have the command, which was installed in another way, install the extension's files."""
    node = next(node for node in host.nodes if node.bindir is not None)
    pg_config = f"{node.bindir}/pg_config"
    command = host.command or COMMAND
    others = [one for one in missing if one.server is not None]
    manager = host.manager or APT
    installs = [f"install_packages {_given(one, None, manager)}" for one in others]
    return Need(
        host.name,
        NAME,
        f"the files of the extension for PostgreSQL {node.major} are missing",
        WHY,
        test="false",
        commands=(
            BEFORE,
            *installs,
            "packages_added",
            words(command, "install", "--pg-config", pg_config),
        ),
        undo=(words(command, "uninstall", "--pg-config", pg_config), *REMOVAL),
    )


def _given(one: Wanted, file: str | None, manager: str) -> str:
    if file is not None:
        return f'"$PACKAGES"/{words(file)}'
    if one.server is None:
        return one.name
    if manager == APT:
        return f"{one.name}=\"$(dpkg-query -W -f '${{Version}}' {one.server})\""
    return f"{one.name}-\"$(rpm -q --qf '%{{VERSION}}-%{{RELEASE}}' {one.server})\""


def _file(name: str, host: HostState, files: PackageFiles | None) -> str | None:
    """Return the file of a package; raise Refused if there are several."""
    if files is None:
        return None
    end, sign = (".deb", "_") if host.manager == APT else (".rpm", "-")
    found = [
        file
        for file in files.names
        if file.endswith(end)
        and file.startswith(name + sign)
        and file.removeprefix(name + sign)[0].isdigit()
    ]
    if len(found) > 1:
        raise Refused(
            f"{files.directory} has more than one file of the package {name}",
            detail=f"They are {', '.join(sorted(found))}.",
            hint="Keep only the one to be installed.",
        )
    return found[0] if found else None


def _has_command(host: HostState, around: ClusterState) -> bool:
    return host.version == around.version


def _has_files(host: HostState, major: int, around: ClusterState) -> bool:
    nodes = [node for node in host.nodes if node.major == major]
    return all(node.control == around.extension_version for node in nodes)


def _has_plpython(host: HostState, major: int) -> bool:
    return all(node.has_plpython for node in host.nodes if node.major == major)


def _extension(host: HostState, major: int) -> Wanted:
    is_apt = host.manager == APT
    return Wanted(f"postgresql-{major}-pgpool-recovery" if is_apt else f"pgpool-recovery-pg{major}")


def _plpython(host: HostState, major: int) -> Wanted:
    """Return PL/Python's package, of the server's version: another one would restart the server."""
    if host.manager == APT:
        return Wanted(f"postgresql-plpython3-{major}", f"postgresql-{major}")
    return Wanted(f"postgresql{major}-plpython3", f"postgresql{major}-server")


def _list(missing: list[Wanted]) -> str:
    names = [one.name for one in missing]
    return f"{', '.join(names)} {'is' if len(names) == 1 else 'are'}"
