"""A standby whose WAL ends before it is consistent retries forever, so the agent gives it up."""

import re
import shutil
import time

import pytest

from tests.harness.postgresql import Server
from tests.server.agent_start import agent_start

BACKUP = r"""
SELECT pg_backup_start('half', true);
CREATE TABLE filled AS SELECT repeat('x', 100) FROM generate_series(1, 600000);
SELECT replace(labelfile, E'\n', '|') FROM pg_backup_stop(false);
"""
READS_MUCH = "dd if=/dev/zero of=/dev/null bs=1M count=20; false"
"""It reads much, as a command in Python does that loads its modules.

The kernel adds what it reads to its parent's count as well.
"""


@pytest.fixture(scope="module")
def half(stock_server: Server) -> Server:
    """A standby that has half a segment of WAL, and no primary any longer."""
    (label,) = (line for line in stock_server.execute(BACKUP).stdout.split("\n") if "|" in line)
    stock_server.stop("immediate")
    data = stock_server.machine.path(stock_server.data_directory)
    found = re.search(r"\(file ([0-9A-F]{24})\)", label)
    assert found is not None
    archive = stock_server.machine.log_directory / "archive"
    stock_server.machine.make_directory(archive)
    for segment in (data / "pg_wal").glob("0*"):
        shutil.move(segment, archive)
    shutil.copy(archive / found[1], data / "pg_wal")
    shutil.chown(data / "pg_wal" / found[1], "postgres", "postgres")
    with (data / "pg_wal" / found[1]).open("r+b") as file:
        file.seek(8 * 2**20)
        file.write(bytes(8 * 2**20))
    for name, text in (("backup_label", label.replace("|", "\n")), ("standby.signal", "")):
        stock_server.machine.write_file(stock_server.data_directory / name, text)
    stock_server.settings["primary_conninfo"] = "host=127.0.0.1 port=1"
    return stock_server


@pytest.mark.parametrize(
    ("interval", "restore_command", "start_s"),
    [("5s", READS_MUCH, 12.0), ("100ms", "false", 4.0), ("100ms", READS_MUCH, 4.0)],
)
def test_is_given_up(half: Server, interval: str, restore_command: str, start_s: float) -> None:
    half.settings |= {"wal_retrieve_retry_interval": interval, "restore_command": restore_command}
    half.configure()
    failure = agent_start(half, start_s, within_s=60)
    assert failure["target"] == "started"
    assert f"its replay has made no progress for {start_s:g} s" in failure["detail"]
    assert half.is_running
    half.stop("immediate")


def test_is_waited_for_while_its_archive_gives_wal(half: Server) -> None:
    archive = half.machine.log_directory / "archive"
    half.settings["restore_command"] = f"sleep 1.5; cp {archive}/%f %p"
    half.configure()
    began = time.monotonic()
    assert agent_start(half, start_s=4.0) == {}
    assert time.monotonic() - began > 2 * 4.0
    assert half.sql("SELECT count(*) FROM filled") == [("600000",)]
