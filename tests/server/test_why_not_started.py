"""If a server does not come up, its own reason is reported, wherever it was written."""

from collections.abc import Iterator

import pytest

from tests.harness.postgresql import Server
from tests.server.agent_start import agent_start

COLLECTED = {"logging_collector": "on", "log_directory": "log", "log_destination": "stderr"}
HBA = "host all all 10.0.0.0/8 scam-sha-256"
BAD_LINE = 'invalid authentication method "scam-sha-256"'


@pytest.fixture
def stopped(stock_server: Server) -> Iterator[Server]:
    """A stopped server that is configured with a log collector."""
    settings, lines = dict(stock_server.settings), list(stock_server.hba_lines)
    if stock_server.is_running:
        stock_server.stop()
    stock_server.settings |= COLLECTED
    stock_server.configure()
    yield stock_server
    if stock_server.is_running:
        stock_server.stop()
    stock_server.settings.clear()
    stock_server.settings |= settings
    stock_server.hba_lines[:] = lines
    stock_server.configure()


def why(server: Server) -> str:
    """Make the agent start the server, and return the detail of its failure."""
    record = agent_start(server, start_s=60)
    assert record["target"] == "copied, but not started"
    return str(record["detail"])


def break_hba(server: Server) -> None:
    server.hba_lines.insert(0, HBA)
    server.configure()


def run_once(server: Server) -> None:
    server.start()
    server.stop()


@pytest.mark.parametrize(
    ("kind", "suffix"), [("stderr", ".log"), ("csvlog", ".csv"), ("jsonlog", ".json")]
)
def test_from_the_log_that_it_writes(stopped: Server, kind: str, suffix: str) -> None:
    stopped.settings["log_destination"] = kind
    run_once(stopped)
    break_hba(stopped)
    told = why(stopped)
    assert BAD_LINE in told
    assert f"{suffix} ends with:" in told
    assert "database system is shut down" in told
    assert "database system was shut down" not in told, "this line is from the previous run"


def test_from_standard_error_when_it_dies_before_its_collector(stopped: Server) -> None:
    run_once(stopped)
    assert (stopped.data_directory / "current_logfiles").exists()
    stopped.settings["shared_preload_libraries"] = "nonexistent"
    stopped.configure()
    told = why(stopped)
    assert 'could not access file "nonexistent"' in told
    assert "startup.log ends with:" in told
    del stopped.settings["shared_preload_libraries"]
    own = stopped.data_directory / "conf.d/own.conf"
    stopped.machine.write_file(own, "work_mem 4MB = 4MB\n")
    stopped.configure()
    told = why(stopped)
    stopped.machine.path(own).unlink()
    assert f'syntax error in file "{own}" line 1' in told
    assert "nonexistent" not in told, "this line is from the previous start"


def test_from_a_log_directory_elsewhere_without_earlier_lines(stopped: Server) -> None:
    elsewhere = stopped.machine.log_directory / "elsewhere"
    stopped.machine.make_directory(elsewhere)
    stopped.settings |= {"log_directory": str(elsewhere), "log_filename": "server-%Y.log"}
    run_once(stopped)  # The next start appends to the file of this run.
    (stopped.data_directory / "current_logfiles").unlink()  # A fresh copy does not have it either.
    stopped.settings["log_min_messages"] = "debug5"
    break_hba(stopped)
    told = why(stopped)
    assert BAD_LINE in told
    assert f"The server's log {elsewhere}/server-" in told
    assert "ready to accept connections" not in told


def test_from_a_collector_that_cannot_write(stopped: Server) -> None:
    stopped.settings["log_directory"] = "/proc/nowhere"
    stopped.configure()
    assert "could not open log file" in why(stopped)


def test_syslog_is_named(stopped: Server) -> None:
    stopped.settings |= {"log_destination": "syslog", "syslog_ident": "shop"}
    break_hba(stopped)
    assert 'It logs to syslog, as "shop"' in why(stopped)
