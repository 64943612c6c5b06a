"""The example of the settings file: it sets nothing, and each line of it can be used."""

import re
import tomllib
from pathlib import Path
from typing import Any

import pytest

from packages.settings_example import EXAMPLES, NODE, settings_example
from pgpool_recovery.config.load import load_settings, read_settings
from pgpool_recovery.config.settings import NodeSettings, Settings
from pgpool_recovery.domain.record import names_of

PAGE = Path(__file__).parents[3] / "docs" / "reference" / "settings.md"
TEXT = settings_example(PAGE.read_text())
LINES = TEXT.splitlines()
SETTING = re.compile(r"#([a-z_]+) = ")
TOGETHER = {"sslcert": "sslkey", "sslkey": "sslcert", "start_command": "host"}
"""What is refused without another setting of its table."""


def tables() -> dict[str, Any]:
    """Return the tables of the settings by their names on the page, with their defaults."""
    own = {name: getattr(Settings(), name) for name in names_of(Settings) if name != "node"}
    return {**own, NODE: NodeSettings()}


def places() -> dict[tuple[str, str], int]:
    """Return the line of each setting by its table and name."""
    found = {}
    table = ""
    for number, line in enumerate(LINES):
        if line.lstrip("#").startswith("["):
            table = NODE if "node" in line else line.strip("[]")
        elif setting := SETTING.match(line):
            found[table, setting[1]] = number
    return found


PLACES = places()


def used(*wanted: tuple[str, str]) -> Settings:
    """Return the settings of the example in which some lines are used."""
    lines = list(LINES)
    for place in wanted:
        lines[PLACES[place]] = lines[PLACES[place]].removeprefix("#")
    if any(table == NODE for table, _ in wanted):
        lines = [line.removeprefix("#") if line == "#[node.1]" else line for line in lines]
    text = "\n".join(lines)
    return read_settings(tomllib.loads(text), "example", text)


def test_example_as_it_is_changes_nothing(tmp_path: Path) -> None:
    file = tmp_path / "pgpool-recovery.toml"
    file.write_text(TEXT)
    file.chmod(0o644)
    assert load_settings(file) == Settings()


def test_every_setting_is_there_once() -> None:
    expected = [(name, each) for name, table in tables().items() for each in names_of(table)]
    assert sorted(PLACES) == sorted(expected)
    assert sum(SETTING.match(line) is not None for line in LINES) == len(expected)


@pytest.mark.parametrize("place", PLACES, ids=".".join)
def test_line_that_is_used_is_the_default_or_says_that_it_is_none(place: tuple[str, str]) -> None:
    table, name = place
    above, line = LINES[PLACES[place] - 1], LINES[PLACES[place]]
    assert above.startswith("# "), "it has no sentence"
    is_example = "an example; default:" in line or "An example; default:" in above
    others = [(table, TOGETHER[name])] if is_example and name in TOGETHER else []
    settings = used(place, *others)
    if not is_example:
        assert settings == Settings()
        return
    before = tables()[table]
    after = settings.node[1] if table == NODE else getattr(settings, table)  # type: ignore[index]
    changed = {each for each in names_of(before) if getattr(before, each) != getattr(after, each)}
    assert changed == {name, *(each for _, each in others)}


def test_all_lines_together_are_valid() -> None:
    settings = used(*PLACES)
    assert settings.policy.max_rate == "100M"
    assert settings.node[1].host == "server2"  # type: ignore[index]


def test_seconds_have_their_unit() -> None:
    for (_, name), number in PLACES.items():
        assert name.endswith("_s") == LINES[number].endswith("  # seconds"), LINES[number]


def test_no_example_is_for_a_setting_that_does_not_exist() -> None:
    names = {name for _, name in PLACES} | {".".join(place) for place in PLACES}
    assert set(EXAMPLES) <= names


def test_text_is_plain_and_no_comment_is_long() -> None:
    assert not re.search(r"`|\]\(|; see ", TEXT)
    assert max(len(line) for line in LINES) <= 100
