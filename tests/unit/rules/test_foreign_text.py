"""The rule finds whatever turns foreign bytes into text in its own way."""

import ast
from pathlib import Path

import pytest

from ci.rules.foreign_text import EXCEPTIONS, violations

REPOSITORY = Path(__file__).parents[3]
FILE = "src/pgpool_recovery/agent/planted.py"

OWN_WAYS = [
    "path.read_text()",
    'path.read_text(encoding="latin-1")',
    "text.splitlines()",
    "text.splitlines(keepends=True)",
    "data.decode()",
    'data.decode("utf-8", "surrogateescape")',
    'path.read_bytes().decode(errors="replace")',
    "os.fsdecode(data)",
    'words("unicode_escape")',
    'open("a")',
    'open("a", encoding="utf-8")',
    "path.open()",
    'path.open("r")',
    "subprocess.run(words, text=True)",
    'subprocess.Popen(words, encoding="utf-8")',
    "subprocess.check_output(words, universal_newlines=True)",
    "locale.getencoding()",
    "path.read_bytes()",
]
RIGHT = [
    "from pgpool_recovery.files.text import read_text\nread_text(path)",
    "text_of(data)",
    'text.split("\\n")',
    "lines_of(text)",
    'open("a", "rb")',
    'path.open("rb")',
    'path.open(mode="rb")',
    "os.open(path, os.O_RDONLY)",
    "subprocess.run(words, capture_output=True)",
    "from pgpool_recovery.files.text import read_bytes\nread_bytes(path)",
]
IN_THE_SERVER = "extension/python/pgpool_recovery_server/planted.py"


def found(root: Path, text: str, file: str = FILE) -> list[str]:
    path = root / file
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text + "\n")
    return violations(root)


@pytest.mark.parametrize("text", OWN_WAYS)
def test_own_way_is_found(tmp_path: Path, text: str) -> None:
    lines = found(tmp_path, text)
    assert lines
    assert all(line.startswith(f"{FILE}:1: ") for line in lines)


@pytest.mark.parametrize("text", RIGHT)
def test_right_way_is_let_through(tmp_path: Path, text: str) -> None:
    assert found(tmp_path, text) == []


def test_home_may(tmp_path: Path) -> None:
    assert found(tmp_path, "data.decode()", "src/pgpool_recovery/files/text.py") == []


def test_what_runs_in_a_server_says_how(tmp_path: Path) -> None:
    assert found(tmp_path, 'a.decode("utf-8", "surrogateescape")', IN_THE_SERVER) == []
    assert len(found(tmp_path, 'a.decode("utf-8")', IN_THE_SERVER)) == 1
    assert len(found(tmp_path, "a.decode()", IN_THE_SERVER)) == 1


def test_exception_is_for_one_call_in_one_file(tmp_path: Path) -> None:
    (file, call), *_ = EXCEPTIONS
    assert found(tmp_path, f"{call}()", file) == []
    assert len(found(tmp_path, f"{call}()")) == 1


def test_this_checkout_keeps_the_rule() -> None:
    assert violations(REPOSITORY) == []


@pytest.mark.parametrize(("file", "call"), EXCEPTIONS)
def test_exception_is_needed(file: str, call: str) -> None:
    tree = ast.parse((REPOSITORY / file).read_text())
    calls = [ast.unparse(node.func) for node in ast.walk(tree) if isinstance(node, ast.Call)]
    assert call in calls
