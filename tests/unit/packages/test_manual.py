"""The man pages: complete, without a complaint of any program that reads them, and repeatable."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from packages.manual.pages import Build, pages
from pgpool_recovery.cli.grammar.commands import COMMANDS
from pgpool_recovery.cli.grammar.common import CONNECTION, DEBUG, HELP
from pgpool_recovery.config.settings import MethodSettings, NodeSettings, Settings
from pgpool_recovery.domain.record import is_record, names_of

ROOT = Path(__file__).parents[3]
BUILD = Build(1795824000, "2.0.0")
PAGES = pages(ROOT, BUILD)


def run(*words: str, env: dict[str, str] | None = None) -> str:
    """Return everything that a program prints; one that is not here is a skip that says so."""
    if shutil.which(words[0]) is None:
        pytest.skip(f"{words[0]} is not here")
    done = subprocess.run(
        words,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env=os.environ | {"LC_ALL": "C.UTF-8", **(env or {})},
    )
    return done.stdout


def test_there_is_a_page_for_each_command() -> None:
    assert set(PAGES) == {
        "pgpool-recovery.1",
        "pgpool-recovery.toml.5",
        *(f"pgpool-recovery-{name}.1" for name in COMMANDS),
    }


@pytest.fixture(params=PAGES)
def page(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    file = tmp_path / str(request.param)
    file.write_text(PAGES[file.name])
    return file


def test_no_reader_complains(page: Path) -> None:
    """mandoc's "date in the future" depends on the clock, and the date here is fixed."""
    found = run("mandoc", "-Tlint", "-Wstyle", str(page)).splitlines()
    assert [line for line in found if "date in the future" not in line] == []
    quiet = {"MANPAGER": "cat", "MANWIDTH": "80"}
    shown = run("man", "--warnings", "-E", "UTF-8", "-l", str(page), env=quiet)
    assert "warning:" not in shown
    assert "\nNAME\n" in shown


def test_name_and_purpose_are_found(page: Path) -> None:
    name = page.name.rpartition(".")[0]
    command = COMMANDS.get(name.removeprefix("pgpool-recovery-"))
    summary = command.summary.rstrip(".") if command is not None else ""
    expected = f"{name} - {summary[:1].lower()}{summary[1:]}"
    found = run("lexgrog", str(page))
    assert found.startswith(f'{page}: "{expected}')
    assert command is None or found == f'{page}: "{expected}"\n'


@pytest.mark.parametrize("name", COMMANDS)
def test_page_has_every_option_and_exit_status(name: str, tmp_path: Path) -> None:
    command = COMMANDS[name]
    file = tmp_path / "page.1"
    file.write_text(PAGES[f"pgpool-recovery-{name}.1"])
    shown = run("man", "-l", str(file), env={"MANPAGER": "col -bx", "MANWIDTH": "100"})
    lines = [line.strip() for line in shown.splitlines()]
    connected = (*CONNECTION, DEBUG) if command.is_connected else ()
    for option in (*command.options, *command.output, *connected, HELP):
        value = f"={option.value.metavar}" if option.value is not None else ""
        tag = ", ".join([*option.names[1:], option.names[0]]) + value
        assert any(line == tag or line.startswith(f"{tag} ") for line in lines), tag
        for choice in option.value.choices if option.value is not None else ():
            assert choice in shown
    for status in (*range(11), "129, 130, 143"):
        assert any(line == str(status) or line.startswith(f"{status} ") for line in lines), status
    for title in ("NAME", "SYNOPSIS", "DESCRIPTION", "OPTIONS", "EXIT STATUS", "ENVIRONMENT"):
        assert title in lines
    assert {"FILES", "SEE ALSO"} <= set(lines)


def test_page_of_the_settings_has_every_setting(tmp_path: Path) -> None:
    file = tmp_path / "page.5"
    file.write_text(PAGES["pgpool-recovery.toml.5"])
    shown = run("man", "-l", str(file), env={"MANPAGER": "col -bx", "MANWIDTH": "100"})
    tables = {
        name: getattr(Settings(), name)
        for name in names_of(Settings)
        if is_record(type(getattr(Settings(), name)))
    }
    tables |= {"node.N": NodeSettings(), "method.NAME": MethodSettings()}
    assert len(tables) == len(names_of(Settings))
    for name, table in tables.items():
        _, _, below = shown.partition(f"\n   [{name}]\n")
        section = f"\n{below}".partition("\n   [")[0]
        for setting in names_of(table):
            assert f"\n       {setting} (type: " in section, f"{name}.{setting}"


def test_pages_are_repeatable_and_have_the_date_of_the_source() -> None:
    assert pages(ROOT, BUILD) == PAGES
    later = pages(ROOT, Build(BUILD.epoch_s + 86400, "2.0.0"))
    for name, text in PAGES.items():
        assert '"2026\\-11\\-28"' not in text
        assert '"2026-11-28"' in text.splitlines()[1]
        assert later[name] == text.replace("2026-11-28", "2026-11-29")
