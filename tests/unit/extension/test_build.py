"""The modules as assembled into the bodies of functions."""

import ast
from pathlib import Path

import build
import pytest

BODIES = [
    "run_script(plpy, SD, supervisor_program, function_name, script_name, arguments)",
    "ask_script(plpy, SD, supervisor_program, script_name, arguments)",
    "pg_ctl(plpy, SD, supervisor_program, action, argument)",
    "call_function(plpy, SD, GD, '@extschema@', function, arguments)",
    "read_mapping(plpy, SD, GD)",
]
STOCK = {
    "pgpool_recovery": ["1.0", "1.1", "1.2", "1.3", "1.4"],
    "pgpool_adm": ["1.0", "1.1", "1.2", "1.3", "1.4", "1.5", "1.6"],
    "pgpool_regclass": ["1.0"],
}


@pytest.mark.parametrize("call", BODIES)
def test_body_is_python_that_imports_nothing_of_ours(call: str) -> None:
    body = build.function_body(call, "outcome_of")
    tree = ast.parse("def body():\n\t" + body.replace("\n", "\n\t"))  # As PL/Python does it.
    imports = [node for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)]
    assert not [node for node in imports if node.level or "pgpool" in (node.module or "")]
    assert body.endswith(f"return outcome_of(plpy, lambda: {call})")


@pytest.mark.parametrize("call", BODIES[:3])
def test_body_has_no_types(call: str) -> None:
    """Each new session of the server would have to import what the types are made of."""
    tree = ast.parse(
        "def body():\n\t" + build.function_body(call, "outcome_of").replace("\n", "\n\t")
    )
    for node in ast.walk(tree):
        assert not isinstance(node, ast.AnnAssign)
        assert not isinstance(node, ast.ImportFrom)
        assert getattr(node, "annotation", None) is None
        assert getattr(node, "returns", None) is None


def test_types_are_taken_out_and_nothing_else() -> None:
    text = """import os
from typing import TYPE_CHECKING, Dict, Optional

if TYPE_CHECKING:
    import socket

KNOWN: Dict[str, int] = {}


def f(ä: int, *rest: "socket.socket", b: Optional[str] = "ü: x -> y") -> Dict[str, int]:
    c: bytes = os.fsencode(b or "")
    return {"->": len(c)}
"""
    expected = """import os




KNOWN = {}


def f(ä, *rest, b = "ü: x -> y"):
    c = os.fsencode(b or "")
    return {"->": len(c)}
"""
    untyped = build.without_types("module", text)
    assert [line for line in untyped.splitlines() if line] == [
        line for line in expected.splitlines() if line
    ]
    assert untyped.count("\n") == text.count("\n")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("from typing import cast\na = cast(int, 1)", "module.py: cast: not only in an annotation"),
        ("from server_types import Row\nROW = Row", "module.py: Row: not only in an annotation"),
        ("a = 1\nb: int", "module.py: line 2 is a type without a value"),
    ],
)
def test_type_of_which_something_is_left_is_refused(text: str, said: str) -> None:
    with pytest.raises(SystemExit, match=said):
        build.without_types("module", text)


def test_every_script_goes_to_2_0_and_leaves_nothing_to_fill_in() -> None:
    scripts = build.scripts()
    assert sorted(scripts) == sorted(
        [
            *(f"{name}--2.0.sql" for name in STOCK),
            *(f"{name}--{old}--2.0.sql" for name, versions in STOCK.items() for old in versions),
        ]
    )
    for text in scripts.values():
        assert "{{" not in text
        assert "MODULE_PATHNAME" not in text
    for name in STOCK:
        assert "CREATE OR REPLACE" not in scripts[f"{name}--2.0.sql"]


def test_supervisor_fits_into_the_pipe_through_which_it_is_started() -> None:
    assert len(build.supervisor_program()) < 60000


def test_script_is_complete_for_readers_while_it_is_built_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two builds at once, such as those of two test processes, put torn scripts into a wheel."""
    monkeypatch.setattr(build, "HERE", tmp_path)
    file = tmp_path / "a.sql"
    build.write(file, "old " * 10)
    with file.open() as reader:
        build.write(file, "new")
        assert reader.read() == "old " * 10
    assert file.read_text() == "new"
