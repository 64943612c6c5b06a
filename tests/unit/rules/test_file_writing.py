"""The rule finds whatever opens a file for writing outside its home."""

import ast
from pathlib import Path

import pytest

from ci.rules.file_writing import EXCEPTIONS, HOME, violations

REPOSITORY = Path(__file__).parents[3]
FILE = "src/pgpool_recovery/agent/planted.py"

WRITES = [
    "os.fsync(descriptor)",
    "from os import fsync",
    'open("a", "w")',
    'open("a", mode="ab")',
    'open("a", "r+b")',
    'open("a", "x")',
    'open("a", mode)',
    'open("a", **options)',
    "open(*words)",
    'path.open("w")',
    "path.open(mode)",
    'path.open(mode="a+")',
    'io.open("a", "w")',
    'gzip.open("a", "wb")',
    'tarfile.open("a", "w:gz")',
    'os.open("a", os.O_WRONLY)',
    'os.open("a", os.O_RDONLY | os.O_CREAT)',
    'os.open("a", os.O_RDWR | os.O_NOFOLLOW, 0o600)',
    'os.open(".", os.O_TMPFILE | os.O_RDONLY)',
    'os.open("a", flags)',
    'os.open("a", flags | os.O_NOFOLLOW)',
    'os.open("a", flags=1)',
    'os.creat("a")',
    'path.write_text("x")',
    'path.write_bytes(b"x")',
    "path.touch(mode=0o600)",
    "write = path.write_text",
    'os.mkfifo("a")',
    'os.truncate("a", 0)',
    "tempfile.mkstemp()",
    "tempfile.NamedTemporaryFile()",
    "shutil.copy(a, b)",
    "shutil.copy2(a, b)",
    "shutil.copyfile(a, b)",
    "shutil.move(a, b)",
    "shutil.copytree(a, b)",
    "shutil.copytree(a, b, copy_function=shutil.copy2)",
    "from shutil import copy2\ncopy2(a, b)",
    "from shutil import copytree\ncopytree(a, b)",
    "from shutil import copy",
    "from os import open",
    "from os import open as opened",
    "from tempfile import mkstemp\nmkstemp()",
    'logging.FileHandler("a")',
]
READS = [
    'open("a")',
    'open("a", "rb")',
    'open("a", encoding="utf-8")',
    "path.open()",
    'path.open("rb")',
    'os.open("a", os.O_RDONLY | os.O_NOFOLLOW)',
    "os.open(os.devnull, os.O_RDWR)",
    'os.fdopen(pipe, "wb")',
    "tempfile.TemporaryFile()",
    "tempfile.TemporaryDirectory()",
    "shutil.copytree(a, b, copy_function=copy_file)",
    'shutil.which("a")',
    "values.copy()",
    "from pgpool_recovery.files.write import move\nmove(a, b)",
    'path.rename("b")',
]


def found(root: Path, text: str, file: str = FILE) -> list[str]:
    path = root / file
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text + "\n")
    return violations(root)


@pytest.mark.parametrize("text", WRITES)
def test_writing_is_found(tmp_path: Path, text: str) -> None:
    lines = found(tmp_path, text)
    assert lines
    number = text.count("\n") + 1
    assert all(line.startswith(f"{FILE}:") for line in lines)
    assert any(line.startswith(f"{FILE}:{number}:") for line in lines), lines


@pytest.mark.parametrize("text", READS)
def test_reading_is_let_through(tmp_path: Path, text: str) -> None:
    assert found(tmp_path, text) == []


def test_the_python_of_the_server_counts_and_the_home_does_not(tmp_path: Path) -> None:
    assert found(tmp_path, WRITES[0], str(HOME)) == []
    assert len(found(tmp_path, WRITES[0], "extension/python/x/y.py")) == 1


def test_exception_is_for_one_call_in_one_file(tmp_path: Path) -> None:
    (file, call), *_ = EXCEPTIONS
    assert found(tmp_path, f"{call}(a, flags)", file) == []
    assert len(found(tmp_path, "os.open(a, flags)")) == 1


def test_this_checkout_keeps_the_rule() -> None:
    assert violations(REPOSITORY) == []


@pytest.mark.parametrize(("file", "call"), EXCEPTIONS)
def test_exception_is_needed(file: str, call: str) -> None:
    tree = ast.parse((REPOSITORY / file).read_text())
    calls = [ast.unparse(node.func) for node in ast.walk(tree) if isinstance(node, ast.Call)]
    assert call in calls
