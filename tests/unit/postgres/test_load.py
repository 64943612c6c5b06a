"""psycopg is loaded during a wait, and a failure to load it is not reported there."""

import subprocess
import sys

import pytest

LOADS = """
import sys, threading
if sys.argv[1] == "missing":
    sys.modules["psycopg"] = None
from pgpool_recovery.postgres.connection import load
if sys.argv[1] == "broken":
    class Broken:
        def find_spec(self, *_):
            raise OSError("the disk is gone")
    sys.meta_path.insert(0, Broken())
assert "psycopg.pq" not in sys.modules
load()
for thread in threading.enumerate():
    if thread is not threading.current_thread():
        thread.join()
print("psycopg.pq" in sys.modules)
"""


@pytest.mark.parametrize(
    ("psycopg", "is_loaded"), [("there", True), ("missing", False), ("broken", False)]
)
def test_load(psycopg: str, *, is_loaded: bool) -> None:
    argv = [sys.executable, "-c", LOADS, psycopg]
    done = subprocess.run(argv, capture_output=True, text=True, check=False, timeout=60)
    assert (done.stdout, done.stderr) == (f"{is_loaded}\n", "")
