"""Build the packages for Debian and Ubuntu with dpkg-deb."""

import gzip
import hashlib
import subprocess
import tempfile
import textwrap
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import format_datetime
from pathlib import Path

from packages import contents
from packages.generated import ZSH_DEBIAN, zsh_completion
from packages.licences import copyright_file
from packages.project import (
    DESCRIPTION,
    EXTENSION_DESCRIPTION,
    EXTENSION_SUMMARY,
    MAINTAINER,
    MAJORS,
    NAME,
    RELEASE,
    SUMMARY,
    source_date,
    version,
)
from packages.tree import File, Tree, merged, text, write

TOOL = "dpkg-deb"
PYTHONS = "python3 (>= 3.11) | python3.11 | python3.12 | python3.13"
COMMAND_DEPENDS = f"{PYTHONS}, libpq5, openssh-client"
COMMAND_RECOMMENDS = "libisal2, libxxhash0, libzstd1"
"""Without one of these, a recovery takes more processor time, or sends more."""
TRIGGERS = "".join(
    f"interest-noawait /usr/bin/{name}\n"
    for name in ("python3", *(f"python3.{minor}" for minor in range(11, 20)))
)
"""The package is told when one of these files comes, changes or goes."""


@dataclass(frozen=True)
class Deb:
    """A package: the fields of its control file, its files, and its maintainer scripts."""

    name: str
    section: str
    depends: str
    summary: str
    description: str
    tree: Tree
    scripts: Mapping[str, str] = field(default_factory=dict)
    """From the name in the control archive, such as postinst or triggers."""
    enhances: str = ""
    recommends: str = ""


def build(wheels: Path, into: Path) -> list[Path]:
    """Build all packages from a directory of wheels; return their paths.

    The same wheels, version and SOURCE_DATE_EPOCH give the same bytes.
    """
    full = f"{version(wheels)}-{RELEASE}"
    when = source_date()
    debs = [command(wheels), *(extension(wheels, major, full) for major in MAJORS)]
    return [_build(deb, full, when, into) for deb in debs]


def command(wheels: Path) -> Deb:
    """Return the package with the command."""
    return Deb(
        name=NAME,
        section="database",
        depends=COMMAND_DEPENDS,
        recommends=COMMAND_RECOMMENDS,
        summary=SUMMARY,
        description=DESCRIPTION,
        tree=merged(contents.command(wheels), zsh_completion(ZSH_DEBIAN), _copyright(NAME, wheels)),
        scripts={
            "postinst": _script("command.postinst.sh"),
            "prerm": _script("command.prerm.sh"),
            "postrm": _script("command.postrm.sh"),
            "triggers": TRIGGERS,
        },
        enhances="pgpool2",
    )


def extension(wheels: Path, major: int, full: str) -> Deb:
    """Return the package with the extensions for one PostgreSQL major; `full` is our version."""
    name = f"postgresql-{major}-{NAME}"
    directory = f"/usr/share/postgresql/{major}/extension"
    return Deb(
        name=name,
        section="database",
        depends=f"postgresql-{major}, postgresql-plpython3-{major}, {NAME} (= {full})",
        summary=EXTENSION_SUMMARY.format(major),
        description=EXTENSION_DESCRIPTION,
        tree=merged(contents.extension(wheels, directory, name), _copyright(name, wheels)),
        scripts={
            kind: _script(f"extension.{kind}.sh")
            .replace("@PACKAGE@", name)
            .replace("@DIRECTORY@", directory)
            for kind in ("preinst", "postinst", "postrm")
        },
        enhances="pgpool2",
    )


def control_file(deb: Deb, full: str, installed_kib: int) -> str:
    """Return the control file of a package."""
    fields = {
        "Package": deb.name,
        "Version": full,
        "Architecture": "all",
        "Maintainer": MAINTAINER,
        "Installed-Size": str(installed_kib),
        "Depends": deb.depends,
        "Recommends": deb.recommends,
        "Enhances": deb.enhances,
        "Section": deb.section,
        "Priority": "optional",
        "Description": deb.summary,
    }
    lines = [f"{name}: {value}\n" for name, value in fields.items() if value]
    folded = textwrap.wrap(deb.description.replace("\n", " "), 76)
    return "".join([*lines, *(f" {line}\n" for line in folded)])


def changelog(package: str, full: str, when: int) -> File:
    """Return Debian's changelog of a package, compressed the same way each time."""
    date = format_datetime(datetime.fromtimestamp(when, UTC))
    words = (
        f"{package} ({full}) unstable; urgency=medium\n\n"
        "  * The changes are in changelog.gz of the package pgpool-recovery.\n\n"
        f" -- {MAINTAINER}  {date}\n"
    )
    return _compressed(words.encode())


def _build(deb: Deb, full: str, when: int, into: Path) -> Path:
    tree = _with_debian_documents(deb, full, when)
    size = sum(_kib(entry) for entry in tree.values())
    sums = "".join(
        f"{hashlib.md5(entry.contents, usedforsecurity=False).hexdigest()}  {path[1:]}\n"
        for path, entry in tree.items()
        if isinstance(entry, File)
    )
    scripts = {
        f"/DEBIAN/{name}": text(words, 0o644 if name == "triggers" else 0o755)
        for name, words in deb.scripts.items()
    }
    about = {"/DEBIAN/control": text(control_file(deb, full, size)), "/DEBIAN/md5sums": text(sums)}
    path = into / f"{deb.name}_{full}_all.deb"
    with tempfile.TemporaryDirectory() as root:
        write(merged(tree, about, scripts), Path(root), when)
        subprocess.run(
            [TOOL, "--root-owner-group", "-Zxz", "--threads-max=1", "--build", root, path],
            env={"PATH": "/usr/bin:/bin", "SOURCE_DATE_EPOCH": str(when), "LC_ALL": "C.UTF-8"},
            stdout=subprocess.DEVNULL,
            check=True,
        )
    return path


def _with_debian_documents(deb: Deb, full: str, when: int) -> Tree:
    """Return the files with changelogs where Debian has them, compressed."""
    directory = f"/usr/share/doc/{deb.name}"
    tree = {**deb.tree, **_overrides(deb.name)}
    tree[f"{directory}/changelog.Debian.gz"] = changelog(deb.name, full, when)
    ours = tree.pop(f"{directory}/CHANGELOG.md", None)
    if isinstance(ours, File):
        tree[f"{directory}/changelog.gz"] = _compressed(ours.contents)
    return merged(tree)


def _overrides(package: str) -> Tree:
    """Return what lintian is told about a package, each with its reason."""
    words = (
        "# It is no upload to Debian, so there is no request for a package that it could close.\n"
        f"{package}: initial-upload-closes-no-bugs [*]\n"
    )
    return {f"/usr/share/lintian/overrides/{package}": text(words)}


def _copyright(package: str, wheels: Path) -> Tree:
    return {f"/usr/share/doc/{package}/copyright": text(copyright_file(wheels))}


def _script(name: str) -> str:
    words = contents.script(name)
    return words.replace("@COMPILE@\n", contents.script("compile.sh"))


def _compressed(contents_: bytes) -> File:
    return File(gzip.compress(contents_, 9, mtime=0))


def _kib(entry: object) -> int:
    """Return what an entry counts in Installed-Size: whole KiB, one for what is not a file."""
    return -(-len(entry.contents) // 1024) if isinstance(entry, File) else 1
