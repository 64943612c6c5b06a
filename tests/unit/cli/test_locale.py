"""Text is the same in every locale, and every locale can show it."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from pgpool_recovery.files.text import text_of

ASCII = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
"""A locale without UTF-8; without these variables Python would use UTF-8 for it."""
CHARMAP = Path("/usr/share/i18n/charmaps/ISO-8859-1.gz")
PRINTS = """
import os, sys
from pgpool_recovery.cli import app, main
def run(words):
    print(sys.getfilesystemencoding(), ascii(words[0]), "\\xe9 \\u0434 \\udce9")
    return 0
app.run_app = run
main.main()
"""


def printed(environment: dict[str, str], word: bytes) -> bytes:
    argv: list[str | bytes] = [sys.executable, "-c", PRINTS, word]
    return subprocess.run(
        argv, env={**os.environ, **environment}, check=True, capture_output=True, timeout=60
    ).stdout.strip()


@pytest.fixture
def latin1(tmp_path: Path) -> dict[str, str]:
    """The environment of a locale in Latin-1."""
    if shutil.which("localedef") is None or not CHARMAP.exists():
        pytest.skip("localedef and /usr/share/i18n (package locales) are not there")
    place = tmp_path / "fr_FR"
    made = ["localedef", "-i", "fr_FR", "-f", "ISO-8859-1", "--no-warnings=ascii", str(place)]
    subprocess.run(made, check=False, capture_output=True, timeout=60)
    return {"LOCPATH": str(tmp_path), "LC_ALL": "fr_FR"}


def test_any_word_arrives_unchanged_and_any_text_is_written() -> None:
    said = printed(ASCII, b"/d\xc3\xa4t\xe4")
    assert said == b"utf-8 '/d\\xe4t\\udce4' \xc3\xa9 \xd0\xb4 \\udce9"


def test_latin1_locale_changes_no_word_and_shows_what_it_can(latin1: dict[str, str]) -> None:
    said = printed(latin1, b"/d\xc3\xa4t\xe4")
    assert said == b"utf-8 '/d\\xe4t\\udce4' \xe9 \\u0434 \\udce9"


def test_stage_writes_to_the_server_in_utf8_whatever_the_locale(latin1: dict[str, str]) -> None:
    """The server reads the lines as UTF-8, and shows them in the encoding of its client."""
    argv = [sys.executable, "-m", "pgpool_recovery", "pgpool_remote_start", "h\u0434st", "/d"]
    environment = {**os.environ, **latin1, "PYTHONUTF8": "0"}
    done = subprocess.run(argv, env=environment, capture_output=True, check=False, timeout=60)
    assert 'invalid host name "h\u0434st"' in text_of(done.stderr)
