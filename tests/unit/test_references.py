"""What a docstring refers to exists, and each setting with a unit says what it limits."""

import ast
import re
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[2]
SOURCE = REPOSITORY / "src/pgpool_recovery"
ROOTS = (REPOSITORY, SOURCE, REPOSITORY / "docs")
FILES = sorted([*SOURCE.rglob("*.py"), *(REPOSITORY / "extension/python").rglob("*.py")])
PATH = re.compile(r"(?<![\w/.:-])(?:[\w-]+/)+[\w-]+\.(?:py|md|toml|sql)\b")
TEST = re.compile(r"(?<![\w.])test_\w+(?![\w.])")
OTHERS = frozenset({"patroni/postgresql/config.py"})
"""Files of other projects."""
UNITS = ("_s", "_mb", "_bytes")


def test_named_files_and_tests_exist() -> None:
    """A reader cannot open a file that exists only on the author's machine."""
    tests = "\n".join(file.read_text() for file in (REPOSITORY / "tests").rglob("test_*.py"))
    missing = []
    for file in FILES:
        text = file.read_text()
        places = (*ROOTS, file.parent)
        named = set(PATH.findall(text)) - OTHERS
        missing += [(file.name, n) for n in named if not any((p / n).exists() for p in places)]
        missing += [
            (file.name, name)
            for name in set(TEST.findall(text))
            if f"def {name}(" not in tests and not list(REPOSITORY.glob(f"tests/**/{name}.py"))
        ]
    assert missing == []


def _settings() -> list[tuple[str, str, bool]]:
    """Return the settings with a unit: the class, the name, and whether a docstring follows."""
    tree = ast.parse((SOURCE / "config/settings.py").read_text())
    return [
        (kind.name, field.target.id, _is_docstring(following))
        for kind in tree.body
        if isinstance(kind, ast.ClassDef)
        for field, following in zip(kind.body, [*kind.body[1:], None], strict=True)
        if isinstance(field, ast.AnnAssign)
        and isinstance(field.target, ast.Name)
        and field.target.id.endswith(UNITS)
    ]


def _is_docstring(node: ast.stmt | None) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)


@pytest.mark.parametrize("setting", _settings(), ids=lambda setting: ".".join(setting[:2]))
def test_setting_with_a_unit_says_what_it_limits(setting: tuple[str, str, bool]) -> None:
    assert setting[2]
