"""What the packages contain besides code: made from the program, or as it lies in this folder."""

import gzip
from pathlib import Path

from packages.manual.pages import Build, pages
from packages.project import NAME, ROOT
from packages.settings_example import settings_example
from packages.tree import File, Tree, merged, text
from pgpool_recovery.cli.completion import bash_script, fish_script, zsh_script

UNITS = Path(__file__).parent / "systemd"
UNIT_DIRECTORY = "/usr/lib/systemd/system"
STATE = "/var/lib/pgpool-recovery-check"
"""The directory that systemd makes for the check; what removes a package for good removes it."""
ZSH_DEBIAN, ZSH = "/usr/share/zsh/vendor-completions", "/usr/share/zsh/site-functions"


def generated(version: str, when: int) -> Tree:
    """Return the files that are the same in every format; `when` is the date of the man pages."""
    return merged(manual(version, when), completions(), example(), units())


def manual(version: str, when: int) -> Tree:
    """Return the man pages, compressed as Debian demands and rpmbuild would do itself."""
    made = pages(ROOT, Build(when, version))
    return {
        f"/usr/share/man/man{name[-1]}/{name}.gz": File(gzip.compress(page.encode(), 9, mtime=0))
        for name, page in made.items()
    }


def completions() -> Tree:
    """Return the completions for the shells that have one directory in all distributions."""
    return {
        f"/usr/share/bash-completion/completions/{NAME}": text(bash_script()),
        f"/usr/share/fish/vendor_completions.d/{NAME}.fish": text(fish_script()),
    }


def zsh_completion(directory: str) -> Tree:
    """Return the completion for zsh, in a distribution's directory: ZSH_DEBIAN or ZSH."""
    return {f"{directory}/_{NAME}": text(zsh_script())}


def example() -> Tree:
    """Return the settings file with every setting as a comment."""
    page = (ROOT / "docs" / "reference" / "settings.md").read_text()
    return {f"/usr/share/doc/{NAME}/{NAME}.toml.example": text(settings_example(page))}


def units() -> Tree:
    """Return the systemd units. Nothing enables them.

    They need neither sysusers.d nor tmpfiles.d: their user, postgres, comes with the packages of
    PostgreSQL and of Pgpool-II, and systemd makes their directory when a check first runs. Then it
    belongs to the user of the unit, even if a drop-in has changed that.
    """
    return {f"{UNIT_DIRECTORY}/{file.name}": text(file.read_text()) for file in UNITS.iterdir()}
