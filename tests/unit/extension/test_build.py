"""The modules as they stand in the functions' bodies."""

import ast

import build
import pytest

BODIES = [
    "run_script(plpy, SD, supervisor_program, function_name, script_name, arguments)",
    "ask_script(plpy, SD, supervisor_program, script_name, arguments)",
    "pg_ctl(plpy, SD, supervisor_program, action, argument)",
]


@pytest.mark.parametrize("call", BODIES)
def test_body_is_python_that_imports_nothing_of_ours(call: str) -> None:
    body = build.function_body(call)
    tree = ast.parse("def body():\n\t" + body.replace("\n", "\n\t"))  # As PL/Python does it.
    imports = [node for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)]
    assert not [node for node in imports if node.level or "pgpool" in (node.module or "")]
    assert body.endswith(f"return {call}")


def test_every_script_goes_to_2_0_and_leaves_nothing_to_fill_in() -> None:
    scripts = build.scripts()
    assert sorted(scripts) == [
        "pgpool_recovery--1.0--2.0.sql",
        "pgpool_recovery--1.1--2.0.sql",
        "pgpool_recovery--1.2--2.0.sql",
        "pgpool_recovery--1.3--2.0.sql",
        "pgpool_recovery--1.4--2.0.sql",
        "pgpool_recovery--2.0.sql",
    ]
    for text in scripts.values():
        assert "{{" not in text
        assert "MODULE_PATHNAME" not in text
    assert "CREATE OR REPLACE" not in scripts["pgpool_recovery--2.0.sql"]


def test_supervisor_fits_into_the_pipe_through_which_it_is_started() -> None:
    assert len(build.supervisor_program()) < 60000
