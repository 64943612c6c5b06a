"""Build the packages for Enterprise Linux with rpmbuild: one spec file, a package for each part."""

import subprocess
import tempfile
import textwrap
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path, PurePosixPath

from packages import contents
from packages.generated import ZSH, zsh_completion
from packages.licences import copyright_file
from packages.project import (
    DESCRIPTION,
    EXTENSION_DESCRIPTION,
    EXTENSION_SUMMARY,
    LICENSE,
    MAINTAINER,
    MAJORS,
    NAME,
    RELEASE,
    SUMMARY,
    source_date,
    version,
)
from packages.tree import Entry, File, Link, Tree, merged, text, write

TOOL = "rpmbuild"
PYTHONS = ("python3", "python3.11", "python3.12", "python3.13", "python3.14")
"""The packages with an interpreter; on EL 8 and 9 `python3` is 3.6 and 3.9, with others beside it.

A file trigger for /usr/bin/python3 would know them all, but rpm looks for directories that begin
so, not files (findings/file_trigger.sh).
"""
ANY_PYTHON = f"({' or '.join(['python3 >= 3.11', *PYTHONS[1:]])})"
COMMAND_REQUIRES = (ANY_PYTHON, "libpq.so.5()(64bit)", "openssh-clients")
INSIDE = "PostgreSQL AND BSD-2-Clause AND LGPL-3.0-only AND MIT AND PSF-2.0"
"""The licences of our wheel and of those that it needs (test_license_names_those_of_all_wheels)."""
KEPT = "/usr/share/pgpool-recovery"
OWN_DIRECTORIES = (
    contents.LIBRARY,
    KEPT,
    "/usr/share/doc/",
    "/usr/share/licenses/",
    "/usr/share/fish",
    "/usr/share/zsh",
)
"""Directories whose paths begin so are part of each package that has files in them.

Those of a shell belong to it as well; without it, they would stay behind.
"""
STOCK = "pgpool-II-pg{}-extensions"
FIXED = {
    # Every byte follows from the sources: neither this machine nor the time is recorded.
    "_buildhost": "reproducible",
    "use_source_date_epoch_as_buildtime": "1",
    "clamp_mtime_to_source_date_epoch": "1",
    "source_date_epoch_from_changelog": "0",
    "optflags": "%{nil}",
    "vendor": "%{nil}",
    "_binary_payload": "w2.xzdio",
    "_build_name_fmt": "%%{NAME}-%%{VERSION}-%%{RELEASE}.%%{ARCH}.rpm",
    # No script of the build machine's distribution touches the files: one would byte-compile them
    # for its own Python.
    "__os_install_post": "%{nil}",
    "debug_package": "%{nil}",
    "_build_id_links": "none",
}


@dataclass(frozen=True)
class Rpm:
    """A package: its tags, its files, and its scriptlets by the line that begins their section."""

    name: str
    summary: str
    description: str
    license: str
    requires: tuple[str, ...]
    tools: tuple[str, ...]
    """The packages whose programs the scriptlets run."""
    tree: Tree
    scripts: Mapping[str, str] = field(default_factory=dict)


def build(wheels: Path, into: Path) -> list[Path]:
    """Build all packages from a directory of wheels; return their paths.

    The same wheels, version and SOURCE_DATE_EPOCH give the same bytes.
    """
    full = f"{version(wheels)}-{RELEASE}"
    rpms = [command(wheels), *(extension(wheels, major, full) for major in MAJORS)]
    return assemble(rpms, full, source_date(), into)


def assemble(rpms: list[Rpm], full: str, when: int, into: Path) -> list[Path]:
    """Build packages of the version `full`, which were made at the time `when` (Unix)."""
    with tempfile.TemporaryDirectory() as scratch:
        files = Path(scratch, "files")
        write(merged(*(rpm.tree for rpm in rpms)), files, when)
        spec = Path(scratch, f"{NAME}.spec")
        spec.write_text(spec_file(rpms, full, when))
        macros = {**FIXED, "_topdir": scratch, "_rpmdir": str(into), "staged": str(files)}
        defined = [word for name in macros for word in ("--define", f"{name} {macros[name]}")]
        subprocess.run(
            [TOOL, "-bb", "--quiet", "--target", "noarch-linux", *defined, spec],
            env={
                "PATH": "/usr/sbin:/usr/bin:/sbin:/bin",
                "HOME": scratch,
                "SOURCE_DATE_EPOCH": str(when),
                "LC_ALL": "C.UTF-8",
            },
            stdout=subprocess.DEVNULL,
            check=True,
        )
    return [into / f"{rpm.name}-{full}.noarch.rpm" for rpm in rpms]


def command(wheels: Path) -> Rpm:
    """Return the package with the command."""
    return Rpm(
        name=NAME,
        summary=SUMMARY,
        description=DESCRIPTION,
        license=INSIDE,
        requires=COMMAND_REQUIRES,
        tools=("findutils", "coreutils"),
        tree=merged(contents.command(wheels), zsh_completion(ZSH), _licences(NAME, wheels)),
        scripts={
            "%post": _script("command.post.sh"),
            "%posttrans": _script("command.posttrans.sh"),
            "%preun": _script("command.preun.sh"),
            "%postun": _script("command.postun.sh"),
            f"%triggerin -- {', '.join(PYTHONS)}": _script("command.triggerin.sh"),
        },
    )


def extension(wheels: Path, major: int, full: str) -> Rpm:
    """Return the package with the extensions for a server of PGDG; `full` is our version."""
    name = f"{NAME}-pg{major}"
    directory, kept = f"/usr/pgsql-{major}/share/extension", f"{KEPT}/pgsql-{major}"
    stock = STOCK.format(major)

    def script(kind: str) -> str:
        words = _script(f"extension.{kind}.sh").replace("@PACKAGE@", name)
        return words.replace("@DIRECTORY@", directory).replace("@KEPT@", kept)

    return Rpm(
        name=name,
        summary=EXTENSION_SUMMARY.format(major),
        description=EXTENSION_DESCRIPTION,
        license=LICENSE,
        requires=(
            f"postgresql{major}-server",
            f"postgresql{major}-plpython3",
            f"{NAME} = {full}",
        ),
        tools=("coreutils", "grep"),
        tree=merged(
            elsewhere(contents.extension(wheels, directory, name), directory, kept),
            contents.documents(name),
            _licences(name, wheels),
        ),
        scripts={
            f"%post -n {name}": script("post"),
            f"%preun -n {name}": script("preun"),
            f"%triggerin -n {name} -- {stock}": script("triggerin"),
            f"%triggerpostun -n {name} -- {stock}": script("triggerpostun"),
        },
    )


def elsewhere(tree: Tree, directory: str, kept: str) -> Tree:
    """Return the files of an extension with the control files in a directory of our own.

    The stock package has control files of the same names, and rpm lets no two packages have
    different files of one name. The scriptlets copy ours to their place.

    >>> list(elsewhere({"/e/a.control": text(""), "/e/a--1.sql": text("")}, "/e", "/k"))
    ['/e/a--1.sql', '/k/a.control']
    """
    moved: dict[str, Entry] = {
        path.replace(directory, kept) if path.endswith(".control") else path: entry
        for path, entry in tree.items()
    }
    return merged(moved)


def spec_file(rpms: list[Rpm], full: str, when: int) -> str:
    """Return the spec file of packages, whose files lie in the directory of the macro `staged`."""
    first, *others = rpms
    number, _, release = full.rpartition("-")
    lines = [
        f"Name: {first.name}",
        f"Version: {number}",
        f"Release: {release}",
        f"Packager: {MAINTAINER}",
        "BuildArch: noarch",
        *_tags(first),
        *(line for rpm in others for line in (f"%package -n {rpm.name}", *_tags(rpm))),
        *(line for rpm in rpms for line in (f"%description -n {rpm.name}", *_folded(rpm))),
        "%install",
        'cp -a "%{staged}/." "%{buildroot}"',
        *(line for rpm in rpms for line in (f"%files -n {rpm.name}", *_files(rpm.tree))),
    ]
    scripts = [
        f"{section}\n{_escaped(words)}" for rpm in rpms for section, words in rpm.scripts.items()
    ]
    day = datetime.fromtimestamp(when, UTC).strftime("%a %b %d %Y")
    log = ["%changelog", f"* {day} {MAINTAINER} - {full}", "- The changes are in CHANGELOG.md."]
    return "\n".join([*lines, *scripts, *log]) + "\n"


def _tags(rpm: Rpm) -> Iterator[str]:
    yield f"Summary: {rpm.summary[0].upper()}{rpm.summary[1:]}"
    yield f"License: {rpm.license}"
    yield "Group: Applications/Databases"
    # rpmbuild would find the build machine's Python in what a script begins with.
    yield "AutoReqProv: no"
    yield from (f"Requires: {each}" for each in rpm.requires)
    yield from (f"Requires(post,preun): {each}" for each in rpm.tools)


def _folded(rpm: Rpm) -> list[str]:
    return textwrap.wrap(rpm.description.replace("\n", " "), 76)


def _files(tree: Tree) -> Iterator[str]:
    """Yield the lines for the files of a package, and for the directories that come with it."""
    parents = {parent for path in tree for parent in PurePosixPath(path).parents}
    for directory in sorted(map(str, parents)):
        if any(directory.startswith(own) for own in OWN_DIRECTORIES):
            yield f"%dir %attr(0755, root, root) {directory}"
    for path, entry in tree.items():
        yield " ".join([*_flags(path), *_mode(entry), path])


def _flags(path: str) -> Iterator[str]:
    if path.startswith(("/usr/share/doc/", "/usr/share/man/")):
        yield "%doc"
    elif path.startswith("/usr/share/licenses/"):
        yield "%license"


def _mode(entry: Entry) -> Iterator[str]:
    match entry:
        case File(_, mode):
            yield f"%attr({mode:04o}, root, root)"
        case Link():
            yield "%attr(-, root, root)"


def _licences(package: str, wheels: Path) -> Tree:
    return {f"/usr/share/licenses/{package}/copyright": text(copyright_file(wheels))}


def _script(name: str) -> str:
    words = contents.script(f"rpm/{name}")
    words = words.replace("@PLACE@\n", contents.script("rpm/place.sh"))
    return words.replace("@COMPILE@\n", contents.script("compile.sh"))


def _escaped(words: str) -> str:
    return words.replace("%", "%%")
