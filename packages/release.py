"""python -m packages.release: build a release from a tag, or say why this is none."""

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from packages.project import NAME, ROOT

VERSION = re.compile(r'^__version__ = "(.+)"$', re.MULTILINE)
HEADING = re.compile(r"^## (\S+) \((.*)\)$", re.MULTILINE)
DEFAULT = re.compile(r"^default_version = '(.+)'$", re.MULTILINE)
MAX_SHOWN = 5


@dataclass(frozen=True)
class Source:
    """What decides whether a source tree is a release.

    `changes` are the paths with changes, or unknown to git. `tags` are those of the commit.
    `controls` has the text of each extension's control file, by the extension's name.
    """

    changes: tuple[str, ...]
    tags: tuple[str, ...]
    version: str
    changelog: str
    meta: str
    controls: Mapping[str, str]


def main() -> int:
    """Build the release of this checkout; without one, print the reasons and return 1."""
    source = read(ROOT)
    reasons = list(reasons_against(source))
    if reasons:
        print("ERROR:  this is not a release", file=sys.stderr)
        print(*(f"DETAIL:  {reason}" for reason in reasons), sep="\n", file=sys.stderr)
        return 1
    into = ROOT / "dist" / f"{NAME}-{source.version}"
    try:
        build(into)
    except subprocess.CalledProcessError as error:
        print(f"ERROR:  could not build the release: {error}", file=sys.stderr)
        return 1
    print(into)
    return 0


def read(root: Path) -> Source:
    """Return what a checkout says about itself; raise CalledProcessError outside of git."""
    status = _git(root, "status", "--porcelain", "--untracked-files=all")
    version = VERSION.search((root / "src" / "pgpool_recovery" / "__init__.py").read_text())
    return Source(
        changes=tuple(line[3:] for line in status.splitlines()),
        tags=tuple(_git(root, "tag", "--points-at", "HEAD").split()),
        version=version[1] if version else "",
        changelog=(root / "CHANGELOG.md").read_text(),
        meta=(root / "extension" / "META.json").read_text(),
        controls={
            file.stem: file.read_text() for file in sorted((root / "extension").glob("*.control"))
        },
    )


def reasons_against(source: Source) -> Iterator[str]:
    """Yield each reason why a source tree is not a release."""
    if source.changes:
        more = len(source.changes) - MAX_SHOWN
        shown = ", ".join(source.changes[:MAX_SHOWN]) + (f" and {more} more" if more > 0 else "")
        yield f"Not committed: {shown}."
    tag = f"v{source.version}"
    if tag not in source.tags:
        others = ", ".join(source.tags) or "none"
        yield f"The commit does not have the tag {tag}; its tags: {others}."
    yield from _changelog(source)
    yield from _extensions(source)


def _changelog(source: Source) -> Iterator[str]:
    heading = HEADING.search(source.changelog)
    if heading is None or heading[1] != source.version:
        yield f"CHANGELOG.md does not begin with a heading ## {source.version} (date)."
        return
    try:
        date.fromisoformat(heading[2])
    except ValueError:
        yield f'CHANGELOG.md has "{heading[2]}" for {source.version} where the date belongs.'


def _extensions(source: Source) -> Iterator[str]:
    meta = json.loads(source.meta)
    if meta["version"] != source.version:
        yield f"extension/META.json has the version {meta['version']}."
    for name in sorted({*meta["provides"], *source.controls}):
        default = DEFAULT.search(source.controls.get(name, ""))
        there = meta["provides"].get(name, {}).get("version", "none")
        # An extension's version has two numbers, as PostgreSQL's own have; PGXN wants three.
        wanted = f"{default[1]}.0" if default else "none"
        if there != wanted:
            yield f"extension/META.json has version {there} for {name}, and should have {wanted}."


def build(into: Path) -> None:
    """Build the release of the commit that is checked out, from its files alone.

    Ignored files of the checkout, which may be remains of other versions, are not used. `into`
    appears only when it is complete; one that is there is replaced.
    """
    into.parent.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(dir=into.parent, prefix=".release-") as place:
        tree, made = Path(place, "source"), Path(place, into.name)
        export(tree)
        when = _git(ROOT, "log", "-1", "--format=%ct").strip()
        subprocess.run(
            [sys.executable, "-m", "packages.artefacts", "--into", str(made)],
            cwd=tree,
            env={**os.environ, "SOURCE_DATE_EPOCH": when, "PYTHONPATH": str(tree / "src")},
            check=True,
        )
        if into.exists():
            shutil.rmtree(into)
        made.rename(into)


def export(tree: Path) -> None:
    """Write the files of the commit that is checked out into a new directory."""
    tree.mkdir()
    with tempfile.TemporaryFile() as archive:
        git = ["git", "-C", str(ROOT), "archive", "--format=tar", "HEAD"]
        subprocess.run(git, stdout=archive, check=True)
        archive.seek(0)
        subprocess.run(["tar", "-x", "-C", str(tree)], stdin=archive, check=True)


def _git(root: Path, *words: str) -> str:
    return subprocess.run(
        ["git", "-C", root, *words], capture_output=True, text=True, check=True
    ).stdout


if __name__ == "__main__":
    sys.exit(main())
