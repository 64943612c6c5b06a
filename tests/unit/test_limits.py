"""Promise 9: every wait has a deadline that a setting names, or that the documentation does."""

import ast
import re
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path

import pytest

import pgpool_recovery
from pgpool_recovery.config.settings import TimeoutSettings

SOURCE = Path(pgpool_recovery.__file__).parent
SETTINGS = Path(__file__).parents[2] / "docs" / "reference" / "settings.md"
RECOVERY = (
    "agent", "talk", "host", "history", "metrics", "observe", "postgres", "run", "ssh", "verify",
    "dry_run.py", "cluster_check.py", "recovery.py", "second_stage.py",
)  # fmt: skip
"""What takes part in a recovery, or looks at what one will find."""
PACES = ("TICK_S", "EVERY_S", "BETWEEN_S", "HEARTBEAT_S")
"""How often something is looked at or told while a limit runs."""
OF_A_SETTING = {
    "talk/conversation.py:UNDO_S": "undo_s",
    "agent/method/restore.py:ANSWER_S": "repository_s",
    "agent/method/restore.py:ARCHIVE_S": "archive_s",
    "observe/archived_history.py:MARGIN_S": "archive_s",
    "agent/method/restore.py:MARGIN_S": "repository_s",
    "agent/server/start.py:STOP_MARGIN_S": "stop_s",
    "agent/server/independent.py:MARGIN_S": "promote_s",
    "host/start_method.py:PG_CTL_WAIT_S": "start_s",
    "cluster_check.py:GREETING_MARGIN_S": "connect_timeout_s",
}
"""A default, or what comes on top of the setting that is the limit."""


def constants() -> Iterator[tuple[str, float]]:
    """Yield each constant of seconds, by file and name."""
    for name in RECOVERY:
        place = SOURCE / name
        for file in sorted(place.rglob("*.py")) if place.is_dir() else [place]:
            for node in ast.parse(file.read_text()).body:
                if isinstance(node, ast.Assign) and isinstance(node.value, ast.Constant):
                    for target in map(ast.unparse, node.targets):
                        if target.endswith("_S") and not target.endswith(PACES):
                            where = f"{file.relative_to(SOURCE)}:{target}"
                            yield where, float(str(node.value.value))


def documented() -> set[float]:
    """Return the limits that no setting raises, as the page has them."""
    section = SETTINGS.read_text().partition("\n## timeout\n")[2].partition("\n## ")[0]
    _, _, table = section.partition("| limit | applies to |")
    cells = re.findall(r"^\| ([\d., s]+) \|", table, re.MULTILINE)
    return {float(number) for cell in cells for number in re.findall(r"[\d.]+(?= s)", cell)}


def test_constants_are_found() -> None:
    assert len(dict(constants())) > 10
    assert {0.5, 2.5, 60.0} <= documented()


@pytest.mark.parametrize(("name", "seconds"), list(constants()), ids=str)
def test_promise_9_limit_is_that_of_a_setting_or_documented(name: str, seconds: float) -> None:
    if name in OF_A_SETTING:
        assert f"`{OF_A_SETTING[name]}`" in SETTINGS.read_text()
    else:
        assert seconds in documented(), f"docs/reference/settings.md does not say the limit {name}"


@pytest.mark.parametrize("setting", [field.name for field in fields(TimeoutSettings)])
def test_promise_9_setting_is_the_limit_of_something(setting: str) -> None:
    used = [
        file
        for file in SOURCE.rglob("*.py")
        if "config" not in file.parts and re.search(rf"timeout\.{setting}\b", file.read_text())
    ]
    assert used, f"no code reads timeout.{setting}"
