"""The modules as they stand in the functions' bodies."""

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


def test_who_reads_a_script_while_it_is_built_anew_has_all_of_it(
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
