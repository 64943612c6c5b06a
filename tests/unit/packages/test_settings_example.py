"""The example of the settings file: it sets nothing, and each line of it can be used."""

import re
import tomllib
from pathlib import Path
from typing import Any

import pytest

from packages.settings_example import EXAMPLES, NAMED, settings_example
from pgpool_recovery.config.load import load_settings, read_settings
from pgpool_recovery.config.settings import Settings
from pgpool_recovery.domain.record import names_of

PAGE = Path(__file__).parents[3] / "docs" / "reference" / "settings.md"
TEXT = settings_example(PAGE.read_text())
LINES = TEXT.splitlines()
SETTING = re.compile(r"#([a-z_]+) = ")
OF_A_COMMAND = ("keep_data", "in_backup", "nodes", "timeout_s", "method.NAME.stall_s")
TOGETHER = {"sslcert": "sslkey", "sslkey": "sslcert", "start_command": "host"} | dict.fromkeys(
    OF_A_COMMAND, "command"
)
"""What is refused without another setting of its table."""


def tables() -> dict[str, Any]:
    """Return the tables of the settings by their names on the page, with their defaults."""
    several = {title.partition(".")[0] for title in NAMED}
    own = {name: getattr(Settings(), name) for name in names_of(Settings) if name not in several}
    return {**own, **{title: kind() for title, (_, kind) in NAMED.items()}}


def places() -> dict[tuple[str, str], int]:
    """Return the line of each setting by its table and name."""
    found = {}
    table = ""
    for number, line in enumerate(LINES):
        if line.lstrip("#").startswith("["):
            table = line.strip("#[]")
            table = next((title for title, (one, _) in NAMED.items() if one == table), table)
        elif setting := SETTING.match(line):
            found[table, setting[1]] = number
    return found


PLACES = places()


def used(*wanted: tuple[str, str]) -> Settings:
    """Return the settings of the example in which some lines are used."""
    lines = list(LINES)
    for place in wanted:
        lines[PLACES[place]] = lines[PLACES[place]].removeprefix("#")
    begun = {f"#[{NAMED[table][0]}]" for table, _ in wanted if table in NAMED}
    lines = [line.removeprefix("#") if line in begun else line for line in lines]
    text = "\n".join(lines)
    return read_settings(tomllib.loads(text), "example", text)


def test_example_as_it_is_changes_nothing(tmp_path: Path) -> None:
    file = tmp_path / "pgpool-recovery.toml"
    file.write_text(TEXT)
    file.chmod(0o644)
    assert load_settings(file) == Settings()


def _table_of(settings: Settings, title: str) -> Any:
    """Return a table by its heading on the page, where some stand for several."""
    name, _, one = NAMED[title][0].partition(".") if title in NAMED else (title, "", "")
    found = getattr(settings, name)
    return next(iter(found.values())) if one else found


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
    with_it = TOGETHER.get(f"{table}.{name}") or TOGETHER.get(name)
    others = [(table, with_it)] if is_example and with_it is not None else []
    settings = used(place, *others)
    if not is_example:
        assert settings == Settings()
        return
    before = tables()[table]
    after = _table_of(settings, table)
    changed = {each for each in names_of(before) if getattr(before, each) != getattr(after, each)}
    assert changed == {name, *(each for _, each in others)}


def test_all_lines_together_are_valid() -> None:
    settings = used(*PLACES)
    assert settings.policy.max_rate == "100M"
    assert settings.node[1].host == "server2"  # type: ignore[index]


def test_seconds_have_their_unit() -> None:
    for (_, name), number in PLACES.items():
        assert name.endswith("_s") == ("  # seconds" in LINES[number]), LINES[number]


def test_no_example_is_for_a_setting_that_does_not_exist() -> None:
    names = {name for _, name in PLACES} | {".".join(place) for place in PLACES}
    assert set(EXAMPLES) <= names


def test_text_is_plain_and_no_comment_is_long() -> None:
    assert not re.search(r"`|\]\(|; see ", TEXT)
    assert max(len(line) for line in LINES if line.startswith("# ")) <= 100
