"""A name of a class, or of a type of functions, means one thing in the whole library."""

import ast
from collections import defaultdict
from pathlib import Path

STATES = "domain/directory_state.py"
"""Its states and events stand in a table and in the journals of targets; they are read there."""
SOURCE = Path(__file__).parents[2] / "src/pgpool_recovery"


def _names(tree: ast.Module) -> list[str]:
    """Return the public classes of a module, and its aliases of callables."""
    classes = [node.name for node in tree.body if isinstance(node, ast.ClassDef)]
    aliases = [
        node.targets[0].id
        for node in tree.body
        if isinstance(node, ast.Assign)
        and isinstance(node.targets[0], ast.Name)
        and ast.unparse(node.value).startswith("Callable[")
    ]
    return [name for name in (*classes, *aliases) if not name.startswith("_")]


def test_no_two_modules_define_the_same_name() -> None:
    """Who reads it in a third module need not look from where it came."""
    homes = defaultdict[str, list[str]](list)
    for file in sorted(SOURCE.rglob("*.py")):
        home = file.relative_to(SOURCE).as_posix()
        for name in _names(ast.parse(file.read_text())) if home != STATES else ():
            homes[name].append(home)
    assert {name: files for name, files in homes.items() if len(files) > 1} == {}
