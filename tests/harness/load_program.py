"""A client that writes to a server until it is stopped, and records every attempt.

Run by `load.py` as a process of its own. Each transaction inserts the next number and increments a
counter. `committed` gets a line of fixed width after each acknowledged commit, and `failures` a
line of JSON for each failed attempt. Each number is tried only once: when the answer to a commit
was lost, the row may or may not be there, and a second attempt could hide that.
"""

import argparse
import itertools
import json
import os
import signal
import threading
import time
from pathlib import Path

import psycopg

_AFTER_FAILURE_S = 0.05
_GIVE_UP_ON_SILENCE = (
    " connect_timeout=3 tcp_user_timeout=3000"
    " keepalives_idle=1 keepalives_interval=1 keepalives_count=3"
)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--conninfo", required=True)
    parser.add_argument("--table", required=True)
    parser.add_argument("--directory", required=True, type=Path)
    parser.add_argument("--pause-s", required=True, type=float)
    options = parser.parse_args()
    stop = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    Writer(options.conninfo, options.table, options.directory).write_until(stop, options.pause_s)


class Writer:
    """Writes numbers into a table over one connection at a time, and records each result."""

    def __init__(self, conninfo: str, table: str, directory: Path) -> None:
        self._conninfo = conninfo + _GIVE_UP_ON_SILENCE
        self._table = table
        self._committed = _append_to(directory / "committed")
        self._failures = _append_to(directory / "failures")
        self._connection: psycopg.Connection | None = None

    def write_until(self, stop: threading.Event, pause_s: float) -> None:
        for number in itertools.count(1):
            succeeded = self._try(number)
            if stop.wait(pause_s if succeeded else _AFTER_FAILURE_S):
                return

    def _try(self, number: int) -> bool:
        phase = "connect"
        try:
            connection = self._connection or self._connect()
            phase = "execute"
            self._write(connection, number)
            phase = "commit"
            connection.commit()
        except psycopg.Error as error:
            self._book_failure(number, phase, error)
            self._disconnect()
            return False
        os.write(self._committed, f"{number:012d} {time.time():017.6f}\n".encode())
        return True

    def _connect(self) -> psycopg.Connection:
        self._connection = psycopg.connect(self._conninfo, prepare_threshold=None)
        return self._connection

    def _disconnect(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _write(self, connection: psycopg.Connection, number: int) -> None:
        table = self._table
        connection.execute(f"INSERT INTO {table} (number) VALUES ({number:d})".encode())
        connection.execute(f"UPDATE {table}_counter SET value = value + 1".encode())

    def _book_failure(self, number: int, phase: str, error: psycopg.Error) -> None:
        failure = {
            "time": time.time(),
            "number": number,
            "phase": phase,
            "sqlstate": error.sqlstate,
            "message": str(error),
        }
        os.write(self._failures, (json.dumps(failure) + "\n").encode())


def _append_to(file: Path) -> int:
    return os.open(file, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)


if __name__ == "__main__":
    main()
