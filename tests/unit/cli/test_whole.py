"""A command that runs for long needs none of its files, so an upgrade cannot mix two builds."""

import shutil
import subprocess
import sys
from pathlib import Path

import pgpool_recovery

PACKAGE = Path(pgpool_recovery.__file__).parent
WITHOUT_ITS_FILES = """
import shutil, sys, threading
from importlib import import_module

build, *names = sys.argv[1:]
sys.path.insert(0, build)
from pgpool_recovery.cli.whole import load_the_rest_later

load_the_rest_later(0.01)
[timer] = [one for one in threading.enumerate() if isinstance(one, threading.Timer)]
timer.join(60)
shutil.rmtree(build)
from pgpool_recovery.postgres.connection import _query
end = names.index("queries:")
for query in names[end + 1 :]:
    assert _query(query)
for module in names[:end]:
    import_module(module)
print("needs no file")
"""


def test_everything_is_loaded_once_it_has_run_for_a_while(tmp_path: Path) -> None:
    build = tmp_path / "build"
    shutil.copytree(PACKAGE, build / PACKAGE.name)
    names = [path.relative_to(PACKAGE.parent) for path in PACKAGE.rglob("*.py")]
    modules = [".".join(name.with_suffix("").parts).removesuffix(".__init__") for name in names]
    queries = [path.stem for path in (PACKAGE / "postgres" / "sql").iterdir()]
    argv = [sys.executable, "-c", WITHOUT_ITS_FILES, str(build), *modules, "queries:", *queries]
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    assert done.stdout == "needs no file\n", done.stderr
    assert not build.exists()
    assert len(modules) > 300
