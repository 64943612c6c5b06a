"""Debian's copyright file: whose the files of a package are, and under which licence."""

import re
import zipfile
from email.parser import BytesParser
from email.policy import default
from pathlib import Path

from packages.project import ROOT

FORMAT = "https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/"
OURS = "pgpool_recovery"
COPYRIGHT = re.compile(r"^\s*(Copyright\b.*\d{4}.*)$", re.MULTILINE | re.IGNORECASE)


def copyright_file(wheels: Path) -> str:
    """Return it for a package made from these wheels; each wheel brings its own licence."""
    others = [
        _of_wheel(wheel)
        for wheel in sorted(wheels.glob("*.whl"))
        if not wheel.name.startswith(OURS)
    ]
    ours = (ROOT / "LICENSE").read_text()
    return "\n".join(
        [
            f"Format: {FORMAT}\nUpstream-Name: pgpool-recovery\n",
            _stanza("*", "PostgreSQL", ours),
            *others,
        ]
    )


def _of_wheel(wheel: Path) -> str:
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
        (metadata,) = (name for name in names if name.endswith(".dist-info/METADATA"))
        about = BytesParser(policy=default).parsebytes(archive.read(metadata))
        words = "\n\n".join(
            archive.read(name).decode()
            for name in sorted(names)
            if re.search(r"\.dist-info/(licenses/)?(LICEN[CS]E|COPYING)[^/]*$", name)
        )
        roots = sorted({name.split("/")[0] for name in names if ".dist-info/" not in name})
    if not words:
        raise ValueError(f"{wheel.name} has no licence")
    where = " ".join(
        f"usr/lib/pgpool-recovery/{root}{'' if root.endswith('.py') else '/*'}" for root in roots
    )
    licence = about["License-Expression"] or about["License"] or about["Name"]
    return _stanza(where, f"{about['Name']}-{licence}".replace(" ", "-"), words)


def _stanza(where: str, name: str, words: str) -> str:
    holders = COPYRIGHT.findall(words) or [f"the authors of {name}"]
    body = "".join(f" {line}\n" if line.strip() else " .\n" for line in words.strip().splitlines())
    return f"Files: {where}\nCopyright: {(chr(10) + ' ').join(holders)}\nLicense: {name}\n{body}"
