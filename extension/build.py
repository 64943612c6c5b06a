"""Assemble the extension's SQL scripts from the templates in sql/ and the modules in python/.

A PL/Python function has one body and imports nothing of ours, so the modules that an entry point
needs are written into it one after the other, without the imports among themselves.
"""

import ast
import pathlib
import re
import sys

HERE = pathlib.Path(__file__).resolve().parent
MODULES = HERE / "python" / "pgpool_recovery_server"
TEMPLATES = HERE / "sql"
VERSION = "2.0"
STOCK_VERSIONS = ("1.0", "1.1", "1.2", "1.3", "1.4")
SUPERVISOR = "supervisor"

ATTRIBUTES = """\
LANGUAGE plpgsql STRICT SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
SET tcp_keepalives_idle = 60
SET tcp_keepalives_interval = 15
SET tcp_keepalives_count = 4"""


class Module:
    """One module: its text without the imports of its siblings, and those siblings' names."""

    def __init__(self, name):
        text = (MODULES / (name + ".py")).read_text()
        tree = ast.parse(text)
        lines = text.split("\n")
        self.name = name
        self.siblings = []
        self.defined = {node.name for node in tree.body if hasattr(node, "name")}
        self.defined |= {
            target.id
            for node in tree.body
            if isinstance(node, ast.Assign)
            for target in ast.walk(node)
            if isinstance(target, ast.Name) and isinstance(target.ctx, ast.Store)
        }
        for node in tree.body:
            if isinstance(node, ast.ImportFrom) and node.level:
                self.siblings.append(sibling(name, node))
                blank(lines, node)
        blank(lines, tree.body[0])  # The docstring: its first line is said again as a comment.
        self.text = "\n".join(lines).strip("\n")
        self.summary = ast.get_docstring(tree).split("\n")[0]


def sibling(name, node):
    """Return the module that a relative import names; it has to work without the import."""
    if node.module is None or any(alias.asname for alias in node.names):
        raise SystemExit(f"{name}.py: only 'from .module import name' can be assembled")
    return node.module


def blank(lines, node):
    """Take the lines of a node away."""
    lines[node.lineno - 1 : node.end_lineno] = [""] * (node.end_lineno - node.lineno + 1)


def assemble(name, call):
    """Return the text of module `name` and all it needs, in order, and a last line `call`."""
    modules = in_order(name)
    defined = {}
    for module in modules:
        for word in module.defined:
            if word in defined:
                raise SystemExit(f"{word} is defined in {defined[word]}.py and {module.name}.py")
            defined[word] = module.name
    texts = [f"# {module.name}.py: {module.summary}\n\n{module.text}" for module in modules]
    text = "\n\n\n".join([*texts, call])
    return re.sub(r"\n{4,}", "\n\n\n", text)


def in_order(name, seen=()):
    """Return the module and those it needs, each behind the ones it needs itself."""
    if name in seen:
        raise SystemExit(f"{name}.py imports itself by way of {' and '.join(seen)}")
    module = Module(name)
    order = []
    for needed in module.siblings:
        order += [m for m in in_order(needed, (*seen, name)) if m.name not in names(order)]
    return [*order, module]


def names(modules):
    """Return the names of modules."""
    return [module.name for module in modules]


def supervisor_program():
    """Return the text of the program that runs outside the server."""
    return assemble(SUPERVISOR, "main()")


def function_body(call):
    """Return the body of the PL/Python function that ends with ``return call``."""
    return assemble(call.split("(")[0], f"return {call}")


def expand(template, create):
    """Return a template's text with its ``{{ }}`` marks filled in."""

    def fill(match):
        verb, _, rest = match.group(1).partition(" ")
        if verb == "create":
            return create
        if verb == "attributes":
            return ATTRIBUTES
        if verb == "include":
            return (TEMPLATES / rest).read_text().strip()
        if verb == "supervisor":
            return supervisor_program()
        if verb == "python":
            return function_body(rest)
        raise SystemExit(f"{template}: unknown mark {match.group(0)}")

    return re.sub(r"{{ (.*?) }}", fill, (TEMPLATES / template).read_text())


def script(kind, *templates, create):
    """Return one SQL script; psql gets a message when somebody feeds it to it."""
    head = f'-- Part of pgpool-recovery.\n\\echo Use "{kind}" to load this file. \\quit\n'
    return "\n".join([head, *(expand(template, create) for template in templates)])


def scripts():
    """Return all scripts of the extension as a dict of file names and texts."""
    fresh = script(
        "CREATE EXTENSION pgpool_recovery",
        "language.sql",
        "functions.sql",
        "history.sql",
        "privileges.sql",
        create="CREATE",
    )
    update = script(
        f"ALTER EXTENSION pgpool_recovery UPDATE TO '{VERSION}'",
        "from_stock.sql",
        "language.sql",
        "functions.sql",
        "history.sql",
        "privileges.sql",
        create="CREATE OR REPLACE",
    )
    texts = {f"pgpool_recovery--{VERSION}.sql": fresh}
    for version in STOCK_VERSIONS:
        texts[f"pgpool_recovery--{version}--{VERSION}.sql"] = update
    return texts


def main(directory):
    """Write all scripts into a directory."""
    directory.mkdir(parents=True, exist_ok=True)
    for name, text in scripts().items():
        (directory / name).write_text(text)


if __name__ == "__main__":
    main(pathlib.Path(sys.argv[1]) if len(sys.argv) > 1 else HERE)
