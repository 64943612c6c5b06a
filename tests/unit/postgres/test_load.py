"""psycopg is loaded beside a wait, and nothing is said of it there when it cannot be."""

import subprocess
import sys

import pytest

LOADS = """
import sys, threading
if sys.argv[1] == "missing":
    sys.modules["psycopg"] = None
from pgpool_recovery.postgres.connection import load
assert "psycopg.pq" not in sys.modules
load()
for thread in threading.enumerate():
    if thread is not threading.current_thread():
        thread.join()
print("psycopg.pq" in sys.modules)
"""


@pytest.mark.parametrize(("psycopg", "is_loaded"), [("there", True), ("missing", False)])
def test_load(psycopg: str, *, is_loaded: bool) -> None:
    argv = [sys.executable, "-c", LOADS, psycopg]
    done = subprocess.run(argv, capture_output=True, text=True, check=False, timeout=60)
    assert (done.stdout, done.stderr) == (f"{is_loaded}\n", "")
