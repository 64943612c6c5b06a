"""Small wheels, from which packages are built in a moment."""

import zipfile
from pathlib import Path

LICENCE = "MIT License\n\nCopyright (c) 2020 Somebody\n\nDo what you like.\n"
CONTROL = "# Part of pgpool-recovery.\ndefault_version = '2.0'\n"
NAMES = ("pgpool_recovery", "pgpool_adm", "pgpool_regclass")


def make_wheels(directory: Path, version: str = "2.0.0") -> Path:
    """Write a wheel of ours, with files of the extensions, and one that it needs.

    Each version has a module that no other has.
    """
    directory.mkdir()
    extension = {
        f"pgpool_recovery/extension/{name}{suffix}": CONTROL
        for name in NAMES
        for suffix in (".control", "--2.0.sql")
    }
    extension[f"pgpool_recovery/extension/{only_in(version)}"] = CONTROL
    main = f"def main():\n    print('{version}')\n    return 0\n"
    ours = {
        "pgpool_recovery/__init__.py": "",
        f"pgpool_recovery/only_{version.replace('.', '_')}/__init__.py": "",
        "pgpool_recovery/cli/__init__.py": "",
        "pgpool_recovery/cli/main.py": main,
        **extension,
    }
    _make(directory, "pgpool_recovery", version, ours)
    _make(directory, "needed", "1.5", {"needed/__init__.py": "", "needed/py.typed": ""})
    return directory


def only_in(version: str) -> str:
    """Return the name of a file of the extension that no other version has."""
    return f"pgpool_recovery--{version}.sql"


def _make(directory: Path, name: str, version: str, files: dict[str, str]) -> None:
    info = f"{name}-{version}.dist-info"
    about = {
        f"{info}/METADATA": f"Metadata-Version: 2.4\nName: {name}\nLicense-Expression: MIT\n",
        f"{info}/licenses/LICENSE": LICENCE,
        f"{info}/RECORD": "",
    }
    with zipfile.ZipFile(directory / f"{name}-{version}-py3-none-any.whl", "w") as archive:
        for path, words in {**files, **about}.items():
            archive.writestr(path, words)
