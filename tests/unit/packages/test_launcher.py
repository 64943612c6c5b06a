"""The launcher runs the right Python of those that a distribution has."""

import os
import subprocess
from pathlib import Path

import pytest

from packages import contents

SHELLS = ["/bin/dash", "/bin/bash"]
"""What /bin/sh is on Debian, and on Enterprise Linux."""
FAKE = '#!/bin/sh\nfor word in "$0" "$@"; do printf "%s\\n" "$word"; done\n'


def run(shell: str, directory: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """Run the launcher with this directory in place of /usr/bin, and nothing on PATH."""
    launcher = directory.parent / "launcher"
    launcher.write_text(contents.script("launcher.sh").replace("/usr/bin/", f"{directory}/"))
    return subprocess.run(
        [shell, launcher, *words], capture_output=True, text=True, env={"PATH": "/nowhere"}
    )


def make(directory: Path, names: str) -> None:
    """Make these interpreters; NAME>OTHER is a link, and NAME! cannot be executed."""
    directory.mkdir(exist_ok=True)
    for name in names.split():
        if ">" in name:
            link, target = name.split(">")
            (directory / link).symlink_to(target)
        else:
            (directory / name.rstrip("!")).write_text(FAKE)
            (directory / name.rstrip("!")).chmod(0o644 if name.endswith("!") else 0o755)


@pytest.mark.parametrize("shell", SHELLS)
@pytest.mark.parametrize(
    ("names", "chosen"),
    [
        ("python3.11 python3>python3.11", "python3.11"),
        ("python3.13 python3>python3.13", "python3.13"),
        pytest.param(
            "python3.11 python3.12 python3.13 python3>python3.12", "python3.12", id="default"
        ),
        pytest.param(
            "python3.10 python3.11 python3.12 python3>python3.10", "python3.12", id="old default"
        ),
        pytest.param("python3.6 python3.9 python3.11 python3>python3.6", "python3.11", id="EL 8"),
        pytest.param(
            "python3.9 python3.12 a>python3.9 python3>a", "python3.12", id="through alternatives"
        ),
        pytest.param(
            "python3.11 python3.12 a>python3.11 python3>a", "python3.11", id="alternative is new"
        ),
        pytest.param("python3.11 python3.12", "python3.12", id="no default"),
        pytest.param("python3.12 python3>python3.99", "python3.12", id="default is gone"),
        pytest.param("python3.11 python3.12! python3>python3.12", "python3.11", id="not a program"),
        pytest.param(
            "python3.12 python3.13-config python3.14t python3.15-minimal", "python3.12", id="others"
        ),
        pytest.param("python3.9 python3.20 python3.19", "python3.20", id="later than any today"),
    ],
)
def test_right_python(tmp_path: Path, shell: str, names: str, chosen: str) -> None:
    make(tmp_path / "bin", names)
    done = run(shell, tmp_path / "bin", "two words", "", "$(x)")
    assert done.stderr == ""
    program, *words = done.stdout.split("\n")[:-1]
    assert program == str(tmp_path / "bin" / chosen)
    assert words[-4:] == [f"{contents.LIBRARY}/start.py", "two words", "", "$(x)"]


@pytest.mark.parametrize("shell", SHELLS)
@pytest.mark.parametrize("names", ["", "python3.9 python3.10 python3>python3.10", "python3.11!"])
def test_without_one_it_says_what_to_install(tmp_path: Path, shell: str, names: str) -> None:
    make(tmp_path / "bin", names)
    done = run(shell, tmp_path / "bin", "--version")
    assert (done.returncode, done.stdout) == (127, "")
    assert done.stderr == (
        "ERROR:  pgpool-recovery needs Python 3.11 or later, and there is none in "
        f"{tmp_path}/bin\nHINT:  Install the package python3.11, or a later one.\n"
    ).replace(f"{tmp_path}/bin", "/usr/bin")


def test_nothing_of_the_environment_or_of_other_packages_is_imported(tmp_path: Path) -> None:
    """Here the real interpreter runs: -I and -S, UTF-8, and our directory first."""
    library = tmp_path / "lib"
    (library / "pgpool_recovery" / "cli").mkdir(parents=True)
    (library / "pgpool_recovery" / "cli" / "main.py").write_text(
        "import sys\ndef main():\n    print(sys.path[0], 'site' in sys.modules,"
        " sys.flags.utf8_mode, sys.flags.isolated, *sys.argv[1:])\n    return 7\n"
    )
    (tmp_path / "other" / "pgpool_recovery").mkdir(parents=True)
    (library / "start.py").write_text(
        contents.script("start.py").replace(contents.LIBRARY, str(library))
    )
    launcher = tmp_path / "launcher"
    launcher.write_text(contents.script("launcher.sh").replace(contents.LIBRARY, str(library)))
    done = subprocess.run(
        ["/bin/sh", launcher, "é"],
        capture_output=True,
        cwd=tmp_path / "other",
        env={"PATH": os.environ["PATH"], "PYTHONPATH": str(tmp_path / "other"), "LC_ALL": "C"},
    )
    assert done.stdout.decode() == f"{library} False 1 1 é\n"
    assert done.returncode == 7
    assert not list(library.rglob("__pycache__")), "only the package manager's scripts compile"
