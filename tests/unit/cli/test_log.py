"""What --debug shows, and where: standard output does not change."""

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from pgpool_recovery.cli import log
from pgpool_recovery.cli.app import run_app
from pgpool_recovery.cli.log import RECORD_SECRET, TAKES_LOG, log_failure, log_if_wanted
from pgpool_recovery.config.settings import LogLevel, LogSettings
from pgpool_recovery.domain.error import Refused, as_failure
from pgpool_recovery.log.note import is_on, note, turn_off
from tests.unit.cli.golden import assert_golden

VARYING = (
    (r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{3} UTC", "DATE TIME UTC"),
    (r"\+\d+\.\d{3}", "+SECONDS"),
    (r"\d+\.\d{3} s", "SECONDS s"),
    (r"\[\d+\]@\S+(?=:)", "[PID]@HOST"),
    (r"Python \S+, user id \d+", "Python VERSION, user id UID"),
    (r"\.py:\d+", ".py:LINE"),
    (r"/[^ \"]*/nothing", "/nothing"),
    (r"raised: \S+\.py:LINE \w+", "raised: PLACE"),
    (r"(?m)(^.*raised: PLACE\n)+", r"\1"),
)


@pytest.fixture(autouse=True)
def off_afterwards(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("HOME", str(tmp_path))
    yield
    turn_off()


def told(text: str) -> str:
    """Return a log without what varies from run to run."""
    for pattern, name in VARYING:
        text = re.sub(pattern, name, text)
    return text


def where(directory: Path) -> list[str]:
    """Return options with which no Pgpool-II is found."""
    settings, passwords = directory / "settings.toml", directory / ".pcppass"
    settings.touch()
    passwords.touch(0o600)
    passwords.write_text("*:*:me:s3cr3t\n")
    host = f"--host={directory}/nothing"
    return [host, "--port=9", "--username=me", f"--config={settings}"]


def test_debug_of_a_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The failure is logged with the places in our code where it was raised, and without values."""
    assert run_app(["status", "--debug", *where(tmp_path)]) == 5
    printed = capsys.readouterr()
    assert printed.out == ""
    assert "s3cr3t" not in printed.err
    assert_golden("debug", told(printed.err))


def test_json_is_the_same_with_debug(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["status", "--json", *where(tmp_path)]
    run_app(words)
    plain = capsys.readouterr()
    run_app([*words, "--debug"])
    debugged = capsys.readouterr()
    assert json.loads(plain.out) == json.loads(debugged.out)
    assert plain.out == debugged.out
    assert plain.err == ""
    assert all(line.startswith("DEBUG:  pgpool-recovery ") for line in debugged.err.splitlines())


@pytest.mark.parametrize("level", LogLevel)
def test_level_of_the_settings(level: LogLevel) -> None:
    log_if_wanted(LogSettings(level), "stage")
    assert is_on() is (level is LogLevel.DEBUG)


@pytest.mark.parametrize(
    ("environment", "is_record"),
    [({RECORD_SECRET: "s", TAKES_LOG: "on"}, True), ({RECORD_SECRET: "s"}, False), ({}, False)],
)
def test_server_is_told_what_is_for_its_log(
    environment: dict[str, str],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    *,
    is_record: bool,
) -> None:
    """An older extension would show a record that it does not know, with the secret in it."""
    for name in (RECORD_SECRET, TAKES_LOG):
        monkeypatch.delenv(name, raising=False)
    for name, text in environment.items():
        monkeypatch.setenv(name, text)
    log.log_to_the_end("stage")
    note("one line")
    printed = capsys.readouterr()
    *_, line = (printed.out if is_record else printed.err).rstrip().split("\n")
    assert (printed.err if is_record else printed.out) == ""
    assert line.startswith(("\x1es log " if is_record else "") + f"{log.HEAD} 20")
    assert line.endswith("one line")


def test_failure_has_its_places_and_no_value(capsys: pytest.CaptureFixture[str]) -> None:
    log.log_to_the_end("stage")
    try:
        try:
            _ = dict[str, str]()["a secret"]
        except KeyError as error:
            raise Refused("nothing can be done") from error
    except Refused as error:
        log_failure(error)
    said = capsys.readouterr().err
    assert "failed: Refused: nothing can be done\n" in said
    assert "Caused by KeyError. Call stack:" in said
    assert "test_failure_has_its_places_and_no_value" in said
    assert "a secret" not in said


def test_places_are_not_collected_when_the_log_is_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pgpool_recovery.domain.bug.places_of", None)
    log_failure(as_failure(KeyError("x")))
